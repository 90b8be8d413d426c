# ruff: noqa: E501 - prose templates
"""Parts of the page: skill, the scale factor, fewer windows."""

import pandas as pd
from harness import Tables, table
from judgement import FEWEST
from more_figures import present
from skill import best, known, shares
from study import BACKBONES, FACTORS, OWN, SHORT, SYMMETRIES, VARIANTS
from tables import ratio, settings_of
from words import spread, told


def skill_part(t: Tables, dataset: str) -> str:
    """The first step against the best trivial forecast, for all networks; whether building in helps what is given the increment."""
    found = shares(t, dataset)
    frame, still = t["tests"], t["persistence"]
    frame, still = frame[(frame.dataset == dataset) & (frame.test == "original")], still[still.dataset == dataset]
    base = {first: best(still, first).get("original", float("nan")) for first in (True, False)}
    rows = []
    for backbone in present(frame, "backbone", BACKBONES):
        for variant in present(frame[frame.backbone == backbone], "variant", VARIANTS):
            block = frame[(frame.backbone == backbone) & (frame.variant == variant)]
            rows.append([BACKBONES[backbone], SHORT[variant], spread(block.rmse_first, ".4f"), spread(found[backbone, variant], ".2f"),
                         spread((block.rmse / base[False]) ** 2, ".2f")])  # fmt: skip
    inputs = (
        "the last state and its two differences, each in units of its own size, and go on with the last increment"
        if settings_of(t, dataset).get("differences")
        else f"the last {settings_of(t, dataset)['frames']} states"
    )
    return f"""All networks are given {inputs}. The best forecast that costs nothing has an RMSE of {base[True]:.4f} in the first step on the original set, and of {base[False]:.3f} over all steps.

{table(["backbone", "network", "RMSE, first step", "mean square / trivial, first step", "mean square / trivial, all steps"], rows)}"""


def scales_part(t: Tables, dataset: str) -> str:
    """RMSE by scale factor."""
    frame, still = t["tests"], t["persistence"]
    frame, still = frame[(frame.dataset == dataset) & frame.test.isin(list(FACTORS))], still[still.dataset == dataset]
    columns = present(frame, "test", FACTORS)
    chosen = [(b, v) for b in present(frame, "backbone", BACKBONES) for v in ("plain", "augmented scale", "scale")
              if not frame[(frame.backbone == b) & (frame.variant == v)].empty]  # fmt: skip
    if len(columns) < 3 or not any(v == "scale" for _, v in chosen):
        return ""
    base = best(still)
    rows = [["", "best trivial forecast", *(f"{base[c]:.3f}" for c in columns)]]
    for backbone, variant in chosen:
        block = frame[(frame.backbone == backbone) & (frame.variant == variant)]
        rows.append([BACKBONES[backbone], SHORT[variant], *(spread(block[block.test == c].rmse, ".3f") for c in columns)])
    return f"""## Scale factors

RMSE over all steps by the scale of the flow, λ = 1 being what all were trained on (augmented: 1/2, 1 and 2).

{table(["backbone", "network", *(f"λ = {c.removeprefix('scale ').replace('original', '1')}" for c in columns)], rows)}"""


def complexity_part(t: Tables, dataset: str) -> str:
    """How the error falls with the number of windows, by rule."""
    few = t["complexity"]
    few = few[few.dataset == dataset] if len(few) else few
    if few.empty:
        return ""
    backbone = present(few, "backbone", BACKBONES)[0]
    whole = t["tests"][(t["tests"].dataset == dataset) & (t["tests"].backbone == backbone)]
    rows = []
    for symmetry in [s for s in SYMMETRIES if s in set(few.variant)]:
        for count in sorted(set(few.windows)):
            for test in ("original", *OWN[symmetry]):
                block = few[(few.windows == count) & (few.test == test)]
                cells = [ratio(block, dataset, backbone, test, symmetry, other) for other in ("plain", f"augmented {symmetry}")]
                if cells[0].values:
                    all_of_them = whole[(whole.test == test) & (whole.variant == "plain")].rmse.median()
                    with_it = block[(block.variant == symmetry)].rmse.median()
                    rows.append([SHORT[symmetry], str(count), test, told(cells[0]), told(cells[1]), f"{with_it / all_of_them:.2f}"])
    seeds = sorted(set(few.seed))
    words = "The words are by the rule above." if len(seeds) >= FEWEST else "Too few seeds for words."
    return f"""## Fewer training windows

The {BACKBONES[backbone]} on a part of the training windows, as many steps as with all of them; seeds {", ".join(map(str, seeds))}, each with windows of its own. {words} A ratio below 1 in the last column: fewer windows with the symmetry built in do better than all of them without.

{table(["network", "windows", "test set", "RMSE / plain on as many", "RMSE / augmented on as many", "RMSE / plain on all windows"], rows)}"""


def trivial_part(still: pd.DataFrame) -> str:
    """What costs nothing, by test set."""
    names = known(still)
    columns = [(f"{name}_first" if first else name) for first in (True, False) for name in names]
    rows = [[str(row["test"]), *(f"{row[c]:.4f}" for c in columns)] for _, row in still.iterrows()]
    heads = [f"{word}, {what}" for what in ("first step", "all steps") for word in names.values()]
    return table(["test set", *heads], rows)

# ruff: noqa: E501 - prose templates
"""The part of the page on processor time: our layer beside e3nn's, the relaxed network beside the strict one."""

import pandas as pd
from harness import Tables, table

STEP = 1.3
DEEP = "16 of 0e, 1o, 2e, 3 layers"
WHAT = {
    "layer": "one layer, forward and backward: ours against e3nn", "step": "training step: relaxed against strict",
    "without": "training step without that layer: relaxed against strict",
}  # fmt: skip


def speed_section(t: Tables) -> str:
    """The table of times, and why a wide relaxed layer is slower; nothing where none was measured."""
    if "speed" not in t:
        return ""
    speed = t["speed"]
    rows = [
        [WHAT[r["what"]], r["irreps"], r["dtype"], f"{r['ours_ms']:.3g}", f"{r['other_ms']:.3g}", f"{r['ratio']:.2f}"]
        for r in speed.to_dict("records")
    ]  # fmt: skip
    return f"""## Time

`studies/symmetry_breaking/speed.py`, processor milliseconds on one thread ({speed.machine.iloc[0]}), in turns. The layer is the same map in both: features times harmonics on every edge, weights linear in eight radial functions; e3nn (eager) makes weights for every edge; ours either sums over neighbours before it couples and weighs, or folds weights, couplings and θ into one matrix beforehand, whichever takes fewer multiplications. Folded, a relaxed layer costs what a strict one does. {_wide(speed, t["speed_earlier"])}

{table(["what", "irreps", "precision", "ours [ms]", "the other [ms]", "ratio"], rows)}"""


def _wide(speed: pd.DataFrame, earlier: pd.DataFrame) -> str:
    """Why a wide relaxed layer is slower: its paths; and what an earlier run of the script gave for it."""
    wide = speed[speed.irreps == DEEP]
    if not len(wide):
        return ""
    r = wide.iloc[0]
    left, limited = speed[speed.what == "without"], speed[speed.irreps.str.startswith(DEEP + ", filters") & (speed.ratio <= STEP)]
    told = [
        f"Between two wide layers (16 copies to 16, in networks of three layers) the matrix would be too large: there a relaxed layer pays for its paths, {int(r.paths)} where the strict one has {int(r.other_paths)} (filters of odd parity and higher degree), each of which couples and has weights; {r.ours_ms:.0f} against {r.other_ms:.0f} ms a step."
    ]
    before = earlier.loc[earlier["irreps"] == DEEP, "ratio"] if "irreps" in earlier else []
    if len(before):
        told.append(
            f"On a machine that others use the ratio scatters, {r.ratio:.2f} here and {before.iloc[0]:.2f} in an earlier run of the script; it misses the bar in both."
        )
    if len(left):
        w = left.iloc[0]
        told.append(
            f"With a linear map in place of that layer a step takes {w.ours_ms:.0f} against {w.other_ms:.0f} ms, so that the layer takes {r.ours_ms - w.ours_ms:.0f} against {r.other_ms - w.other_ms:.0f}: what it sums over neighbours is the same in both, but couplings, weights and their gradients go with the components of its outputs, path by path, {int(r.columns)} against {int(r.other_columns)}. Only fewer paths make that less."
        )
    if len(limited):
        met = [f"{str(i).removeprefix(DEEP + ', ')} {v:.2f}" for i, v in zip(limited.irreps, limited.ratio, strict=True)]
        told.append(f"`E3Net(highest=...)`, which limits the degree of filters, meets the bar there: {'; '.join(met)}.")
    else:
        told.append("`E3Net(highest=...)`, which limits the degree of filters, saves some of that.")
    return " ".join(told)

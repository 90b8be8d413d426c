# ruff: noqa: E501 - prose templates
"""docs/studies/hierarchical-policy.md from the tables of the study: no number in it is typed in by hand."""

from itertools import product
from pathlib import Path
from typing import Any

import figures
import pandas as pd
from experiments import CLOSE, ELSEWHERE
from harness import Tables, table, took, versions
from judgement import interval
from page_bars import all_bars, main
from study import ARMS, BETWEEN, CLOSED, DISTURBED, FULL, HANDS, HELD, JUDGED
from tabletop import PUSH

from orbitscope._whole import write_whole
from orbitscope.systems.manipulation import wilson

PAGE = "hierarchical-policy.md"


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = Tables(results, ["task", "arm", "demos", "seed"])
    cells, turns, tolerance = t["cells"], *(main(t, name) for name in ("turns", "tolerance"))
    docs.mkdir(parents=True, exist_ok=True)
    figures.draw(cells, tolerance, docs)
    parts = [
        _head(t), all_bars(t), _success(cells), _counts(cells, t), _disturbed(t), _turns(turns, t), _influence(t["influence"]), _tolerance(tolerance), _missing(t, cells), _limits(t),
    ]  # fmt: skip
    text = "\n\n".join(p for p in parts if p) + "\n"
    write_whole(docs / PAGE, lambda part: part.write_text(text, encoding="utf-8"))
    return docs / PAGE


def _head(t: Tables) -> str:
    s = t.meta["settings"]
    return f"""# Study: a keypose, then a chunk in its frame

Written by `studies/hierarchical_policy/run.py --config {s["name"]}.toml`; every number below comes from result files. HEP (Zhao, Wang, Zhu, Zhu, Howell, Zhao, Qian, Walters, Platt; ICML 2025, arXiv:2502.05728) names a keypose on voxels and lets an equivariant diffusion policy act in the frame of it. Here it stands beside itself with one part taken out, and beside a flat diffusion policy, on [tasks of this package](../how-to/manipulation.md): a floating hand, small networks, simulated contacts, and not RLBench. The published success rates belong to another suite, other sizes and 100 000 steps of training, and cannot be set beside these.

![Episodes done in layouts that no demonstration had. Strokes: all seeds together with Wilson's 95 % interval; points: seeds.](hierarchical-policy-success.png)"""


def _success(cells: pd.DataFrame) -> str:
    parts = []
    for task in dict.fromkeys(cells["task"]):
        demos, rows = figures.most(cells, task), []
        for arm in ARMS:
            own = cells[(cells["task"] == task) & (cells["demos"] == demos) & (cells["arm"] == arm)]
            if own.empty:
                continue
            rows.append(
                [
                    arm,
                    str(len(own)),
                    *_rate(own, ""),
                    _rate(own, "moved_")[0],
                    *_known(own),
                    f"{own['training_seconds'].mean():.0f}",
                    f"{own['acting_ms'].mean():.0f}",
                ]
            )
        if rows:
            header = [
                "arm",
                "seeds",
                "done",
                "95 % interval",
                "done, table elsewhere",
                "off [mm]",
                "off [degrees]",
                "fingers right",
                "parameters",
                "training [s]",
                "decision [ms]",
            ]
            parts.append(f"### {task}, {demos} demonstrations\n\n{table(header, rows)}")
    return f"""## Success

*Off*: median distance and angle of the pose at the end of a chunk from keyframes of demonstrations that were held out; the half turn of a parallel jaw does not count. *Table elsewhere*: the same layouts with the table turned by {ELSEWHERE[0]:g} radians and shifted by {", ".join(f"{v:g}" for v in ELSEWHERE[1])} m. Times are processor time of one thread on a busy machine; a decision holds looking, deciding and the way there.

""" + "\n\n".join(parts)


def _counts(cells: pd.DataFrame, t: Tables) -> str:
    s = t.meta["settings"]
    first = cells[(cells["task"] == s["tasks"][0]) & cells["arm"].isin(s.get("counted", []))]
    counts = sorted(first["demos"].unique())
    if len(counts) < 2:
        return ""
    rows = []
    for arm in [a for a in ARMS if (first["arm"] == a).any()]:
        cells_of = [first[(first["arm"] == arm) & (first["demos"] == n)] for n in counts]
        rows.append(
            [
                arm,
                *(
                    f"{100 * share_of(own):.0f} % ({', '.join(_rate(own, ''))}; {len(own)} seeds)" if len(own) else "not run"
                    for own in cells_of
                ),
            ]
        )
    return f"""## How many demonstrations

The task {s["tasks"][0]}, with as many passes over the demonstrations, so that fewer of them are fewer steps of training too: done, of all episodes of all seeds, with Wilson's 95 % interval.

{table(["arm", *(f"{n} demonstrations" for n in counts)], rows)}"""


def share_of(own: pd.DataFrame) -> float:
    """Part of the episodes of all rows that were done."""
    return float(own["successes"].sum() / own["episodes"].sum())


def _disturbed(t: Tables) -> str:
    found, cells = t["disturbed"], t["cells"]
    if found.empty:
        return ""
    task, rows = str(found["task"].iloc[0]), []
    for arm in [a for a in ARMS if (found["arm"] == a).any()]:
        seeds = sorted(found.loc[found["arm"] == arm, "seed"].unique())
        plain = cells[
            (cells["task"] == task) & (cells["arm"] == arm) & cells["seed"].isin(seeds) & (cells["demos"] == found["demos"].iloc[0])
        ]
        each = [plain, *(found[(found["arm"] == arm) & (found["condition"] == c)] for c in DISTURBED)]
        rows.append([arm, str(len(seeds)), *(" (".join(_rate(own, "")) + ")" for own in each)])
    return f"""## Other colours, clutter, a push

The policies of {task} in the same layouts, in which no demonstration was like this: *other colours*: red, green and blue of everything on the table exchanged; *clutter*: two cubes more; *pushed*: what stands on the table is pushed by {100 * PUSH:g} cm after the first decision, that is at the first keyframe, or for the closed loop on the way to it.

{table(["arm", "seeds", "as they are", *DISTURBED], rows)}"""


def _rate(own: pd.DataFrame, prefix: str) -> tuple[str, str]:
    good, tried = int(own[f"{prefix}successes"].sum()), int(own[f"{prefix}episodes"].sum())
    if not tried:
        return "–", "–"
    low, high = wilson(good, tried)
    return f"{good} of {tried}", f"{low:.2f} to {high:.2f}"


def _known(own: pd.DataFrame) -> list[str]:
    if own["place"].isna().all():
        return ["–"] * 4
    return [f"{own['place'].mean():.0f}", f"{own['turn'].mean():.0f}", f"{own['fingers'].mean():.2f}", f"{own['parameters'].median():,.0f}"]


def _turns(turns: pd.DataFrame, t: Tables) -> str:
    if turns.empty:
        return ""
    voxel = 1000 * t.meta["settings"]["model"]["edge"]
    rows = []
    for task, arm in product(dict.fromkeys(turns["task"]), ARMS):
        own = turns[(turns["arm"] == arm) & (turns["task"] == task)]
        if len(own):
            rows.append(
                [
                    task,
                    arm,
                    *(f"{1000 * m['median'].mean():.2g} / {1000 * m['largest'].max():.2g}" for _, m in own.groupby("motion", sort=False)),
                ]
            )
    return f"""## Does a trained policy move with the scene?

The largest distance over a chunk between the answer in a moved scene and the moved answer, mm: median over held-out keyframes (mean over cells), and the largest of all. A voxel of the high level is {voxel:g} mm wide. Every motion has a shift that is no whole number of voxels. The grid stands about the mean of the points, so that shifts are exact for every arm; quarter turns are for arms with built-in symmetry. For other turns the worst answers are those in which another voxel wins.{_along_hand(t)}

{table(["task", "arm", *dict.fromkeys(turns["motion"])], rows)}"""


def _influence(found: pd.DataFrame) -> str:
    if found.empty:
        return ""
    rows = []
    for (task, arm), own in found.groupby(["task", "arm"], sort=False):
        means = own.groupby("seed")["excess"].mean()
        low, high = interval(means.tolist())
        said = f"{means.mean():.2f}" + (f" ({low:.2f} to {high:.2f})" if low == low else "")
        words = ", ".join(f"{word}: {n}" for word, n in own["learning"].value_counts().items())
        sizes = [f"{own['response'].mean():.2f}", f"{own['null'].mean():.2f}", said, f"{own['moved_error'].mean():.2f}"]
        rows.append([str(task), str(arm), str(len(means)), *sizes, words])
    return f"""## Is what is learnt shared across the orbit?

A probe of the trained policies at keyframes that were held out, for each quarter turn (`orbitscope probe RUN FILE --group c4` does the same from the command line). *Response*: the coherence of a step on a moved example with the example itself, 1 where learning one is learning the other; *null*: with unrelated examples; *excess*: their difference, mean over turns, with Student's 95 % interval over seeds. *Moved error*: the squared error in moved scenes over that in the scenes as they were. The last column counts the probe's words, turn by turn and seed by seed.

{table(["task", "arm", "seeds", "response", "null", "excess", "moved error", "learning"], rows)}"""


def _along_hand(t: Tables) -> str:
    own = t.meta["settings"].get("own", {})
    tasks = [task for task in own if own[task].get("model", {}).get("grid") == "hand"]
    if not tasks:
        return ""
    return f" On {', '.join(tasks)} the voxels of the arms with built-in symmetry stand along the heading of the hand, which turns with the scene: there every turn is exact (`grid=hand`)."


def _tolerance(tolerance: pd.DataFrame) -> str:
    own = tolerance[tolerance["arm"] == FULL]
    if own.empty:
        return ""
    rows = []
    for task in dict.fromkeys(own["task"]):
        mean = own[own["task"] == task].groupby("error")[["found", "away"]].mean()
        rows.append([task, *(f"{100 * r.found:.0f} % ({r.away:.0f} mm)" for r in mean.itertuples())])
    return f"""## How wrong may the keypose be?

The low level alone, given the true keypose of held-out keyframes with an error of one length in any direction: how often the end of its chunk lies within {1000 * CLOSE[0]:g} mm and {round(57.29578 * CLOSE[1])} degrees of the keyframe, and the median distance. Success of the low level means here that the keyframe is found; nothing is played.

{table(["task", *(f"{e:g} mm" for e in sorted(own["error"].unique()))], rows)}

![Keyframes found by the low level against the planted error of its keypose; shaded from the worst to the best seed.](hierarchical-policy-tolerance.png)"""


def _missing(t: Tables, cells: pd.DataFrame) -> str:
    s = t.meta["settings"]
    done = set(zip(cells["task"], cells["arm"], cells["demos"], cells["seed"], strict=True))
    lines = []
    for task, demos in [*product(s["tasks"], s["demos"]), *((s["tasks"][0], n) for n in s.get("counts", []))]:
        own = s.get("own", {}).get(task, {})
        asked, seeds = own.get("arms", s["arms"]), own.get("seeds", s["seeds"])
        arms = [a for a in ARMS if (not asked or a in asked) and (demos in s["demos"] or a in s["counted"])]
        gone = {arm: [k for k in seeds if (task, arm, demos, k) not in done] for arm in arms}
        words = ", ".join(
            f"{arm} ({'all seeds' if len(k) == len(seeds) else 'seeds ' + ', '.join(map(str, k))})" for arm, k in gone.items() if k
        )
        if all(len(k) == len(seeds) for k in gone.values()):
            lines.append(f"* {task}, {demos} demonstrations: nothing was run.")
        elif words:
            lines.append(f"* {task}, {demos} demonstrations: {words}.")
    for what in ("influence", "disturbed"):
        asked = s.get({"influence": "influenced"}.get(what, what), [])
        found = t[what]
        gone = [a for a in asked if found.empty or found.loc[found["arm"] == a, "seed"].nunique() < len(s["seeds"])]
        if gone:
            lines.append(f"* {what}, {s['tasks'][0]}: all or some seeds of {', '.join(gone)}.")
    return "## Planned and not run\n\n" + "\n".join(lines) if lines else ""


def _limits(t: Tables) -> str:
    s = t.meta["settings"]
    options = ", ".join(f"{k} {v}" for k, v in s["model"].items())
    own = "; ".join(f"on {task} {_otherwise(given)}" for task, given in s.get("own", {}).items() if _otherwise(given))
    return f"""## What this does not show

* Networks and trainings are small and the same for every arm ({options}; {s["epochs"]} epochs, batches of {s["batch"]}{"; " * bool(own)}{own}); every arm has the same number of epochs, and not the same time: the arms without hierarchy have one network to train, and some may be held back by it. Settings were chosen with the full policy, demonstrations and first weights of seed 100 and layouts from 500 on, judged are layouts from {JUDGED} on, with keyframes of layouts from {HELD} on held out.
{_control(t)}
* Scenes are not turned in training, but in the arm that says so: what symmetry is worth is measured without augmentation.
* Buttons in order need a memory of what was pressed, which no policy here has: the task is left out.
* Settings: `{s["name"]}.toml`, seeds {", ".join(str(x) for x in s["seeds"])}; {t.meta["measured_runs"]} of {t.meta["planned_runs"]} planned runs; {took(t.meta)}; {versions(t.meta)}; {t.meta["date"]}."""


def _control(t: Tables) -> str:
    """What is said of the loop, and of options that are not measured."""
    hands = ""
    if (t["cells"]["arm"] == HANDS).any():
        hands = f" *{HANDS}*, whose voxels stand along the heading of the hand, was added for button and lift after their errors under turns by 30 and 45 degrees had been seen."
    if (t["cells"]["arm"] == CLOSED).any():
        return f"* Control is in open loop, but for *{CLOSED}*: half of a chunk of control steps is done, then the policy looks again. Its demonstrations have {BETWEEN} looks between two keyframes, and 1/{BETWEEN + 1} of the epochs, so that all arms have as many steps of training.{hands} `se2` frames and the sizes of a GPU are options that this study does not measure."
    return "* Control is in open loop; the closed loop, `se2` frames and the sizes of a GPU are options of the policy that this study does not measure."


def _otherwise(given: dict[str, Any]) -> str:
    """What is otherwise on one task, in words."""
    words = [f"{k} {v}" for k, v in given.get("model", {}).items()]
    if "draws" in given.get("model", {}):
        words[words.index(f"draws {given['model']['draws']}")] += (
            " (taken up, on seed 100, after runs with one draw had been seen, which are the arm *one draw*)"
        )
    seeds = [f"seeds {', '.join(map(str, given['seeds']))} (those above 2 added after three had been seen)"] if "seeds" in given else []
    return ", ".join([*words, *([f"{given['epochs']} epochs"] if "epochs" in given else []), *seeds])

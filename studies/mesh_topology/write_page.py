# ruff: noqa: E501 - prose templates
"""docs/studies/mesh-topology.md from the tables of the study: no number in it is typed in by hand."""

import json
from pathlib import Path

import figures
import numpy as np
import pandas as pd
from calibration_page import calibration
from harness import ROOT, Tables, table, took, versions
from judgement import AGREES, CONTRADICTS
from tables import NAMES, PRETEXTS, mean, of, ratio, settings_there, shown, small, summary, word

from orbitscope._whole import write_whole

PAGE = "mesh-topology.md"
SPEED = ROOT / "benchmarks" / "results" / "radar.json"
DRIFT_BAR = 0.01


def write_page(results: Path, docs: Path) -> Path:
    """Figures, then the page; same tables, same bytes."""
    t = Tables(results)
    frame = t["errors"]
    runs = summary(frame)
    figures.draw(frame, docs)
    parts = [_head(t, runs), _claims(runs), _better(t, runs), _moves(frame), calibration(t), _simulator(t), _limits(t)]
    text = "\n\n".join(p for p in parts if p) + "\n"
    write_whole(docs / PAGE, lambda part: part.write_text(text, encoding="utf-8"))
    return docs / PAGE


def _head(t: Tables, runs: pd.DataFrame) -> str:
    s = t.meta["settings"]
    first = ratio(of(runs, "graph")["moved"], of(runs, "graph")["plain"])
    best = of(runs, "integral")
    verdict = {AGREES: "confirmed", CONTRADICTS: "refuted"}
    second = [
        ratio(of(runs, "graph", "autoencoder", 0, share)["drift"], of(runs, "graph", "none", 0, share)["drift"]) for share in _parts(runs)
    ]
    words = {word(f) for f in second}
    told = verdict.get(words.pop(), "not decided") if len(words) == 1 else "not decided alike at every number of labels"
    return f"""# Study: does the answer hang on the mesh?

Written by `studies/mesh_topology/run.py --config {s["name"]}.toml`; every number below comes from result files, and every conclusion from a rule that stands beside it.

The same body can be cut into triangles in many ways, and its physics does not care. A neural simulator on faces may. Vaska et al. (arXiv 2501.09597) say in their abstract that a change of mesh topology can significantly reduce performance, and that pretraining reduces the sensitivity of graph embeddings. No code and no numbers of theirs were at hand: this is the question asked anew, with a simulator whose labels do not change by more than rounding when flat faces are cut, so that whatever changes is the network's.

* **A changed mesh costs a graph network** {shown(first)} times its squared error (mean over exact re-meshings, with the 95 % interval over seeds): {verdict.get(word(first, below=False), "not decided")}.
* **An autoencoder as pretraining reduces the drift of the graph network**: {told} ({", ".join(f"{shown(f)} at {100 * share:.0f} % of the labels" for f, share in zip(second, _parts(runs), strict=True))}; below 1 = less drift).
{_more_seeds(t, runs)}* **Better than both**: exact integrals over the surface drift by {mean(best["drift_most"], small)} of the variance of the truth under the worst exact move, at an nMSE of {mean(best["plain"])} where the graph network has {mean(of(runs, "graph")["plain"])} on the meshes that it was trained on."""


def _more_seeds(t: Tables, runs: pd.DataFrame) -> str:
    """What the seeds say that were added after the first ones had been looked at; nothing where none were."""
    first = t.meta["settings"].get("first", [])
    fresh = runs[~runs["seed"].isin(first)]
    if not first or fresh.empty:
        return ""
    told = []
    for name, some in (("the first", runs[runs["seed"].isin(first)]), ("those that were added", fresh)):
        cost = ratio(of(some, "graph")["moved"], of(some, "graph")["plain"])
        drifts = [ratio(of(some, "graph", "autoencoder", 0, p)["drift"], of(some, "graph", "none", 0, p)["drift"]) for p in _parts(some)]
        told.append(f"{name} ({some['seed'].nunique()}) give {shown(cost)} for the cost and {', '.join(map(shown, drifts))} for the drifts")
    return f"""* **Seeds were added**: seeds {", ".join(map(str, first))} had left these questions open, and how many more there would be was fixed before any of them ran. Words are those of all seeds together, of which {"; ".join(told)}.
"""


def _parts(runs: pd.DataFrame) -> list[float]:
    """Parts of the labels at which the graph network was pretrained and was not, descending."""
    both = [
        set(runs.loc[(runs["model"] == "graph") & (runs["pretext"] == p) & (runs["augmented"] == 0), "labels"])
        for p in ("none", "autoencoder")
    ]
    return sorted(set.intersection(*both), reverse=True)


def _claims(runs: pd.DataFrame) -> str:
    rows = []
    for model in NAMES:
        for augmented in (0, 1):
            mine = of(runs, model, "none", augmented)
            if len(mine):
                found = ratio(mine["moved"], mine["plain"])
                rows.append(
                    [
                        NAMES[model] + (", trained on re-meshed shapes" if augmented else ""),
                        str(len(mine)),
                        shown(found),
                        word(found, below=False),
                    ]
                )
    pretraining = []
    for model in ("graph", "token", "codebook"):
        for share in sorted(runs["labels"].unique(), reverse=True):
            for augmented in (0, 1):
                base = of(runs, model, "none", augmented, share)
                for pretext in [p for p in PRETEXTS if p != "none"]:
                    mine = of(runs, model, pretext, augmented, share)
                    if len(mine) and len(base):
                        drift, moved = ratio(mine["drift"], base["drift"]), ratio(mine["moved"], base["moved"])
                        pretraining.append([
                            NAMES[model], PRETEXTS[pretext], "yes" if augmented else "no", f"{100 * share:.0f} %", str(len(mine)), shown(drift), word(drift),
                            shown(moved), word(moved),
                        ])  # fmt: skip
    return f"""## The two claims

**A changed mesh costs performance.** nMSE under exact re-meshing (mean over moves) over nMSE on the mesh as it was; *agrees* where the whole interval lies above 1, *no change* where it lies within a hundredth of 1.

{table(["network", "seeds", "ratio of errors", "word"], rows)}

**Pretraining makes a network less sensitive.** Pretrained over not pretrained, paired by seed: the same shapes, the same labels, the same order. *agrees* where the whole interval lies below 1, *contradicts* where it lies above.

{table(["network", "pretext", "trained on re-meshed shapes", "labels", "seeds", "ratio of drifts", "word", "ratio of errors under re-meshing", "word"], pretraining)}

{_skill(runs)}

![Error and drift with and without pretraining, by part of the labels; small dots are seeds.](mesh-topology-pretraining.png)"""


def _skill(runs: pd.DataFrame) -> str:
    """What the ratios of drifts do not see: a network that says little drifts little."""
    told = []
    for pretext in PRETEXTS:
        mine = of(runs, "graph", pretext)
        if len(mine):
            told.append(
                f"{PRETEXTS[pretext]}: nMSE {mean(mine['plain'])} on the mesh as it was, {shown(ratio(mine['moved'], mine['plain']))} times that under re-meshing"
            )
    return f"""A network that says little drifts little, whatever it has learnt of the shape: drift is not divided by skill, and the networks differ in it. Beside the drifts therefore stand the errors themselves. Graph of faces, all labels, not trained on re-meshed shapes: {"; ".join(told)}. A pretrained network can be better on every mesh and more sensitive at once."""


def held(runs: pd.DataFrame) -> tuple[bool, tuple[float, float, float]]:
    """Whether the exact integral meets the bar, and its error over that of the better plain network."""
    best, plain = of(runs, "integral"), min((of(runs, m) for m in ("mlp", "graph") if len(of(runs, m))), key=lambda f: f["plain"].mean())
    error = ratio(best["plain"], plain["plain"])
    return bool(best["drift_most"].max() < DRIFT_BAR) and error[0] <= 1, error


def _better(t: Tables, runs: pd.DataFrame) -> str:
    rows = []
    for model, pretext, augmented, share in settings_there(runs, t.meta["settings"]["grid"]):
        mine = of(runs, model, pretext, augmented, share)
        rows.append([
            NAMES[model], PRETEXTS[pretext], "yes" if augmented else "no", f"{100 * share:.0f} %", str(len(mine)), mean(mine["plain"]), mean(mine["moved"]),
            mean(mine["moved_most"]), mean(mine["drift"], small), mean(mine["drift_most"], small),
        ])  # fmt: skip
    best, (good, error) = of(runs, "integral"), held(runs)
    return f"""## What helps

nMSE is the squared error over the variance of the true answers; drift is the squared change of the answer under a move over the same variance. Means over seeds, the least and the largest in brackets.

{table(["network", "pretraining", "trained on re-meshed shapes", "labels", "seeds", "nMSE, mesh as it was", "nMSE, exact moves", "worst exact move", "drift", "worst drift"], rows)}

Bar: a network whose drift under exact re-meshing is below {100 * DRIFT_BAR:.0f} % of the signal at no more than the plain network's error: **{"met" if good else "missed"}** by the exact integral (worst drift of any seed {small(best["drift_most"].max())}; its error over that of the better plain network {shown(error)}).

The exact integral (`mesh_integral`) sums $\\int m_c(\\hat n)\\, e^{{i \\omega_c x}} dA$ over the faces, with learnt waves $\\omega_c$ and a learnt network m of the normal, exact on every triangle; what it gives cannot change when flat faces are cut. It knows more of the physics than the others (waves over surfaces are what a radar sees), which is part of its lead in error; that it does not drift is by construction. The one-point quadrature (`mesh_quadrature`) is the same idea with one point a face, and drifts where faces are not small against the wavelength."""


def _moves(frame: pd.DataFrame) -> str:
    plain = frame[(frame["pretext"] == "none") & (frame["augmented"] == 0) & np.isclose(frame["labels"], 1.0)]
    models = [m for m in NAMES if (plain["model"] == m).any()]
    rows = []
    for move in dict.fromkeys(plain["move"]):
        mine = plain[plain["move"] == move]
        surface, truth = float(mine["surface_error"].iloc[0]), float(mine["truth_change"].iloc[0])
        cells = [mean(mine.loc[mine["model"] == m, "nmse"]) for m in models]
        rows.append(
            ["as it was" if move == "e" else f"`{move}`", "yes" if mine["exact"].iloc[0] else f"{surface:.1e}", f"{truth:.0e}", *cells]
        )
    return f"""## Move by move

The number behind a move is its level in hundredths of the faces. Exact moves leave flat faces where they are; of the others stands the largest distance of the surfaces over the size of the body (six shapes). *Truth* is the squared change of the simulator's own answers over their variance: what a perfect network would show.

{table(["move", "exact, or error of the surface", "truth", *(f"nMSE, {NAMES[m]}" for m in models)], rows)}

![Error and drift under every move, means over seeds; the dotted line is one per cent.](mesh-topology-moves.png)"""


def _simulator(t: Tables) -> str:
    rows = [
        [r["what"], f"{r['value']:.1e}", f"{r['bar']:g}", "met" if r["value"] <= r["bar"] else "missed"]
        for r in t["simulator"].to_dict("records")
    ]
    speed = json.loads(SPEED.read_text(encoding="utf-8"))
    least = min(speed["rows"], key=lambda r: r["per_second"])
    rows.append([
        f"triangle integrals a second on {speed['threads']} threads, the slowest of {len(speed['rows'])} cases (`benchmarks/radar.py`)",
        f"{least['per_second'] / 1e6:.0f} M", f"{speed['bar_per_second'] / 1e6:.0f} M", "met" if least["met"] else "missed",
    ])  # fmt: skip
    most = max(r["ratio"] for r in speed["rows"])
    return f"""## The simulator

Physical optics on triangles in closed form (`physics.physical_optics`), the logarithm of the squared amplitude in twelve directions at eight wavenumbers.

{table(["what", "measured", "bar", ""], rows)}

The compiled sum is {min(r["ratio"] for r in speed["rows"]):.1f} to {most:.0f} times as fast on {speed["threads"]} threads as the same sum in numpy on one ({speed["machine"]})."""


def _limits(t: Tables) -> str:
    s, m = t.meta["settings"], t.meta
    cost = t["runs"]["cpu_s"].sum()
    return f"""## How it was done, and what it does not say

{s["train"]} shapes to train on, drawn anew for each of the seeds {", ".join(map(str, s["seeds"]))}, {s["validation"]} to choose the best epoch by, {s["test"]} to test on, of {len(s["kinds"])} kinds ({", ".join(k.upper() if len(k) == 1 else k for k in s["kinds"])}), turned about the vertical. Training shapes are re-meshed by {", ".join(f"`{a}`" for a in s["augment"])} where the table says so: the larger levels are not seen in training. Pretraining takes {s["pretraining"]} epochs on all training shapes without labels; the encoder is then trained further with all else. Epochs by part of the labels: {", ".join(f"{100 * float(k):.0f} %: {v}" for k, v in s["epochs"].items())}; AdamW, peak rate {s["learning_rate"]:g}, batches of {s["batch"]}.

{m["measured_runs"]} of {m["planned_runs"]} planned runs, {cost / 60:.0f} minutes of processor {took(m)}; {versions(m)}; {m["date"]}.

Not said: whether the published networks behave like these, which are small and our own, on shapes of our own; what more data or longer training would change; anything about other physics than this one. Bodies are convex or nearly so, without shadows. Learnt words are the nearest of running means (vector quantisation without a commitment loss; codes are standardised instead), not the published recipe, which is not known to us in detail. All of these networks but the exact integral are weak here (their nMSE is nearer to 1, the best constant, than to 0): shapes and epochs are few. {_seeds(t)}"""


def _seeds(t: Tables) -> str:
    few = len(t.meta["settings"]["seeds"])
    return f"Intervals over {few} seeds are wide." if few < 6 else f"Intervals are over {few} seeds, the test shapes the same for all."

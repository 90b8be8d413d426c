# ruff: noqa: E501 - prose templates
"""docs/benchmarks/{influence,layers,galaxies,planner}.md from benchmarks/results/*.json: no number in them is typed in by hand.

python benchmarks/write_pages.py
"""

import json
import sys
from pathlib import Path
from typing import Any

from orbitscope._whole import write_whole

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs" / "benchmarks"
Row = list[str]


def table(header: Row, rows: list[Row]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def held(value: float, bar: float) -> str:
    """A value, its bar, and whether it is met."""
    return f"{value:.2g} (bar {bar:g}: {'met' if value <= bar else 'missed'})"


def mib(count: float) -> str:
    return f"{count / 2**20:.0f} MiB"


def influence(d: dict[str, Any]) -> str:
    """Cost of an orbit, accuracy of the sketch, memory, peers."""
    transitions = d["trajectories"] * d["times"]
    parts = [
        f"""# Cost of the influence

{d["machine"]}; {d["threads"]} thread{"s" if d["threads"] > 1 else ""}; torch {d["torch"]}. UNet of {d["parameters"]:,} parameters, {d["points"]} x {d["points"]} cells, {transitions} transitions.
Ratios are of processor time, since other programs were running; seconds by the clock beside them.

    {d["command"]}"""
    ]
    if "exact" in d:
        e = d["exact"]
        parts.append(
            f"""## A whole orbit, exactly

The reference is the published order of operations: per element all gradients anew, a singular value decomposition of the stack of
gradients, one directional derivative after the other. It is timed on one element and multiplied.

{
                table(
                    ["D4, exact", "processor s", "clock s"],
                    [
                        ["published order", f"{e['reference_processor_seconds']:.0f}", f"{e['reference_seconds']:.0f}"],
                        ["orbitscope", f"{e['processor_seconds']:.0f}", f"{e['seconds']:.0f}"],
                    ],
                )
            }

{e["ratio"]:.2f} times as fast (bar 3: {"met" if e["ratio"] >= 3 else "missed"}). The coherences of `r` differ by {
                e["agreement"]["largest"]:.1e} at the most."""
        )
    if "sketched" in d:
        parts.append(_sketched(d["sketched"]))
    if "memory" in d:
        m = d["memory"]
        budget = float(m["budget"].removesuffix("GiB")) * 2**30
        parts.append(
            f"""## Memory

`--memory {m["budget"]}`: the plan expects {mib(m["planned"])}, a process of its own took {mib(m["used"])} more than one that only loads data and model
({"within" if m["used"] <= budget else "beyond"} the budget). The plan that was printed: {m["plan"]}."""
        )
    if "peers" in d:
        rows = []
        for name, p in d["peers"].items():
            if isinstance(p, dict) and "processor_seconds" in p:
                gap = p.get("agreement", {}).get("largest")
                rows.append([name, f"{p['processor_seconds']:.1f}", f"{gap:.1e}" if isinstance(gap, float) else "–"])
        parts.append(
            f"""## The euclidean part, beside libraries for the attribution of training data

Inner products of the gradients of one element's kets and bras, one thread, the best batch size of each.

{table(["", "processor s", "largest relative difference from ours"], rows)}"""
        )
    return "\n\n".join(parts) + "\n"


def _sketched(s: dict[str, Any]) -> str:
    rows = [
        [name, f"{a['response']:.4f}", f"{a['median']:.4f}", f"{a['95%']:.4f}", f"{a['largest']:.4f}"]
        for name, a in [*s["agreement"].items(), *s["agreement_d4"].items()]
    ]
    worst, response = (max(float(r[k]) for r in rows) for k in (2, 1))
    return f"""## Many elements, sketched

{s["elements"]} translations with {
        s["probes"]
    } random probes per example, against the per-example gradients of the moved transitions alone: the floor, which every method needs.
{
        ""
        if s["timed_on"] == s["elements"]
        else f"Both were timed on {s['timed_on']} of them, evenly spread, and multiplied (what is done once was timed apart)."
    }

{
        table(
            ["", "processor s", "clock s"],
            [
                ["gradients alone", f"{s['gradients_alone_processor_seconds']:.0f}", f"{s['gradients_alone_seconds']:.0f}"],
                ["influence, sketched", f"{s['processor_seconds']:.0f}", f"{s['seconds']:.0f}"],
            ],
        )
    }

{s["ratio"]:.2f} times the floor (bar 2: {
        "met" if s["ratio"] <= 2 else "missed"
    }). Differences of coherences from the exact ones, for some of the shifts and for two elements of D4. The shifts
are by multiples of 4 cells, which this network commutes with (its strides multiply to 4), so nothing is left to estimate there; D4 is the test:

{table(["element", "of the response", "median", "95 %", "largest"], rows)}

Largest difference of a response {held(response, 0.01)}, largest median of all entries {held(worst, 0.01)}. The result itself says {
        s["standard_error_said"]:.4f} as its median standard error."""


def layers(d: dict[str, Any]) -> str:
    """Cost and exactness of the equivariant convolution."""
    s = d["settings"]
    steps = [[r["group"], f"{r['seconds']:.4f}", f"{r['plain_seconds']:.4f}", f"{r['ratio']:.3f}"] for r in d["training_steps"]]
    worst = max(r["ratio"] for r in d["training_steps"])
    for name, p in d["peers"].items():
        steps.append([f"c8, {name} {p['versions'][name]}", f"{p['step']:.4f}", f"{p['plain']:.4f}", f"{p['ratio']:.3f}"])
    built = [[g, f"{seconds:.3f}"] for g, seconds in d["construction_seconds"].items()]
    built += [[f"c8, {name}", f"{p['construction']:.2f}"] for name, p in d["peers"].items()]
    turns = [
        [r["group"], str(r["kernel"]), f"{r['error_45']:.1e}", f"{r['worst_45']:.1e}", f"{r['float32']:.1e}", f"{r['float64']:.1e}"]
        for r in d["turns"]
    ]
    for name, p in d["peers"].items():
        turns += [[f"c8, {name}", str(r["kernel"]), f"{r['error_45']:.1e}", f"{r['worst_45']:.1e}", "–", "–"] for r in p["turns"]]
    whole = d["networks"]
    nets = [
        [
            r["network"],
            str(r["parameters"]),
            str(r["plain_parameters"]),
            f"{r['seconds']:.3f}",
            f"{r['plain_seconds']:.3f}",
            f"{r['ratio']:.2f}",
        ]
        for r in whole["rows"]
    ]
    exact32, exact64 = (max(r[k] for r in d["turns"]) for k in ("float32", "float64"))
    eighth = min(r["error_45"] for r in d["turns"] if r["group"] == "c8")
    return f"""# Cost and exactness of the equivariant convolution

{d["machine"]}; one thread; torch {d["torch"]}; load before {d["load_before"][0]:.1f}. Processor time.

    python benchmarks/layers.py --python escnn=PATH --python e2cnn=PATH --write benchmarks/results/layers.json

## Training step

Forward and backward of a layer of {s["channels"]} channels, kernel {s["kernel"]}, {s["batch"]} states of {s["points"]} x {s["points"]} cells, taken in turn with a plain convolution
of the same channels; the median ratio of {s["repeats"]}. The peers ran in processes of their own, each against a plain convolution there.

{table(["", "s", "plain s", "ratio"], steps)}

Our largest ratio: {held(worst, 1.15)}. The convolution itself is nearly all of it, here and in the peers.

## Whole networks

FNO, ViT, ResNet and UNet (preset small) with D4 built in, at about as many parameters as the plain network: forward and backward of 4 states of 32 x 32 cells, taken in turn; the median ratio of {whole["repeats"]}
({whole["machine"]}; torch {whole["torch"]}; load {whole["load"]:.1f}). A regular field has 8 channels and shares its weights among them, so as many parameters are about three times as many channels.

{table(["", "parameters", "plain parameters", "s", "plain s", "ratio"], nets)}

## Construction

A layer of {s["fields"]} to {s["fields"]} regular fields, weights drawn.

{table(["", "s"], built)}

Ours for C8, s: {held(d["construction_seconds"]["c8"], 1.0)}.

## Turns

Lifting, group and projecting convolution with ReLU on smooth vector fields of {33} x {33} cells. At 45 degrees in the disc of a quarter of the box: mean and worst of
{len(s["seeds"])} seeds, of which the test's own resampling is {d["resampling_45"]:.1e}. At quarter turns (and flips in D_n): the largest, in both precisions.

{table(["", "kernel", "45 degrees", "worst", "exact, float32", "exact, float64"], turns)}

Largest error of an exact element: float32 {held(exact32, 1e-5)}, float64 {held(exact64, 1e-12)}. C8 at 45 degrees, at its best kernel: {held(eighth, 5.6e-2)}.
"""


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}" if seconds < 1 else f"{1e3 * seconds:,.0f}"


def galaxies(d: dict[str, Any]) -> str:
    """Pair statistics and mocks beside halotools."""
    least = min(r["count_ratio"] for r in d["rows"])
    counts = [
        [
            f"{r['galaxies']:,}",
            f"{_ms(r['count_seconds'])}",
            f"{_ms(r['halotools_count_seconds'])}",
            f"{r['count_ratio']:.3g}",
            f"{r['largest_difference']:.1g}",
        ]
        for r in d["rows"]
    ]
    mocks = [
        [
            f"{r['galaxies']:,}",
            f"{_ms(r['populate_seconds'])}",
            f"{_ms(r['halotools_populate_seconds'])}",
            f"{r['halotools_populate_seconds'] / r['populate_seconds']:.3g}",
        ]
        for r in d["rows"]
    ]
    return f"""# Mocks and pairs of galaxies

{d["machine"]}; one thread; {d["halos"]:,} halos in a box of {d["box"]:g} Mpc/h, which take {d["halos_seconds"]:.2g} s to make. Milliseconds are of the processor, the best of {d["repeats"]} calls,
ours and halotools' in one run.

    python benchmarks/galaxies.py --repeats {d["repeats"]} --out benchmarks/results/galaxies.json

## xi, omega and eta of one mock

halotools calls `tpcf`, `ed_3d` and `ee_3d`; ours is one pass over pairs. Difference: the largest, over one plus the value.

{table(["galaxies", "ours, ms", "halotools, ms", "ratio", "difference"], counts)}

The bar is a ratio of {d["bar_ratio"]:g}: {"met" if least >= d["bar_ratio"] else "missed"}, the least is {least:.2g}.

## Populating the halos

halotools populates a model again, which is quicker than the first time.

{table(["galaxies", "ours, ms", "halotools, ms", "ratio"], mocks)}
"""


def planner(d: dict[str, Any]) -> str:
    """One decision of MPPI beside pytorch-mppi."""
    rows = [
        [
            f"{r['samples']:,} x {r['horizon']}, {r['dtype']}",
            *(_ms(r["seconds"][name]) for name in ("orbitscope", "orbitscope, D4", "pytorch-mppi", "model alone")),
            f"{r['ratio']:.2f}",
            f"{r['median_ratio']:.2f}",
        ]
        for r in d["rows"]
    ]
    behind = [r for r in d["rows"] if r["ratio"] < 1]
    word = (
        "met"
        if not behind
        else f"missed in {len(behind)} of {len(d['rows'])}, where the least ratio is {min(r['ratio'] for r in behind):.2f}"
    )
    costs = ", ".join(f"{name} {value:.4f}" for name, value in d["episode_cost"].items())
    shares = [r["seconds"]["model alone"] / r["seconds"]["orbitscope"] for r in d["rows"]]
    return f"""# Decisions of planners

{d["machine"]}; {d["threads"]} thread{"s" if d["threads"] > 1 else ""}; torch {d["torch"]}; pytorch-mppi {d["pytorch-mppi"]}. Milliseconds of the processor for one decision of MPPI, the best of {d["repeats"]}, the planners
taking turns while other programs were running; the ratio of the medians stands beside that of the best. A ball in the plane is driven to a target, with the same functions for all planners.

    python benchmarks/planner.py --repeats {d["repeats"]} --out benchmarks/results/planner.json

{table(["sequences x horizon", "ours, ms", "ours with D4, ms", "pytorch-mppi, ms", "model alone, ms", "theirs over ours", "of medians"], rows)}

The bar is a ratio of 1, at least as fast, in every size: {word}. With a group fewer numbers are drawn.{_earlier()}

Steps and costs are functions of torch that the caller brings; rolled out alone they take {100 * min(shares):.0f} to {100 * max(shares):.0f} % of the time of a decision of ours. The rest is all that a planner compiled
by numba could win; noise, weights and means stay in torch.

Mean cost of an action over episodes that such planners drive, which should be about the same: {costs}.
"""


def _earlier() -> str:
    """What the same benchmark had found before."""
    ratios = [row["ratio"] for row in json.loads((HERE / "results" / "planner_earlier.json").read_text(encoding="utf-8"))["rows"]]
    return (
        f" An earlier run on this machine, under another load and with a few operations more in a decision of ours, had ratios of "
        f"{min(ratios):.2f} to {max(ratios):.2f} (`benchmarks/results/planner_earlier.json`)."
    )


def main() -> int:
    """All pages, each where its results are."""
    for name, make in (("influence", influence), ("layers", layers), ("galaxies", galaxies), ("planner", planner)):
        source = HERE / "results" / f"{name}.json"
        if source.exists():
            text = make(json.loads(source.read_text(encoding="utf-8")))
            write_whole(DOCS / f"{name}.md", lambda part, text=text: part.write_text(text, encoding="utf-8"))
            print(DOCS / f"{name}.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())

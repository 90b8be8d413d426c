# ruff: noqa: E501 - prose templates
"""The sections on digits and on planted weather of the study's page, from what their scripts found: no number in it is typed in by hand."""

import json
from pathlib import Path
from typing import Any

import digits as dg
import matplotlib.pyplot as plt
import numpy as np
import storms as st
from digits_study import EACH, NARROW, NETWORKS, PLANTED, PLANTED_ON, PLANTED_SEEDS, TEST, TRAIN
from flows_page import _span
from harness import table
from judgement import FEWEST, interval

from orbitscope._whole import write_whole
from orbitscope.discover import HOLDS

DIGITS, STORMS = "discovery-digits.png", "discovery-storms.png"
POINT = 0.01
Row = dict[str, Any]


def sections(results: Path, docs: Path) -> str:
    """Both sections, their figures written to `docs`; nothing where there are no results."""
    found = []
    for folder, write in (("digits", _digits), ("storms", _storms)):
        file = results / folder / f"{folder}.json"
        if file.exists():
            found.append(write(json.loads(file.read_text(encoding="utf-8")), docs))
    return "\n\n".join(found)


# ---- digits


def _digits(kept: Row, docs: Path) -> str:
    _draw_digits(kept, docs)
    lines, nets = [], []
    for place in dg.PLACES:
        mine = [r for r in kept["discovered"] if r["place"] == place]
        if mine:
            words = ", ".join(str(r["count"]) for r in mine)
            lines.append(
                [
                    place,
                    str(len(mine)),
                    _span([100 * a for r in mine for a in r["accuracy"]]),
                    _span([r["gradient_angle"] for r in mine]),
                    words,
                    _span([r["breaking"][0] for r in mine], 2),
                    _span([r["breaking"][1] for r in mine], 2),
                    _span([r["atlas_angle"] for r in mine]),
                    _span([d[1] if (d := _departures(r)) else None for r in mine], 2),
                    ", ".join(f"{d[0]:.2f}" if (d := _departures(r)) else "–" for r in mine),
                ]
            )
        for network in NETWORKS:
            if some := [r for r in kept["networks"] if (r["place"], r["network"]) == (place, network)]:
                nets.append(
                    [
                        place,
                        network,
                        str(some[0]["parameters"]),
                        str(len(some)),
                        *(_span([100 * r[k] for r in some]) for k in ("narrow", "wide")),
                    ]
                )
    head = [
        "surface",
        "seeds",
        "predictors' accuracy, %",
        "`gradient`: angle of its first direction to so(2), degrees",
        "held, by seed",
        "breaking of the first",
        "of the second",
        "`atlas`: angle, degrees",
        "axes of its ellipses",
        "its growth over one turn, by seed",
    ]
    text = "Digits on a sphere, three charts, and the learnt and the true group's orbit of a point."
    return f"""## Digits on cylinder and sphere

The digits that scikit-learn ships, three to a surface, painted on it point by point and cut out by `SurfaceCharts`; each is turned within {NARROW:g} degrees for training, anyhow for the test; every third image is for the test only. Two predictors, with one small network for each of the three charts, see {EACH} surfaces each. What is searched is gl(2) about the centre of the chart; the class is to stay.

{table(head, lines)}

{_held(kept)} `atlas`, which moves far, comes nearer to the turn than `gradient`{_nearer(kept)}.

The matrices of the last step are then built in: {dg.TURNS} elements exp(k T B / {dg.TURNS}) of the `atlas` generator B, T its period, move the kernels of a group convolution ({TRAIN} surfaces, digits one by one). *Learnt group*: B as it was learnt, with the last element next to the first though the group does not come back. *Closed*: B without its trace, the nearest generator whose group does. Neither is made orthogonal. Nothing else in that network knows of turns, and all networks are trained for the same number of epochs; the augmented one sees digits turned anyhow. Accuracy in per cent:

{table(["surface", "network", "weights", "seeds", "test, turned within 60 degrees", "test, turned anyhow"], nets)}

{_judged(kept)}

{_planted(kept)}![{text}]({DIGITS})

*{text}* {TEST} test surfaces. Written from `studies/discovery/digits_study.py`; {kept["machine"]}."""


def _departures(r: Row) -> tuple[float, float] | None:
    """Growth over a turn and axes of the learnt generator; nothing where it does not turn."""
    try:
        return dg.departures(np.array(r["atlas"]))
    except ValueError:
        return None


def _held(kept: Row) -> str:
    mine = kept["discovered"]
    held = sum(r["count"] > 0 for r in mine)
    ratio = float(np.median([r["breaking"][1] / max(r["breaking"][0], 1e-3) for r in mine]))
    if not held:
        return f"By the rule of the evidence (breaking at most {HOLDS:g}) no direction holds: these classifiers know turns too roughly. Their first direction is broken {ratio:.0f} times less than the second, and to build in what comes first is a person's choice here."
    return f"By the rule of the evidence (breaking at most {HOLDS:g}) something holds in {held} of {len(mine)} runs; the first direction is broken {ratio:.0f} times less than the second."


def _nearer(kept: Row) -> str:
    mine = kept["discovered"]
    nearer = sum(r["atlas_angle"] < r["gradient_angle"] for r in mine)
    return f" in {nearer} of {len(mine)} runs"


def _judged(kept: Row) -> str:
    return "\n".join(f"* {what}: {found}." for what, found in digits_bars(kept))


def _planted(kept: Row) -> str:
    """What single errors of a generator cost, on seeds of their own."""
    mine = kept.get("planted", [])
    if not mine:
        return ""
    rows = [
        [error, str(len(some)), *(_span([100 * r[k] for r in some]) for k in ("narrow", "wide")), _span([100 * (r["narrow"] - r["wide"]) for r in some])]
        for error in PLANTED if (some := [r for r in mine if r["error"] == error])
    ]  # fmt: skip
    return f"""**What is it about a learnt generator that costs?** The same network on the {PLANTED_ON} over generators with one error each, seeds {", ".join(str(s) for s in PLANTED_SEEDS)}, by which the choice to close the group was made:

{table(["error of the generator", "seeds", "test, turned within 60 degrees", "test, turned anyhow", "lost from one to the other, points"], rows)}

"""


def digits_bars(kept: Row) -> list[tuple[str, str]]:
    """Surface by surface, how far the network of the learnt group is behind that of the true one."""
    by = {(r["place"], r["seed"], r["network"]): r["wide"] for r in kept["networks"]}
    said = []
    for network in ("learnt group", "learnt group, closed"):
        for place in dg.PLACES:
            pairs = [
                (by[place, s, network], by[place, s, "true group"])
                for s in range(100)
                if (place, s, network) in by and (place, s, "true group") in by
            ]
            if pairs:
                gaps = 100 * np.array([b - a for a, b in pairs])
                low, high = interval(gaps)
                word = (
                    ("met" if gaps.mean() <= 100 * POINT else "missed")
                    if len(pairs) >= FEWEST
                    else f"not judged with fewer than {FEWEST} seeds"
                )
                what = f"{network[0].upper()}{network[1:]}, within {100 * POINT:g} point of the true group's network on digits turned anyhow, {place}, mean of {len(pairs)} seed{'s' if len(pairs) > 1 else ''}"
                sure = f", 95 % interval {low:.1f} to {high:.1f}" if np.isfinite(low) else ""
                said.append((what, f"{word} (behind by {round(gaps.mean(), 1) + 0.0:.1f} points{sure})"))
    return said


def _draw_digits(kept: Row, docs: Path) -> None:
    place = dg.PLACES["sphere, lon-lat"]
    field, classes = dg.painted(place, 2, NARROW, 0)
    patches = place.charts.cut(field, dg.LAYOUT)
    figure = plt.figure(figsize=(10, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, 4)
    whole = figure.add_subplot(grid[0, :3])
    whole.imshow(field[0, 0].T.numpy(), origin="lower", extent=(0, 360, -90, 90), cmap="magma", aspect="auto")
    whole.set(xlabel="longitude", ylabel="latitude", ylim=(-60, 60))
    for k in range(3):
        axes = figure.add_subplot(grid[1, k])
        axes.imshow(patches[0, k, 0].T.numpy(), origin="lower", cmap="magma")
        axes.set(xticks=[], yticks=[], title=f"chart {k + 1}: {int(classes[0, k])}")
    axes = figure.add_subplot(grid[:, 3])
    t = np.linspace(0, 2 * np.pi, 200)
    axes.plot(np.cos(t), np.sin(t), color="#555555", lw=1, label="true")
    for k, r in enumerate(kept["discovered"]):
        orbit = dg.closed(np.array(r["atlas"]), 24)[0] @ np.array([1.0, 0.0])
        axes.plot(*orbit.T, ".", ms=5, color="#0072B2", alpha=0.6, label="learnt" if k == 0 else None)
    axes.set(aspect="equal", xlim=(-1.4, 1.4), ylim=(-1.4, 1.8), title="orbit of (1, 0)")
    axes.legend(loc="upper center", frameon=False, ncol=2, fontsize=8)
    write_whole(docs / DIGITS, lambda part: figure.savefig(part, dpi=110, format="png"))
    plt.close(figure)


# ---- weather


def _storms(kept: Row, docs: Path) -> str:
    _draw_storms(kept, docs)
    lines = []
    for grid in st.GRIDS:
        if mine := [r for r in kept["rows"] if r["grid"] == grid]:
            at = [(np.array(r["away"]), np.array(r["breaking"]), r["reach"]) for r in mine]
            lines.append([
                grid, str(len(mine)), str(len(mine[0]["centres"])), ", ".join(str(r["free"]["count"]) for r in mine), _span([r["free"]["angle"] for r in mine], 2),
                ", ".join(str(r["everywhere"]["count"]) for r in mine), ", ".join(str(r["inside"]["count"]) for r in mine), _span([float(b[a > reach].max()) for a, b, reach in at], 3),
                _span([float(b[a < st.WIDTH].min()) for a, b, _ in at], 3),
            ])  # fmt: skip
    head = [
        "grid",
        "seeds",
        "charts",
        "held outside the region, by seed",
        "angle to so(2), degrees",
        "held if all charts are asked together",
        "held inside",
        "largest breaking of the turn, charts clear of the region",
        "smallest, charts centred inside",
    ]
    text = "Where does the symmetry hold? Breaking of the turn in every chart of a cover of the sphere, seed 0, squared, over that of unrelated examples; the ring is the edge of the region where the law depends on the compass."
    return f"""## Planted weather: where on the sphere does a symmetry hold?

A stand-in for climate data and none of it: {st.VORTICES} vortices (pressure, and wind that turns) and {st.FILAMENTS} filaments (long strips of moisture) are planted on a sphere, and the answer is a local law of the fields around every point, the same in all directions, but within {st.WIDTH:g} radii of one place, where the wind from the west counts, too. One linear predictor for each chart of a cover; what is searched is gl(2), acting on places and on the wind's two components at once.

{table(head, lines)}

* The map tells the region from the rest, all charts clear of it held and none centred inside, at the limit of the evidence: {"met" if told_apart(kept) else "missed"}.

![{text}]({STORMS})

*{text}* Charts that overlap the edge lie between. Written from `studies/discovery/storms_study.py`; {kept["machine"]}."""


def told_apart(kept: Row) -> bool:
    """Whether on every grid and seed all charts clear of the region hold and none centred inside does."""
    return all(
        np.array(r["breaking"])[np.array(r["away"]) > r["reach"]].max()
        <= r["holds"]
        < np.array(r["breaking"])[np.array(r["away"]) < st.WIDTH].min()
        for r in kept["rows"]
    )


def _draw_storms(kept: Row, docs: Path) -> None:
    grids = [g for g in st.GRIDS if any(r["grid"] == g for r in kept["rows"])]
    figure, every = plt.subplots(1, len(grids), figsize=(5.4 * len(grids), 3.6), layout="constrained", squeeze=False, sharey=True)
    lon, lat = np.meshgrid(np.linspace(-180, 180, 361), np.linspace(-90, 90, 181))
    a, b = np.radians(lon - st.RANGE[0]), np.radians(lat)
    away = np.arccos(np.clip(np.sin(b) * np.sin(np.radians(st.RANGE[1])) + np.cos(b) * np.cos(np.radians(st.RANGE[1])) * np.cos(a), -1, 1))
    shown = None
    for axes, grid in zip(every[0], grids, strict=True):
        row = next(r for r in kept["rows"] if r["grid"] == grid)
        places = np.array(row["centres"])
        shown = axes.scatter(
            places[:, 0],
            places[:, 1],
            c=np.clip(row["breaking"], 1e-3, 1),
            norm="log",
            cmap="viridis_r",
            vmin=1e-3,
            vmax=1,
            s=90,
            edgecolors="none",
        )
        axes.contour(lon, lat, away, [st.WIDTH], colors="#D55E00", linewidths=2)
        axes.set(xlim=(-185, 185), ylim=(-95, 95), title=grid, xlabel="longitude", ylabel="latitude" if grid == grids[0] else "")
    assert shown is not None
    figure.colorbar(shown, ax=every, label="breaking of the turn")
    write_whole(docs / STORMS, lambda part: figure.savefig(part, dpi=110, format="png"))
    plt.close(figure)

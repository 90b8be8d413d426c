"""What orbitscope builds in, and how exactly: the table of docs/built-in.md, every number measured.

    python benchmarks/built_in.py

Every row moves simulated flows by elements of one symmetry and compares $f(gx)$ with $g f(x)$, relative to $f(x)$, for a layer, for a whole
emulator of `emulators.models()` (random weights, biases and gains included) and for a plain network that knows nothing of the symmetry. The
same moves, in the declared conventions, are put to the solver of the Navier-Stokes equations: where it commutes, the symmetry is one of the
flow. Largest over elements, root mean square over states, float64. Writes `benchmarks/results/built_in.json` and what stands between the
markers in `docs/built-in.md`; takes some tens of seconds of one core.
"""

import argparse
import datetime
import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.emulators import build
from orbitscope.nn import (
    Activation,
    EquivariantConv,
    EquivariantSpectralConv,
    Features,
    FrameAttention,
    FrameAveraged,
    Galilean,
    MagnitudeConv,
    MotionConv,
    ScaleConv,
    ScaleLift,
    Unpatch,
)
from orbitscope.nn import relax as relaxed
from orbitscope.probe import machine
from orbitscope.symmetry import Boost, Scaling

BEGIN, END = "<!-- builds-in:begin -->", "<!-- builds-in:end -->"
ROOT = Path(__file__).resolve().parent.parent
POINTS, DT = 32, 0.05
LAW = osc.equation("navier-stokes", viscosity=1e-3)
LAYOUT, GRID = LAW.layout, LAW.grid(POINTS)
LAW3 = osc.equation("navier-stokes-3d")
Map = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Move:
    """One element: on what goes in, on what comes out, and where the two sides may be compared."""

    before: Map
    after: Map
    mask: Tensor | None = None


@dataclass(frozen=True)
class Row:
    """A symmetry, what builds it in, and the errors (None: not applicable)."""

    symmetry: str
    layer: str
    emulator: str
    exact: str
    layer_error: float | None
    emulator_error: float | None
    plain: float | None
    solver: float | None


@dataclass
class Flows:
    """The states that are moved, float64."""

    plane: Tensor = field(default_factory=lambda: flows("navier-stokes.gauss", POINTS, 2))
    space: Tensor = field(default_factory=lambda: flows("navier-stokes-3d.random", 8, 2))

    @property
    def disc(self) -> Tensor:
        """The flows behind a round window that leaves the rim of the box at rest: all that other angles can be judged on."""
        x, y = GRID.coordinates() - 0.5
        return self.plane * torch.exp(-(((x**2 + y**2) / 0.2**2) ** 3))


def flows(scenario: str, points: int, count: int) -> Tensor:
    """The last states of some runs."""
    runs = osc.simulate(scenario, trajectories=count, resolution=points, frames=2, t_end=0.2, seed=0, dtype=torch.float64)
    return torch.cat([chunk for _, chunk in runs])[:, -1]


@torch.no_grad()
def error(f: Map, moves: Iterable[Move], x: Tensor) -> float:
    """Largest ||f(gx) - g f(x)|| / ||g f(x)|| over the elements."""
    answer, worst = f(x), 0.0
    for move in moves:
        expected = move.after(answer)
        gap = f(move.before(x)) - expected
        mask = 1.0 if move.mask is None else move.mask
        found = float((gap * mask).norm() / (expected * mask).norm())
        worst = worst if found <= worst else found  # a NaN stays
    return worst


def errors_of(layer: Map, models: Sequence[Map], plain: Map, moves: list[Move], x: Tensor) -> tuple[float, float, float, float]:
    """Of a layer, of the worst of some models, of a plain network, of the solver."""
    return error(layer, moves, x), max(error(f, moves, x) for f in models), error(plain, moves, x), error(step, moves, x)


def isometries(words: str, law: osc.Equation = LAW, points: int | None = None) -> list[Move]:
    """All elements of a group on the states of an equation; at most 40 of them."""
    grid = law.grid(points or POINTS)
    action = osc.GridAction(law.layout, grid)
    group = osc.parse_group(words, points=grid.shape, ndim=grid.ndim)
    chosen = group.elements[:: max(1, len(group) // 40)]
    return [Move(lambda s, g=g: action(g, s), lambda s, g=g: action(g, s), action.mask(g)) for g in chosen]


def angle(degrees: float) -> list[Move]:
    """One turn between the quarter turns, by interpolation, compared on the disc."""
    action, g = osc.GridAction(LAYOUT, GRID), osc.rotation(math.radians(degrees))
    return [Move(lambda s: action(g, s), lambda s: action(g, s), action.mask(g))]


def noisy(model: nn.Module) -> nn.Module:
    """In float64, with biases and gains away from where they start."""
    model = model.double().eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


def emulator(name: str, **options: Any) -> nn.Module:
    """By name, small, as `orbitscope train` would build it."""
    return build(name, channels_in=LAYOUT.channels, layout=LAYOUT, grid=GRID, resolution=POINTS, **options)


def pair(group: str, layout: osc.Layout, hidden: Sequence[str], kernel: int = 5) -> nn.Module:
    """State to hidden fields and back: lifting and projecting convolution with a nonlinearity between."""
    state, inside = Features.from_layout(layout, group), Features.of(group, *hidden, ndim=layout.ndim)
    return nn.Sequential(EquivariantConv(state, inside, kernel), Activation(inside), EquivariantConv(inside, state, kernel))


def waves() -> nn.Module:
    """State to hidden fields and back, by products of wave numbers."""
    state, inside = Features.from_layout(LAYOUT, "d4"), Features.of("d4", "regular*4")
    return nn.Sequential(EquivariantSpectralConv(state, inside, 6), Activation(inside), EquivariantSpectralConv(inside, state, 6))


def patches() -> nn.Module:
    """State to patches of 4 x 4 cells, attention between them, and back to the cells."""
    state, inside = Features.from_layout(LAYOUT, "d4"), Features.of("d4", "regular*4")
    tokens = [n // 4 for n in GRID.shape]
    return nn.Sequential(EquivariantConv(state, inside, 4, stride=4), FrameAttention(inside, 2, tokens), Unpatch(inside, state, 4))


def rotations(data: Flows) -> list[Row]:
    """Groups of the plane and of space."""
    rows = []
    plain = noisy(emulator("resnet"))
    for label, group, net in (("C4", "c4", "equivariant_resnet"), ("D4", "d4", "equivariant_unet")):
        layer, model = noisy(pair(group, LAYOUT, ["regular*4", "vector*2"])), noisy(emulator(net, group=group))
        moves = isometries(group)
        errors = errors_of(layer, [model], plain, moves, data.plane)
        kind = "rotations" if group == "c4" else "rotations and reflections"
        rows.append(Row(f"{kind}, {label}", "`EquivariantConv`", f"`{net}`", "every element", *errors))
    for layer, words, net in (
        (waves(), "`EquivariantSpectralConv`", "equivariant_fno"),
        (patches(), "`FrameAttention`, `Unpatch`", "equivariant_vit"),
    ):
        errors = errors_of(noisy(layer), [noisy(emulator(net))], plain, isometries("d4"), data.plane)
        rows.append(Row("rotations and reflections, D4", words, f"`{net}`", "every element", *errors))
    for label, group, hidden in (
        ("D8", "d8", ["regular*2", "vector"]),
        ("SO(2)", "so2", ["irrep:0*2", "irrep:1*2", "irrep:2*2"]),
        ("O(2)", "o2", ["irrep:0*2", "irrep:1*2", "irrep:2*2"]),
    ):
        layer, model = noisy(pair(group, LAYOUT, hidden, 7)), noisy(emulator("equivariant_resnet", group=group, kernel=7, width=3, depth=2))
        moves = isometries("c4" if group == "so2" else "d4")
        errors = errors_of(layer, [model], plain, moves, data.plane)
        rows.append(Row(label, "`EquivariantConv`", "`equivariant_resnet`", "quarter turns, and flips where there are any", *errors))
        first, second, third = (error(f, angle(45), data.disc) for f in (layer, model, plain))
        exact = "nowhere: as far as the grid resolves it"
        rows.append(Row(f"{label}, at 45°", "`EquivariantConv`", "`equivariant_resnet`", exact, first, second, third, None))
    for label, group in (("O", "o"), ("O_h", "oh")):
        layer = noisy(pair(group, LAW3.layout, ["regular", "vector*2"], 3))
        bare = noisy(nn.Sequential(nn.Conv3d(3, 6, 3, padding=1), nn.SiLU(), nn.Conv3d(6, 3, 3, padding=1)))
        errors = [error(f, isometries(group, LAW3, 8), data.space) for f in (layer, bare, step3)]
        rows.append(Row(f"of the cube, {label}", "`EquivariantConv`", "", "every element", errors[0], None, errors[1], errors[2]))
    return rows


def shifts(data: Flows) -> list[Row]:
    """Translations in space and time."""
    moves = isometries("tx*ty")
    layer, models = noisy(pair("c1", LAYOUT, ["scalar*8"])), [noisy(emulator(name)) for name in ("resnet", "fno")]
    errors = errors_of(layer, models, noisy(emulator("vit")), moves, data.plane)
    rows = [Row("translations", "every convolution", "`resnet`, `fno`", "whole cells; `unet` by its stride", *errors)]
    model = noisy(emulator("resnet"))
    runs = osc.Trajectories(torch.stack([data.plane, data.plane.roll(1, 0), data.plane.flip(-1)], 1), LAYOUT, GRID, DT)
    later = runs.replace(values=runs.values[:, 1:])
    a, b = (osc.rollout(model, r, 1, start=s, keep_states=True)["prediction"].values for r, s in ((runs, 1), (later, 0)))
    rows.append(Row("time translation", "", "all: no model sees the clock", "everywhere", None, float(abs(a - b).max()), None, None))
    return rows


def values(data: Flows) -> list[Row]:
    """Moves of the values: uniform motion, boosts, magnitude, scale."""
    plain, rows = noisy(emulator("resnet")), []
    constant = torch.tensor([3.0, -2.0], dtype=torch.float64)[:, None, None]
    added = [Move(lambda s: s + constant, lambda s: s + constant)]
    layer = noisy(MotionConv(1, 1, 3, activation=nn.SiLU()))
    models = [noisy(emulator(name, residual=False)) for name in ("motion_unet", "motion_resnet")]
    errors = errors_of(layer, models, plain, added, data.plane)
    rows.append(Row("uniform motion of the values", "`MotionConv`", "`motion_unet`, `motion_resnet`", "every constant", *errors))
    boosts = [Boost(LAYOUT, GRID, c) for c in ((0.7, -0.4), (0.013, 0.3))]
    carried = [Move(lambda s, b=b: b.state(s), lambda s, b=b: b.state(s, DT)) for b in boosts]
    layer, model = noisy(Galilean(nn.Conv2d(2, 2, 3, padding=1), LAYOUT, GRID, DT)), noisy(Galilean(emulator("unet"), LAYOUT, GRID, DT))
    errors = errors_of(layer, [model], plain, carried, data.plane)
    rows.append(
        Row("Galilean moving frame", "`Galilean` around a layer", "`Galilean` around `unet`", "every velocity, periodic axes", *errors)
    )
    louder = [Move(lambda s, m=m: m * s, lambda s, m=m: m * s) for m in (1e-3, 0.3, 7.0)]
    layer = noisy(MagnitudeConv(2, 2, 3, activation=nn.SiLU()))
    models = [noisy(emulator(name)) for name in ("magnitude_unet", "magnitude_resnet")]
    errors = errors_of(layer, models, plain, louder, data.plane)
    rows.append(Row("magnitude", "`MagnitudeConv`", "`magnitude_unet`, `magnitude_resnet`", "every positive factor", *errors))
    return [*rows, *scale(data, plain)]


def scale(data: Flows, plain: nn.Module) -> list[Row]:
    """Twice as fast, two copies per axis. A rate of change is then 8 times as large; a step is one of a quarter of the time."""
    zoom = Scaling(LAYOUT, GRID, velocity=2.0, copies=2)
    scales = [0.25 * 2.0**i for i in range(5)]
    ladder = noisy(nn.Sequential(ScaleLift(2, 4, scales, width=0.05), nn.SiLU(), ScaleConv(4, 4, scales, width=0.05)))
    with torch.no_grad():
        there, here = ladder(zoom.state(data.plane)), ladder(data.plane).repeat(1, 1, 1, 2, 2)
        inner = float((there[:, :, :-2] - here[:, :, 1:-1]).norm() / here[:, :, 1:-1].norm())
    rate = [Move(zoom.state, lambda r: 8 * r.repeat(1, 1, 2, 2))]
    networks = [emulator("scale_resnet", residual=True, width=8, depth=2, levels=n, finest=f) for n, f in ((5, 0.3), (9, 0.075))]
    short, long = (error(noisy(network), rate, data.plane) for network in networks)
    moved = osc.equation("navier-stokes", viscosity=zoom.parameters({"viscosity": LAW.parameters["viscosity"]})["viscosity"])
    expected = zoom.state(LAW.step(data.plane, DT))
    solver = float((moved.step(zoom.state(data.plane), DT / 4) - expected).norm() / expected.norm())
    framed = max(_framed(name, zoom, data.plane) for name in ("scale_frame_resnet", "scale_frame_unet"))
    exact, bare = "layers: between the ends of the ladder; emulators: nowhere, the ends count", error(plain, rate, data.plane)
    return [
        Row("scale, ladder of 5", "`ScaleConv`", "`scale_resnet`", exact, inner, short, bare, solver),
        Row("scale, ladder of 9", "`ScaleConv`", "the same with `levels=9`, `finest=0.075`", exact, inner, long, bare, solver),
        Row(
            "scale, in a length of the state",
            "",
            "`scale_frame_resnet`, `scale_frame_unet`",
            "with its time step, where the cells resolve it",
            None,
            framed,
            error(plain, [Move(zoom.state, zoom.state)], data.plane),
            solver,
        ),
    ]


def _framed(name: str, zoom: Scaling, plane: Tensor) -> float:
    """The error of a network in a length of the state, when its time step is moved too."""
    own: Any = noisy(emulator(name, residual=True))
    with torch.no_grad():
        answer = zoom.state(own(plane))
        own.dt = 0.25
        return float((own(zoom.state(plane)) - answer).norm() / answer.norm())


def around(data: Flows) -> list[Row]:
    """Relaxed at the start, and averages of any model."""
    moves, rows = isometries("d4"), []
    plain = noisy(emulator("resnet"))
    layer, models = relaxed(noisy(pair("d4", LAYOUT, ["regular*4"]))), [emulator(f"relaxed_{name}").double() for name in ("resnet", "unet")]
    errors = errors_of(layer, models, plain, moves, data.plane)
    rows.append(Row("relaxed D4", "`relax`", "`relaxed_resnet`, `relaxed_unet`", "before the first training step", *errors))
    bare, network = noisy(nn.Conv2d(2, 2, 3, padding=1)), noisy(emulator("vit"))
    action = osc.GridAction(LAYOUT, GRID)
    d4, shifted = osc.dihedral(4), osc.parse_group("d4*tx8*ty8", points=GRID.shape)
    errors = [error(osc.symmetrize(f, d4, action), moves, data.plane) for f in (bare, network)]
    errors += [error(f, moves, data.plane) for f in (network, step)]
    rows.append(Row("D4 by averaging", "`symmetrize` around a layer", "`symmetrize` around `vit`", "every element", *errors))
    moves = isometries("d4*tx8*ty8")
    errors = [error(FrameAveraged(f, shifted, action), moves, data.plane) for f in (bare, network)]
    errors += [error(f, moves, data.plane) for f in (network, step)]
    rows.append(Row("D4 and shifts by a frame", "`FrameAveraged` around a layer", "`FrameAveraged` around `vit`", "every element", *errors))
    return rows


def step(x: Tensor) -> Tensor:
    """The solver."""
    return LAW.step(x, DT)


def step3(x: Tensor) -> Tensor:
    """The solver in space."""
    return LAW3.step(x, DT)


def measure() -> dict[str, Any]:
    """All rows, and where they were measured."""
    torch.manual_seed(0)
    data = Flows()
    rows = [*rotations(data), *shifts(data), *values(data), *around(data)]
    action = osc.GridAction(LAYOUT, GRID)
    swapped = [Move(lambda s, m=m: m.before(s.flip(1)).flip(1), lambda s, m=m: m.after(s.flip(1)).flip(1)) for m in isometries("d4")]
    torch.manual_seed(0)
    return {
        "rows": [asdict(row) for row in rows],
        "resampling": action.error(osc.rotation(math.pi / 4), data.disc),
        "swapped": error(noisy(pair("d4", LAYOUT, ["regular*4", "vector*2"])), swapped, data.plane),
        "grid": f"{POINTS} x {POINTS}",
        "machine": machine(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "versions": f"orbitscope {osc.__version__}, torch {torch.__version__}",
    }


def table(found: dict[str, Any]) -> str:
    """What stands in the page."""
    header = ["Symmetry", "Layer", "Error", "Emulator", "Error", "A plain network", "The flow's solver", "Exact for"]
    lines = [header, ["---", "---", "---:", "---", "---:", "---:", "---:", "---"]]
    for row in found["rows"]:
        numbers = [words(row[name]) for name in ("layer_error", "emulator_error", "plain", "solver")]
        lines.append([row["symmetry"], row["layer"] or "–", numbers[0], row["emulator"] or "–", *numbers[1:], row["exact"]])
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"""{text}

*Largest relative difference between f(gx) and g f(x) over the elements g (40 of large groups), in float64, on simulated flows of
{found["grid"]} cells (8 x 8 x 8 in space), for random weights; of several emulators the worst. The moves are put to the solver too: where
its number is small, the symmetry is one of the flow. At 45° the test's own resampling errs by {words(found["resampling"])}. With the two
components exchanged, the layers of D4 err by {words(found["swapped"])}.*

Made by `python benchmarks/built_in.py`; {found["date"]}; {found["versions"]}; {found["machine"]}."""


def words(value: float | None) -> str:
    """Two digits, or a dash."""
    return "–" if value is None else "0" if value == 0 else f"{value:.1e}" if value < 1e-2 else f"{value:.2g}"


def write_between(path: Path, text: str) -> None:
    """Replace what stands between the markers; the rest of the file stays as it is."""
    old = path.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        sys.exit(f"{path} should hold one {BEGIN} and one {END}.")
    head, rest = old.split(BEGIN)
    part = path.with_name(path.name + ".part")
    part.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    os.replace(part, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help="repository whose docs/built-in.md and benchmarks/results/ are written")
    parser.add_argument("--table-only", action="store_true", help="write the page from the numbers at hand")
    options = parser.parse_args(argv)
    kept = options.root / "benchmarks" / "results" / "built_in.json"
    if not options.table_only:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(measure(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    found = json.loads(kept.read_text(encoding="utf-8"))
    write_between(options.root / "docs" / "built-in.md", table(found))
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

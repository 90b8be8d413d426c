"""One trajectory of every scenario, at its start, its middle and its end."""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray

from orbitscope.physics import equation, scenarios, simulate
from orbitscope.symmetry import Grid

from ._section import Numbers, Run, Section, picture

Frames = list[NDArray[np.float64]]
_COLUMNS = 3


def _compute(run: Run) -> Numbers:
    shown = {name: _frames(name, run) for name in sorted(scenarios())}
    wide = {name: case for name, case in shown.items() if case[1][0].shape[0] > 2 * case[1][0].shape[1]}
    flows = {name: case for name, case in shown.items() if case[0] == "vorticity" and name not in wide}
    others = {name: case for name, case in shown.items() if name not in wide and name not in flows}
    for part, cases in (("flows", flows), ("scalars", others)):
        columns = min(_COLUMNS, len(cases))
        rows = math.ceil(len(cases) / columns)
        figure, axes = plt.subplots(rows, 3 * columns, figsize=(1.28 * 3 * columns, 1.52 * rows), squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for i, (name, case) in enumerate(cases.items()):
            first = 3 * (i // rows)
            _draw(list(axes[i % rows, first : first + 3]), name, *case)
        figure.subplots_adjust(left=0.005, right=0.995, bottom=0.005, top=1 - 0.15 / rows, wspace=0.04, hspace=0.22)
        run.save(figure, f"gallery-{part}", 96)
    for name, case in wide.items():
        figure, axes = plt.subplots(3, 1, figsize=(9.0, 4.4))
        for axis in axes:
            axis.axis("off")
        _draw(list(axes), name, *case)
        figure.subplots_adjust(left=0.005, right=0.995, bottom=0.01, top=0.95, hspace=0.06)
        run.save(figure, f"gallery-{name}", 96)
    words = {name: {"shown": label, "times": times} for name, (label, _, times) in shown.items()}
    return {"scenarios": words, "points": run.pick(48, 16), "cube": run.pick(24, 8), "wide": list(wide)}


def _draw(axes: list[Axes], name: str, label: str, frames: Frames, times: list[float]) -> None:
    low, high = np.quantile(np.stack(frames[1:] if label == "vorticity" else frames), [0.005, 0.995])
    if label == "vorticity":
        high = max(abs(low), abs(high))
        low = -high
    colours = "RdBu_r" if label == "vorticity" else "viridis"
    box = {"fc": "#000000aa", "ec": "none", "pad": 1}
    for axis, frame, t in zip(axes, frames, times, strict=True):
        axis.imshow(frame.T, origin="lower", cmap=colours, vmin=low, vmax=high, interpolation="nearest", aspect="equal")
        axis.text(0.02, 0.04, f"t = {t:g}", transform=axis.transAxes, fontsize=6, color="white", bbox=box)
    axes[0].set_title(f"{name}: {label}", fontsize=7.5, loc="left", pad=3)


def _frames(name: str, run: Run) -> tuple[str, Frames, list[float]]:
    plan = scenarios()[name]
    law = plan.equation()
    n = run.pick(48, 16) if law.layout.ndim == 2 else run.pick(24, 8)
    if law.name == "rayleigh-benard":  # at its published Rayleigh number it needs a finer grid than a picture is worth
        law, n = equation(law.name, rayleigh=1e6), run.pick(32, 8)
    # Quick: a short time, for a plume of minutes is no quick look.
    t_end = run.pick(plan.t_end, min(plan.t_end, 1.0))
    ((_, values),) = simulate(name, trajectories=1, resolution=n, frames=3, t_end=t_end, equation=law)
    label, fields = _field(law.layout.channel_names, values[0].double(), law.grid(n))
    label += ", Ra = 10⁶" if law.name == "rayleigh-benard" else ""
    return label, [f.numpy() for f in fields], [t_end * i / 2 for i in range(3)]


def _field(channels: tuple[str, ...], states: torch.Tensor, grid: Grid) -> tuple[str, torch.Tensor]:
    """Vorticity of a periodic flow (about the last axis in three dimensions, middle plane), else its first scalar."""
    if channels[0] == "velocity_x" and grid.periodic:
        axes = tuple(range(-grid.ndim, 0))
        spectrum = torch.fft.fftn(states[:, :2], dim=axes)
        k = [torch.fft.fftfreq(n, 1 / n, dtype=torch.float64).reshape(-1, *[1] * (grid.ndim - 1 - i)) for i, n in enumerate(grid.shape[:2])]
        field, label = torch.fft.ifftn(2j * math.pi * (k[0] * spectrum[:, 1] - k[1] * spectrum[:, 0]), dim=axes).real, "vorticity"
    else:
        chosen = next((i for i, c in enumerate(channels) if not c.startswith(("velocity", "momentum"))), 0)
        field, label = states[:, chosen], channels[chosen]
    return label, field[..., field.shape[-1] // 2] if grid.ndim == 3 else field


def _render(numbers: Numbers) -> str:
    return "\n\n".join(
        [
            f"The first trajectory of every scenario at {numbers['points']} points per axis (seed 0), at its start, its middle and its "
            f"end; of three-dimensional ones, at {numbers['cube']}, the middle plane. Within a trajectory the colours mean the same; "
            "vorticity is red where positive. Convection is shown at a smaller Rayleigh number than the scenario's own, as its title says.",
            picture("gallery-flows", "Vorticity at three times of one trajectory of every incompressible scenario"),
            picture("gallery-scalars", "Density, height or smoke at three times of one trajectory of every other scenario"),
            *(picture(f"gallery-{name}", f"Temperature at three times, {name}") for name in numbers["wide"]),
        ]
    )


SECTION = Section("gallery", "Every scenario", _compute, _render)

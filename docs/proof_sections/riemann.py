"""Two-dimensional Riemann problems: pictures, and the waves along their edges against exact solutions."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from proofs import riemann_2d as cases

from orbitscope.physics import Euler
from orbitscope.physics._riemann_exact import riemann_exact

from ._section import STYLES, Numbers, Run, Section, picture, power, table, tidy

_SIDES: tuple[cases.Side, ...] = ("top", "left", "bottom", "right")
_DISTANCE = 0.7


def _compute(run: Run) -> Numbers:
    sizes, shown = run.pick([50, 100], [10, 20]), {}
    errors: Numbers = {}
    for number in cases.CONFIGURATIONS:
        errors[str(number)] = {side: [] for side in _SIDES}
        for cells in sizes:
            shown[number] = cases.run(number, cells, solver=Euler(reconstruction="weno3"))
            for side in _SIDES:
                found = cases.edge_error(number, shown[number], side, distance=_DISTANCE)
                errors[str(number)][side].append(found["density"])
    figure, axes = plt.subplots(2, len(shown), figsize=(11.0, 5.0), height_ratios=(1.55, 1.0))
    for (above, below), (number, field) in zip(axes.T, shown.items(), strict=True):
        _draw(number, field, above)
        _edge(number, field, below)
    axes[1, 0].set_ylabel("density")
    axes[1, 0].legend(frameon=False, fontsize=7)
    figure.tight_layout()
    run.save(figure, "riemann", 96)
    return {"sizes": sizes, "errors": errors, "distance": _DISTANCE, "box": cases.BOX}


def _draw(number: int, field: NDArray[np.float64], axis: Axes) -> None:
    density = cases.window(field)[0]
    axis.imshow(density.T, origin="lower", extent=(0, 1, 0, 1), cmap="viridis", interpolation="bilinear")
    centres = (np.arange(len(density)) + 0.5) / len(density)
    # Levels away from the four constant states, whose last digits would draw maps of nothing.
    states = np.array([s[0] for s in cases.CONFIGURATIONS[number].states])
    levels = np.linspace(density.min(), density.max(), 24)[1:-1]
    levels = levels[np.abs(levels[:, None] - states).min(1) > 0.02 * np.ptp(density)]
    axis.contour(centres, centres, density.T, levels, colors="black", linewidths=0.35)
    axis.set_title(f"configuration {number}, t = {cases.CONFIGURATIONS[number].time:g}", fontsize=9)
    axis.set_xticks([0, 0.5, 1])
    axis.set_yticks([0, 0.5, 1])


def _edge(number: int, field: NDArray[np.float64], axis: Axes) -> None:
    n, time = field.shape[-1], cases.CONFIGURATIONS[number].time
    cells = n // cases.BOX
    row = round((cases.BOX / 2 + _DISTANCE) * cells)
    s = (np.arange(n) + 0.5) / cells - cases.BOX / 2
    fine = np.linspace(-0.7, 0.7, 2000)
    before, after = cases.side_states(number, "top")
    axis.plot(fine, riemann_exact(before, after, fine / time)[0], color="#222222", lw=1.0, label="exact")
    near = np.abs(s) < 0.7
    axis.plot(s[near], field[0, near, row], STYLES[0][1], color=STYLES[0][0], ms=2.2, mfc="none", mew=0.7, label="found")
    axis.set_xlabel("x along the upper edge", fontsize=8)
    tidy(axis)


def _render(numbers: Numbers) -> str:
    rows = [
        [f"{number}, {side}", {"S": "shock", "J": "contact"}[cases.CONFIGURATIONS[int(number)].waves[i]], *(power(e) for e in errors)]
        for number, sides in numbers["errors"].items()
        for i, (side, errors) in enumerate(sides.items())
    ]
    return "\n\n".join(
        [
            "Four constant states meet at the centre, so chosen that neighbours are joined by one wave (Schulz-Rinne 1993; Lax and "
            "Liu 1998; "
            "Kurganov and Tadmor 2002). The published square is the middle of a periodic box "
            f"{numbers['box']} times as wide. Above: density with contours in the published window. Below: density along a line "
            f"{numbers['distance']} above the centre, where the flow is still one-dimensional, on the exact solution. "
            f"Reconstruction weno3.",
            picture("riemann", "Density of four two-dimensional Riemann problems, and the wave along the upper edge on its exact solution"),
            "Mean error of density along each edge, by cells per unit length:",
            table(["configuration, edge", "wave", *(f"{n} cells" for n in numbers["sizes"])], rows, 2),
        ]
    )


SECTION = Section("riemann", "Riemann problems in the plane", _compute, _render)

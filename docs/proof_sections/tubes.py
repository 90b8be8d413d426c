"""Shock tubes against the exact solution of the Riemann problem."""

import matplotlib.pyplot as plt
from proofs import orders

from ._section import STYLES, Numbers, Run, Section, convergence, gas_solvers, picture, power, table, tidy

_WORDS = {
    "Sod": "a shock, a contact, a rarefaction",
    "Lax": "a strong contact, which spreads as the power -2/3 under a scheme of second order",
    "123": "two rarefactions that leave near-vacuum, where the initial jump leaves heated cells",
}


def _compute(run: Run) -> Numbers:
    sizes = run.pick([100, 200, 400], [40, 80])
    errors = {c: {name: [orders.tube_error(s, c, n) for n in sizes] for name, s in gas_solvers().items()} for c in orders.TUBES}
    numbers = {"sizes": sizes, "errors": errors, "cells": run.pick(200, 80)}
    _profiles(run, numbers)
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.1))
    for axis, (case, series) in zip(axes, errors.items(), strict=True):
        convergence(axis, sizes, series, [1])
        axis.set_title(case, fontsize=10)
        axis.set_xlabel("cells")
    axes[0].set_ylabel("mean error of density")
    axes[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    run.save(figure, "tube-orders", 64)
    return numbers


def _profiles(run: Run, numbers: Numbers) -> None:
    solvers = gas_solvers()
    chosen = ["mc", "weno5"]
    figure, axes = plt.subplots(3, len(orders.TUBES), figsize=(10.5, 7.4), sharex=True)
    for column, case in zip(axes.T, orders.TUBES, strict=True):
        exact = orders.tube(solvers[chosen[0]], case, 1600)
        for axis, row, word in zip(column, range(3), ("density", "velocity", "pressure"), strict=True):
            axis.plot(exact["x"], exact["exact"][row], color="#222222", lw=1.0, label="exact")
            for name, (colour, marker, _) in zip(chosen, STYLES, strict=False):
                found = orders.tube(solvers[name], case, numbers["cells"])
                axis.plot(found["x"], found["found"][row], marker, color=colour, ms=2.6, mfc="none", mew=0.8, label=name)
            axis.set_ylabel(word if column is axes[:, 0] or case == "Sod" else "")
            tidy(axis)
        column[0].set_title(f"{case}, t = {orders.TUBES[case][2]:g}", fontsize=10)
        column[2].set_xlabel("x")
    axes[0, 0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    run.save(figure, "tubes", 64)


def _render(numbers: Numbers) -> str:
    rows = [
        [f"{case}, {name}", *(power(e) for e in errors), f"{orders.order(numbers['sizes'], errors):.2f}"]
        for case, series in numbers["errors"].items()
        for name, errors in series.items()
    ]
    listed = "\n".join(f"* **{case}**: {words}." for case, words in _WORDS.items())
    return "\n\n".join(
        [
            f"The two-dimensional solver on a tube, {numbers['cells']} cells along its whole length, of which the half with the waves is "
            "shown. At a shock first order is the most that can be had.",
            listed,
            picture("tubes", "Density, velocity and pressure of three shock tubes on the exact solution"),
            picture("tube-orders", "Error over the number of cells for three shock tubes"),
            "Mean error of density against cell averages of the exact solution:",
            table(["tube, reconstruction", *(f"{n} cells" for n in numbers["sizes"]), "order"], rows),
        ]
    )


SECTION = Section("tubes", "Shock tubes", _compute, _render)

"""Budgets of energy and enstrophy of the plane Navier-Stokes equations."""

import matplotlib.pyplot as plt
from proofs.orders import order
from test_budgets import LAWS, _flow, budget

from ._section import Numbers, Run, Section, convergence, picture, power, table

_WORDS = {"unforced": "decaying", "driven": "driven by a Kolmogorov force"}


def _compute(run: Run) -> Numbers:
    parts = run.pick([2, 4, 8, 16], [2, 4])
    found = {name: [budget(make(0.1), _flow(run.pick(32, 16)), 0.2, count) for count in parts] for name, make in LAWS.items()}
    figure, axis = plt.subplots(figsize=(5.2, 3.4))
    series = {
        f"{what}, {_WORDS[name]}": [abs(row[f"{what}_residual"]) for row in rows]
        for name, rows in found.items()
        for what in ("energy", "enstrophy")
    }
    convergence(axis, parts, series, [4])
    axis.set(xlabel="pairs of sub-intervals of the quadrature", ylabel="residual over loss")
    axis.legend(frameon=False, fontsize=8)
    figure.tight_layout()
    run.save(figure, "budgets", 64)
    return {"parts": parts, "budgets": found}


def _render(numbers: Numbers) -> str:
    parts, rows = numbers["parts"], []
    for name, found in numbers["budgets"].items():
        for what in ("energy", "enstrophy"):
            residuals = [abs(row[f"{what}_residual"]) for row in found]
            last = found[-1]
            terms = [f"{last[f'{what}_{term}']:.5g}" for term in ("gain", "loss", "work")]
            rows.append([f"{what}, {_WORDS.get(name, name)}", *terms, power(residuals[-1]), f"{order(parts, residuals):.2f}"])
    return "\n\n".join(
        [
            "With ordinary viscosity, energy changes by the work of the force less twice the viscosity times the enstrophy, and "
            "enstrophy in "
            "the same way with the palinstrophy. Loss and work are integrated over time from snapshots by Simpson's rule, of fourth order; "
            "what does not balance falls at that order until the solver's own error in time shows.",
            table(["budget", "gain", "loss", "work", "residual over loss", "order"], rows),
            picture("budgets", "What does not balance over the number of snapshots"),
        ]
    )


SECTION = Section("budgets", "Budgets of energy and enstrophy", _compute, _render)

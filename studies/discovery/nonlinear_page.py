# ruff: noqa: E501 - prose templates
"""The part of the page on generators that are no matrices, and why the library has none."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from harness import table
from nonlinear import DEGREES, TRUTH

from orbitscope.discover import HOLDS


def section(results: Path) -> str:
    """Tables of maps and equations, and the decision; nothing where nothing was measured."""
    file = results / "nonlinear.json"
    if not file.exists():
        return ""
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    maps = [[r["map"], str(r["linear"]), *(str(r[f"held_{d}"]) for d in DEGREES)] for r in kept["maps"]]
    extra = sum(r[f"held_{DEGREES[-1]}"] > 0 for r in kept["maps"] if r["linear"] == 0 and not r["map"].startswith("circle in"))
    none = sum(r["linear"] == 0 and not r["map"].startswith("circle in") for r in kept["maps"])
    rows = [_equation(name, [r for r in kept["equations"] if r["equation"] == name]) for name in TRUTH]
    return f"""## Generators that are no matrices: a prototype, and why it stays one

A hypothesis group consists of matrices. A boost that mixes space, time and velocity, or a turn in curved coordinates, is a vector field $X(x) = \\sum_k a_k \\varphi_k(x)$ with polynomials $\\varphi_k$; `studies/discovery/nonlinear.py` asks the same eigenproblem of its coefficients.

**On maps the question is empty.** Every smooth f of several numbers has fields along its level sets, and with X holds h(x) X for every function h. The larger the library, the more hold, whatever the map; exact derivatives, no predictor:

{table(["map", "linear symmetries there are", *(f"fields that hold, degree {d}" for d in DEGREES)], maps)}

The circle in curved coordinates is found. But so are multiples of what is known already, and in {extra} of {none} maps without a continuous linear symmetry a field of degree {DEGREES[-1]} holds. How many hold is a property of the library as much as of the map.

**On equations it is not empty**, as one field has to fit all derivatives of u at once. Data of periodic solutions, two networks for $u_t$ of $(u, u_x, u_{{xx}})$, fields of degree 2 on (x, t, u); shifts of x and t hold by what is asked.

{table(["equation", "seeds", "network's error", "known (degree 2)", "hold, degree 1", "hold, degree 2", "angle of the first to the known span, degrees", "breaking of the last known", "and of the next"], rows)}

Median, with the least and largest over seeds in brackets; a field holds at a breaking of at most {HOLDS:g}, the library's limit for matrices. What two predictors agree on may be below 0 by their noise.

**Decision.** Not in the library. {_decision(kept)} A discovery here is a group that audit, training and probe take: its elements act on states. The fields above act on the graph of a solution, over x and t together; on one state on a fixed grid they have no action, and no layer takes them. What they would give is a reading of an equation. Boosts and dilations of flows, which are affine, are searched already, with matrices (above). {kept["machine"]}."""


def _equation(name: str, rows: list[dict[str, Any]]) -> list[str]:
    known = len(TRUTH[name])
    if not rows:
        return [name, "0", "–", str(known), *["–"] * 5]
    order = ["–", "–"] if "control" in name else [
        _spread([r["angle"] for r in rows]), _spread([r["breaking_2"][known - 1] for r in rows]),
    ]  # fmt: skip
    return [
        name, str(len(rows)), _spread([max(r["error"]) for r in rows]), str(known), _spread([r["held_1"] for r in rows]),
        _spread([r["held_2"] for r in rows]), *order, _spread([max(r["breaking_2"][known], 0.0) for r in rows]),
    ]  # fmt: skip


def _decision(kept: dict[str, Any]) -> str:
    """In how many runs the number of fields and their span are right."""
    rows = kept["equations"]
    if not rows:
        return ""
    right = sum(r["held_2"] == r["known"] for r in rows)
    control = [r for r in rows if "control" in r["equation"]]
    false = sum(r["held_2"] > r["known"] for r in control)
    near = max(r["angle"] for r in rows if "control" not in r["equation"])
    return f"With the limit that is right for matrices the number of fields is right in {right} of {len(rows)} runs, and the known span is met within {near:.1f} degrees in the worst where there is more than shifts. On the control, an equation that shifts alone leave as it is, more holds in {false} of {len(control)} runs: where the library is large, some field always comes near. A count would need a null for each library, and predictors much better than these."


def _spread(values: list[float]) -> str:
    known = np.array(values, dtype=float)

    def one(v: float) -> str:
        return f"{v:.0f}" if v == round(v) and v else "0" if abs(v) < 1e-9 else f"{v:.2g}"

    low, high = one(known.min()), one(known.max())
    return one(float(np.median(known))) + ("" if low == high else f" ({low} to {high})")

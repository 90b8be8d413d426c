"""Boosts and scaling on the continuum rate; conserved totals."""

import torch
from proofs import laws, orders
from proofs.commutation import cases, states

from ._section import Numbers, Run, Section, power, table


def _continuum(run: Run) -> Numbers:
    sizes = run.pick([32, 64, 128], [16, 32])
    return {
        "sizes": sizes,
        "euler boost": [laws.euler_boost_error(n) for n in sizes],
        "euler scaling": laws.euler_scaling_errors(),
        "flow": {name: laws.navier_stokes_errors(v) for name, v in (("spectral", None), ("plain, 0.01", 0.01), ("none", 0.0))},
    }


def _render_continuum(numbers: Numbers) -> str:
    boost, sizes = numbers["euler boost"], numbers["sizes"]
    rows = [
        ["Navier-Stokes, viscosity " + name, *(power(row[k]) for k in ("boost", "speed", "size"))] for name, row in numbers["flow"].items()
    ]
    scaling = numbers["euler scaling"]
    return "\n\n".join(
        [
            "Galilean boosts and scaling move x and t as well as values, so they are tested on the rate of change that a scheme "
            "assigns to a "
            "state, against the transformed rate. Largest relative error, float64; in the table's second column the speed is scaled "
            "together "
            "with the viscosity, in the third the size.",
            table(["rate of", "boost", "speed", "size"], rows),
            "Spectral viscosity belongs to the grid: it boosts, but it does not scale, and the table says so. Euler: scaling of speed "
            f"{power(scaling['speed'])}, of density {power(scaling['density'])}. A boost of the Euler scheme holds up to its error, which "
            f"falls at order {orders.order(sizes, boost):.2f}: "
            + ", ".join(f"{power(e)} at {n}²" for n, e in zip(sizes, boost, strict=True))
            + " (mean relative error, a vortex).",
        ]
    )


#: Fields whose mean a law keeps, by equation (None: all); an equation that is not here promises none.
_KEPT: dict[str, tuple[str, ...] | None] = {
    "euler": None,
    "navier-stokes": None,
    "navier-stokes-3d": None,
    "navier-stokes-tracer": None,
    "heat": None,
    "shallow-water": ("height",),
}


def _conservation(run: Run) -> Numbers:
    found: Numbers = {}
    for name in cases():
        law = states(name, 1, n=8)[0]
        if law.name not in _KEPT:
            continue
        kinds: Numbers = {}
        ndim = law.layout.ndim
        n = run.pick(64, 16) if ndim == 2 else run.pick(16, 8)
        for dtype in (torch.float64, torch.float32):
            solver, x = states(name, run.pick(3, 1), dtype, n, seed=0)
            drift = laws.drift(solver, x, run.pick(1.0, 0.1), run.pick(20, 2))
            kept = _KEPT[law.name] or tuple(drift)
            kinds[str(dtype).removeprefix("torch.")] = {field: drift[field] for field in kept}
        found[name] = kinds | {"points": n, "ndim": ndim}
    return {"scenarios": found, "time": run.pick(1.0, 0.1)}


def _render_conservation(numbers: Numbers) -> str:
    rows = []
    for name, case in numbers["scenarios"].items():
        words = ", ".join(f"{field} {power(value)}" for field, value in case["float64"].items())
        rows.append([name, f"{case['points']}{'²' if case['ndim'] == 2 else '³'}", words, power(max(case["float32"].values()))])
    return "\n\n".join(
        [
            f"Change of the mean of every conserved field from t = 0 to {numbers['time']:g} in twenty calls, relative to the root mean "
            "square of the field at the start; the largest of three trajectories. Momentum of an incompressible flow is its mean velocity.",
            table(["case", "grid", "float64", "float32, worst field"], rows, 3),
        ]
    )


CONTINUUM = Section("continuum", "Galilean boosts and scaling", _continuum, _render_continuum)
CONSERVATION = Section("conservation", "Conservation", _conservation, _render_conservation)

"""Orders of accuracy against exact solutions that are smooth."""

import matplotlib.pyplot as plt
from proofs import orders

from ._section import Numbers, Run, Section, convergence, gas_solvers, picture, power, table

_WIND = (0.7, -0.3)


def _compute(run: Run) -> Numbers:
    sizes = run.pick([32, 64, 128, 256], [16, 32, 64])
    vortex = {name: [orders.vortex_error(solver, n) for n in sizes] for name, solver in gas_solvers().items()}
    steps = [0.8, 0.4, 0.2, 0.1]
    flow = {"in a wind": [orders.taylor_green_error(c, _WIND) for c in steps], "at rest": [orders.taylor_green_error(0.8, (0.0, 0.0))]}
    points = [8, 12, 16, 20, 24, 32]
    numbers = {
        "sizes": sizes,
        "vortex": vortex,
        "cfl": steps,
        "flow": flow,
        "points": points,
        "heat": [orders.heat_error(n) for n in points],
    }
    _draw(run, numbers)
    return numbers


def _draw(run: Run, numbers: Numbers) -> None:
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.5, 3.4))
    convergence(left, numbers["sizes"], numbers["vortex"], [2])
    left.set(title="isentropic vortex, Euler", xlabel="cells per axis", ylabel="mean error of density")
    left.legend(frameon=False, fontsize=8)
    convergence(middle, [1 / c for c in numbers["cfl"]], {"Taylor-Green in a wind": numbers["flow"]["in a wind"]}, [4])
    middle.set_xticks([1 / c for c in numbers["cfl"]], [f"{c:g}" for c in numbers["cfl"]])
    middle.set(title="Taylor-Green, Navier-Stokes", xlabel="cfl (smaller steps to the right)", ylabel="largest error of velocity")
    convergence(right, numbers["points"], {"spreading Gaussian": numbers["heat"]}, [])
    right.set(title="spreading Gaussian, heat", xlabel="points per axis", ylabel="largest error")
    for axis in (left, middle, right):
        axis.title.set_fontsize(10)
    figure.tight_layout()
    run.save(figure, "orders", 64)


def _render(numbers: Numbers) -> str:
    sizes, vortex = numbers["sizes"], numbers["vortex"]
    rows = [[name, *(power(e) for e in errors), f"{orders.order(sizes, errors):.2f}"] for name, errors in vortex.items()]
    flow = numbers["flow"]["in a wind"]
    return "\n\n".join(
        [
            "Solutions that are smooth and known: an isentropic vortex in a wind (Euler), the Taylor-Green vortex in a wind "
            "(Navier-Stokes, "
            "where the error is that of the time steps) and a Gaussian that spreads (heat, exact on Fourier modes, so that the "
            "error is what "
            "the grid does not resolve and falls faster than any power). Float64.",
            picture(
                "orders", "Errors over resolution for the vortex, over the time step for Taylor-Green, over points for the heat equation"
            ),
            "Mean error of density of the vortex after 0.2 units of time, by reconstruction:",
            table(["reconstruction", *(f"{n}²" for n in sizes), "order"], rows),
            f"Taylor-Green: fitted order in time {orders.order([1 / c for c in numbers['cfl']], flow):.2f}; at rest, where the decay is "
            f"integrated exactly, the largest error is {power(numbers['flow']['at rest'][0])}.",
        ]
    )


SECTION = Section("accuracy", "Orders of accuracy", _compute, _render)

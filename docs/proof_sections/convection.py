"""Onset of convection and its heat transport."""

import matplotlib.pyplot as plt
from proofs import convection

from ._section import Numbers, Run, Section, convergence, picture, power, table


def _compute(run: Run) -> Numbers:
    onset = convection.onset(run.pick((12, 16, 24, 32), (8, 12)))
    errors = {
        "onset": onset["error"],
        "diffusion, exact solution": convection.diffusion_errors(run.pick((8, 16, 32), (8, 16))),
        "convection, against twice the grid": convection.self_convergence(run.pick((16, 32, 64), (8, 16))),
    }
    transport = run.pick([(1e7, 96, 100.0, 200.0)], [(1e4, 8, 2.0, 1.0)])
    rows = [convection.nusselt(*options) | {"rayleigh": options[0], "resolution": options[1], "time": options[3]} for options in transport]
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.2))
    for axis, (name, values) in zip(axes, errors.items(), strict=True):
        convergence(axis, list(values), {name: list(values.values())}, [2])
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("cells per height")
    axes[0].set_ylabel("error")
    figure.tight_layout()
    run.save(figure, "convection", 64)
    plain = {name: {str(n): e for n, e in values.items()} for name, values in errors.items()}
    return {"theory": onset["theory"], "found": {str(n): r for n, r in onset["found"].items()}, "errors": plain, "nusselt": rows}


def _render(numbers: Numbers) -> str:
    found, errors = numbers["found"], numbers["errors"]
    onset = [[f"{n} cells", f"{value:.2f}", f"{100 * errors['onset'][n]:.2f} %"] for n, value in found.items()]
    orders = ", ".join(f"{name} {convection.order_of({float(n): e for n, e in values.items()}):.2f}" for name, values in errors.items())
    heat = []
    for row in numbers["nusselt"]:
        for name, value in row["found"].items():
            heat.append([f"Ra = {power(row['rayleigh'], 0)}, {name.replace('_', ' ')}", f"{value:.2f}", f"{row['published']:.2f}"])
    words = "; ".join(
        f"{row['resolution']} cells per height, {row['time']:g} free-fall times, standard error {row['standard_error']:.2f}, "
        f"{row['cells_in_layer']:.1f} cells in the thermal layer"
        for row in numbers["nusselt"]
    )
    return "\n\n".join(
        [
            f"Linear theory lets convection between two plates that do not slip begin at Ra = {numbers['theory']:.2f} "
            f"(Chandrasekhar 1961). "
            "The solver's own threshold is where the growth rate of one pair of weak rolls of the critical width changes its sign:",
            table(["grid", "onset at Ra", "off by"], onset),
            picture("convection", "Errors of the onset, of diffusion between the plates and of convection over the resolution"),
            f"Fitted orders: {orders}.",
            "Heat transport in the statistically steady state, Pr = 1, aspect ratio 2, by every definition of the Nusselt number "
            "that has to "
            f"agree with the others, against the fit Nu = {convection.PREFACTOR} Ra^{convection.EXPONENT} published for this case "
            f"(Johnston and "
            f"Doering, Phys. Rev. Lett. 102 (2009) 064501); {words}:",
            table(["Nusselt number", "found", "published fit"], heat),
        ]
    )


SECTION = Section("convection", "Convection: onset and heat transport", _compute, _render)

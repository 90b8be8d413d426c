"""Statistics of every random law of initial states."""

import matplotlib.pyplot as plt
import numpy as np
from proofs import randomness

from ._section import STYLES, Numbers, Run, Section, picture, table, tidy


def _compute(run: Run) -> Numbers:
    count = run.pick(400, 20)
    found = {name: [s._asdict() | {"deviation": s.deviation} for s in rows] for name, rows in randomness.all_statistics(count).items()}
    _spectra(run, run.pick(200, 10))
    return {"count": count, "laws": found, "largest": max(abs(s["deviation"]) for rows in found.values() for s in rows)}


def _spectra(run: Run, count: int) -> None:
    n = 64
    figure, axis = plt.subplots(figsize=(6.4, 4.0))
    for (name, (law, parameters)), (colour, marker, _) in zip(randomness.FLOWS.items(), STYLES, strict=False):
        k, measured = randomness.spectrum(name, n, count, **parameters)
        axis.plot(k, np.where(randomness.shells(law(n))[1] > 0, randomness.shells(law(n))[1], np.nan), color=colour, lw=1.1)
        # CE-Gauss has the spectrum of NS-Gauss: smaller markers, or they would hide each other.
        small = name == "CE-Gauss"
        axis.plot(k, measured, marker, color=colour, ms=2.5 if small else 5, mfc=colour if small else "none", mew=0.9, label=name)
    axis.set(xscale="log", yscale="log", ylim=(3e-5, 3e2), xlabel="wave number", ylabel="enstrophy in the shell")
    axis.legend(frameon=False, fontsize=8, title="points: measured, lines: law", title_fontsize=8, ncols=2)
    tidy(axis)
    figure.tight_layout()
    run.save(figure, "spectra", 64)


def _render(numbers: Numbers) -> str:
    rows = [
        [name if i == 0 else "", s["quantity"], f"{s['measured']:.4g} ± {s['error']:.2g}", f"{s['expected']:.4g}", f"{s['deviation']:+.1f}"]
        for name, group in numbers["laws"].items()
        for i, s in enumerate(group)
    ]
    many = sum(len(g) for g in numbers["laws"].values())
    return "\n\n".join(
        [
            f"Moments over {numbers['count']} trajectories of each law against their values in closed form (of CE-KH and NS-SVS: "
            f"against many draws "
            "of the law's own coefficients). The last column is the difference in standard errors; of "
            f"{many} such numbers the largest is {numbers['largest']:.1f}. NS-BB is measured before its spin-up.",
            table(["law", "moment", "measured", "law says", "deviation"], rows, 2),
            picture("spectra", "Measured enstrophy spectra on the spectra of the laws"),
        ]
    )


SECTION = Section("randomness", "Random initial states", _compute, _render)

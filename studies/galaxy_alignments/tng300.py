"""A measured omega that is no mock of this package: fitted with its occupation held, as the publication does."""

import time

import numpy as np
from harness import Folder
from mocks import Rows

from orbitscope.systems.galaxies import HaloConfig, fit_strengths, make_halos, mock_statistics, populate, tng300_omega

BOX, GRID, LIGHTEST = 75.0, 64, 5e10  # the sample's halos are lighter than those of the training set
MOCKS = 8


def tng300(place: Folder, model: str, seed: int) -> Rows:
    """Strengths from the measured omega: by the mean of mocks, and the fit to a mock's own omega in the same likelihood beside it."""
    began, data = time.process_time(), tng300_omega()
    tiny = place.settings.name == "tiny"
    box, lightest = (64.0, 2e11) if tiny else (BOX, LIGHTEST)
    halos = make_halos(0, HaloConfig(box=box, grid=32 if tiny else GRID, lightest=lightest))
    bins = data.edges[data.edges <= box / 2]  # 14 bins, but those that are too wide for the box
    count, many = len(bins) - 1, 2 if tiny else MOCKS
    rows, fits = [], []
    held = np.mean([mock_statistics(populate(halos, data.theta(), 1, index=k), bins)[1] for k in range(many)], 0)
    theta = data.theta(*data.strengths)
    mocks = np.array([mock_statistics(populate(halos, theta, 2, index=k), bins)[0][1] for k in range(many)])
    noisy = data.variance[:count] + mocks.var(0, ddof=1)  # a mock of this box has noise of its own
    for what, omega, variance in (("TNG300", data.omega[:count], data.variance[:count]), ("a mock", mocks[0], noisy)):
        found = fit_strengths(omega, variance, held)
        fits += [
            {
                "data": what, "parameter": name, "mean": found.mean[k], "deviation": found.deviation[k], "best": found.best[k],
                "published": data.strengths[k], "chi2": found.chi2, "bins": found.bins, "box": box, "lightest": lightest, "mocks": many,
                "seconds": time.process_time() - began,
            }
            for k, name in enumerate(("mu_cen", "mu_sat"))
        ]  # fmt: skip
        rows += [
            {"data": what, "radius": float(np.sqrt(low * high)), "omega": float(y), "fit": float(f), "noise": float(v) ** 0.5}
            for low, high, y, f, v in zip(bins[:-1], bins[1:], omega, found.predicted, variance, strict=True)
        ]
    return {"tng300": fits, "tng300_omega": rows}

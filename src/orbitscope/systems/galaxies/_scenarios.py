"""Training sets: parameter points with several realisations each, and catalogues with their statistics."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..._errors import OrbitscopeError
from ..._seed import derive
from ...data import Examples
from ._catalogue import Halos, Real
from ._counts import edges
from ._design import Design
from ._given_places import PARTS, mock_statistics
from ._halos import HaloConfig, Progress, make_halos
from ._mocks import OCCUPATIONS, SATELLITES, Population, mock_stream, populate
from ._moves import StatisticsLaw
from ._occupation import mass_classes
from ._readers import is_halotools, read_halos
from ._region import PARAMETERS
from ._statistics import filled, present
from ._targets import STATISTICS

_HALOS = ("box", "grid", "redshift", "lightest", "cosmology", "alignment")
HOD: dict[str, Any] = {
    "realisations": 10, "halo_seed": 0, **{name: getattr(HaloConfig(), name) for name in _HALOS}, "low": 11.0, "high": 15.0,
    "fewest": 500.0, "occupation": "published", "satellites": "nfw", "catalogue": "", "units": "", "h": 0.0, "zero_axes": "error",
}  # fmt: skip
"""Parameters of galaxies.hod: realisations of each point; of the halos; range of logMmin and fewest galaxies expected; convention of
occupation; profile of satellites; a catalogue of somebody's own with the units it is in (see `read_halos`)."""
CATALOGUE: dict[str, Any] = {
    "galaxies": 1500, "box": 60.0, "grid": 24, "lightest": 2e11, "alignment": 0.6, "mu_cen": 0.8, "mu_sat": 0.5, "logMmin": 12.0,
    "sigma_logM": 0.3, "logM0": 11.6, "logM1": 12.9, "alpha": 1.0,
}  # fmt: skip
"""Parameters of galaxies.catalogue: galaxies that are kept of each mock, drawn at random; of the halos, new for each; the seven numbers."""


def halos_of(given: Mapping[str, Any], progress: Progress | None = None) -> Halos:
    """The halos that the parameters of a scenario ask for: made from a seed, or read.

    * `given`: see `HOD`. `progress`: called with (stage, done, total), or None.
    """
    if str(given.get("catalogue", "")):
        path, hubble = Path(str(given["catalogue"])), float(given["h"])
        side = None if is_halotools(path) else float(given["box"])
        units, zero_axes, cosmology = (str(given[name]) for name in ("units", "zero_axes", "cosmology"))
        return read_halos(path, units=units, box=side, h=hubble or None, zero_axes=zero_axes, cosmology=cosmology)
    known = {f.name for f in fields(HaloConfig)}
    return make_halos(int(given["halo_seed"]), HaloConfig(**{k: v for k, v in given.items() if k in known}), progress=progress)


def check(given: Mapping[str, Any]) -> Design:
    """The design that the parameters describe; raises `OrbitscopeError` for what makes no sense, before anything is computed.

    * `given`: see `HOD`.
    """
    for name, known in (("occupation", OCCUPATIONS), ("satellites", SATELLITES)):
        if given[name] not in known:
            raise OrbitscopeError(f"{name}: should be one of {', '.join(known)}, got {given[name]!r}.")
    if int(given["realisations"]) < 1:
        raise OrbitscopeError(f"realisations: should be at least 1, got {given['realisations']}.")
    return Design(float(given["low"]), float(given["high"]), float(given["fewest"]))


def point_rows(halos: Halos, design: Design, seed: int, index: int, given: Mapping[str, Any]) -> tuple[Real, Real, list[int], Counter[str]]:
    """One parameter point: its numbers [7], statistics of its realisations and their parts with places held [R, 3 + 5, B] (see
    `mock_statistics`), galaxies in each, and what was refused before it.

    * `halos`, `design`: of the set. `seed`: of the set. `index`: number of the point. `given`: see `HOD`.
    """
    occupation, satellites, many = str(given["occupation"]), str(given["satellites"]), int(given["realisations"])
    theta, refused = design.point(seed, index, halos, occupation)
    people = Population(halos, theta, occupation, satellites)
    rows, sizes = [], []
    for r in range(many):
        mock = people.draw(mock_stream(seed, index * many + r))
        statistics, held = mock_statistics(mock)
        rows.append(np.concatenate([filled(statistics), np.nan_to_num(held)]))
        sizes.append(len(mock))
    return theta, np.array(rows), sizes, refused


def hod_examples(points: list[tuple[Real, Real, list[int], Counter[str]]], first: int, about: Mapping[str, Any]) -> Examples:
    """Examples from parameter points, one row for each realisation; y is xi, omega, eta [N, 3, B], 0 where there is no pair, which of
    them there are, and the parts of omega and eta with places held [N, 5, B].

    * `points`: of `point_rows`. `first`: number of the first. `about`: what the file should say beside.
    """
    many = len(points[0][1])
    x = np.repeat([p[0] for p in points], many, axis=0)
    y, held = np.split(np.concatenate([p[1] for p in points]), [len(STATISTICS)], axis=1)
    refused = sum((p[3] for p in points), Counter())
    said = {**about, "galaxies": [n for p in points for n in p[2]], "rejected": dict(refused)}
    unit = np.repeat(np.arange(first, first + len(points)), many)
    return Examples(
        torch.from_numpy(x),
        tuple(torch.from_numpy(np.ascontiguousarray(p)) for p in (y, present(y), held)),
        unit,
        np.tile(np.arange(many), len(points)),
        "galaxies.hod",
        said,
    )


def hod_about(halos: Halos, design: Design, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a training file says of itself beside its parameters.

    * `halos`, `design`: of the set. `given`: see `HOD`.
    """
    return {
        "edges": edges().tolist(), "box": halos.box, "halos": len(halos), "halo_seed": int(given["halo_seed"]),
        "occupation": given["occupation"], "design": design.describe(), "statistics": list(STATISTICS),
        "parts": list(PARTS), "masses": mass_classes(halos),
    }  # fmt: skip


def simulated(count: int, seed: int, progress: Progress | None, **given: Any) -> Examples:
    """`count` parameter points with several realisations each.

    * `count`: points. `seed`: of points and mocks. `progress`: called with (stage, done, total), or None. `given`: see `HOD`.
    """
    design = check(given)
    halos = halos_of(given, progress)
    found = []
    for index in range(count):
        found.append(point_rows(halos, design, seed, index, given))
        if progress is not None:
            progress("galaxies.hod", index + 1, count)
    return hod_examples(found, 0, hod_about(halos, design, given))


def catalogues(count: int, seed: int, progress: Progress | None, **given: Any) -> Examples:
    """Catalogues with their statistics: places and long axes to xi, omega and eta; each from halos of its own.

    * `count`: catalogues. `seed`: of halos and mocks. `progress`: called with (stage, done, total), or None. `given`: see `CATALOGUE`.
    """
    config = HaloConfig(**{k: given[k] for k in ("box", "grid", "lightest", "alignment")})
    theta, wanted = [float(given[name]) for name in PARAMETERS], int(given["galaxies"])
    places, axes = [], []
    for index in range(count):
        mock = populate(make_halos(derive(seed, "galaxies catalogue", index), config), theta, seed, index=index)
        if len(mock) < wanted:
            raise OrbitscopeError(
                f"galaxies.catalogue: mock {index} has {len(mock)} galaxies, fewer than the {wanted} that are wanted. Take "
                "fewer `galaxies`, a larger `box`, or a smaller `logMmin`."
            )
        order = np.random.default_rng(derive(seed, "galaxies thinned", index)).permutation(len(mock))[:wanted]
        places.append(mock.positions[order])
        axes.append(mock.axes[order])
        if progress is not None:
            progress("galaxies.catalogue", index + 1, count)
    x = torch.from_numpy(np.array(places)), torch.from_numpy(np.array(axes))
    about = {"edges": edges().tolist(), "box": config.box, "statistics": list(STATISTICS)}
    return Examples(x, StatisticsLaw(config.box)(*x), name="galaxies.catalogue", about=about)

"""Galaxies in halos: occupation, places, and long axes, for seven numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, lambertw

from ..._errors import OrbitscopeError
from ..._seed import derive
from ._catalogue import Halos, Real
from ._region import PARAMETERS
from ._watson import axes_about

OCCUPATIONS = ("published", "product")
SATELLITES = ("nfw", "prolate")


@dataclass(frozen=True, eq=False)
class Galaxies:
    """Galaxies in a periodic cube.

    * `positions`: [G, 3], Mpc/h. `axes`: unit long axes, [G, 3]. `host`: number of the halo of each, [G].
    * `central`: which are centrals, [G]. `box`: side of the cube, Mpc/h.
    """

    positions: Real
    axes: Real
    host: NDArray[np.int64]
    central: NDArray[np.bool_]
    box: float

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        return f"Galaxies({int(self.central.sum()):,} centrals, {int((~self.central).sum()):,} satellites in {self.box:.4g} Mpc/h)"


def parameters(given: Mapping[str, float] | Sequence[float] | NDArray[Any]) -> Real:
    """The seven numbers in the order of `PARAMETERS`, checked, [7].

    * `given`: by name, or in order. Logarithms are of solar masses / h.

    Raises `OrbitscopeError` for missing and unknown names, numbers that are not finite, sigma_logM <= 0, alpha <= 0, and alignments beyond
    -1 to 1.
    """
    if isinstance(given, Mapping):
        if set(given) != set(PARAMETERS):
            raise OrbitscopeError(f"parameters: needs {', '.join(PARAMETERS)}; got {', '.join(map(str, given)) or 'none'}.")
        given = [float(given[name]) for name in PARAMETERS]
    theta = np.asarray(given, dtype=np.float64)
    if theta.shape != (len(PARAMETERS),):
        raise OrbitscopeError(f"parameters: needs the 7 numbers {', '.join(PARAMETERS)}, got shape {list(theta.shape)}.")
    if fault := invalid(theta):
        raise OrbitscopeError(f"parameters: {fault}; got {', '.join(f'{n} {v:.4g}' for n, v in zip(PARAMETERS, theta, strict=True))}.")
    return theta


def invalid(theta: Real) -> str:
    """What is wrong with seven numbers, in words; nothing where no rule is broken.

    * `theta`: in the order of `PARAMETERS`, [7].
    """
    if not np.isfinite(theta).all():
        return "numbers should be finite"
    if np.abs(theta[:2]).max() > 1:
        return "mu_cen and mu_sat should be from -1 to 1"
    if theta[3] <= 0:
        return "sigma_logM should be above 0"
    return "" if theta[6] > 0 else "alpha should be above 0"


def mean_occupation(mass: Real, theta: Real, occupation: str = "published") -> tuple[Real, Real]:
    r"""Mean numbers of centrals and of satellites in halos (Zheng et al. 2007), [H] each:

    $$\langle N_c \rangle = \tfrac12 \left[ 1 + \mathrm{erf} \frac{\log M - \log M_{min}}{\sigma} \right], \quad
    \langle N_s \rangle = \left( \frac{M - M_0}{M_1} \right)^\alpha.$$

    * `mass`: of the halos, [H], solar masses / h. `theta`: see `PARAMETERS`, [7].
    * `occupation`: "published" as above; "product": satellites times the mean number of centrals.
    """
    if occupation not in OCCUPATIONS:
        raise OrbitscopeError(f"occupation: should be one of {', '.join(OCCUPATIONS)}, got {occupation!r}.")
    _, _, least, sigma, floor, unit, alpha = theta
    central = 0.5 * (1 + erf((np.log10(mass) - least) / sigma))
    above = np.maximum(mass - 10**floor, 0.0)
    satellites = (above / 10**unit) ** alpha
    return central, satellites * central if occupation == "product" else satellites


def expected_galaxies(halos: Halos, theta: Real, occupation: str = "published") -> float:
    """Mean number of galaxies in a mock.

    * `halos`: which it is in. `theta`: see `PARAMETERS`, [7]. `occupation`: see `mean_occupation`.
    """
    return float(sum(n.sum() for n in mean_occupation(halos.mass, theta, occupation)))


def populate(
    halos: Halos, theta: Mapping[str, float] | Sequence[float] | Real, seed: int = 0, *, occupation: str = "published",
    satellites: str = "nfw", index: int = 0,
) -> Galaxies:  # fmt: skip
    """One realisation of galaxies in halos.

    * `halos`: with shapes. `theta`: the seven numbers, by name or in the order of `PARAMETERS`. `seed`, `index`: of all draws.
    * `occupation`: see `mean_occupation`. `satellites`: "nfw": round, with the radii of an NFW profile; "prolate": the same radii, drawn
      out along the long axis of the halo by its elongation, as subhalos are.

    A halo has one central or none, at its centre, with a long axis about that of the halo, and a Poisson number of satellites, with or
    without a central, whose long axes lie about the direction from the centre. Raises `OrbitscopeError` for numbers that make no sense,
    halos without shapes, and a mock without galaxies.
    """
    numbers = parameters(theta)
    if halos.axis is None:
        raise OrbitscopeError("populate: these halos have no shapes, so no galaxy can lie along one. Read a catalogue with long axes.")
    if satellites not in SATELLITES:
        raise OrbitscopeError(f"satellites: should be one of {', '.join(SATELLITES)}, got {satellites!r}.")
    rng = np.random.default_rng(derive(seed, "galaxies mock", index))
    centrals, many = mean_occupation(halos.mass, numbers, occupation)
    possible = np.flatnonzero(centrals > 1e-12)
    with_central = possible[rng.uniform(size=len(possible)) < centrals[possible]]
    possible = np.flatnonzero(many > 0)
    host = np.repeat(possible, rng.poisson(many[possible]))
    if not len(with_central) and not len(host):
        raise OrbitscopeError(f"populate: a mock without galaxies ({expected_galaxies(halos, numbers, occupation):.3g} are expected).")
    long = axes_about(halos.axis[with_central], numbers[0], rng)
    offset, outward = _satellites(halos, host, satellites, rng)
    places = np.mod(halos.positions[host] + offset, halos.box)
    places[places >= halos.box] = 0.0
    return Galaxies(
        np.concatenate([halos.positions[with_central], places]),
        np.concatenate([long, axes_about(outward, numbers[1], rng)]),
        np.concatenate([with_central, host]),
        np.arange(len(with_central) + len(host)) < len(with_central),
        halos.box,
    )


def _satellites(halos: Halos, host: NDArray[np.int64], kind: str, rng: np.random.Generator) -> tuple[Real, Real]:
    """Places of satellites from the centre of their halo, Mpc/h, and their directions, [S, 3] each."""
    direction = rng.normal(size=(len(host), 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = nfw_radii(halos.concentration[host], rng.uniform(size=len(host))) * halos.radius[host]
    if kind == "prolate" and len(host):
        if halos.elongation is None or halos.axis is None:
            raise OrbitscopeError("satellites: 'prolate' needs halos with an elongation. Take satellites='nfw'.")
        along = (direction * halos.axis[host]).sum(1, keepdims=True)
        q = halos.elongation[host, None]
        direction = q ** (1 / 3) * direction + (q ** (-2 / 3) - q ** (1 / 3)) * along * halos.axis[host]  # keeps the volume
    offset = direction * radius[:, None]
    return offset, direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-300)


def nfw_radii(concentration: Real, share: Real) -> Real:
    r"""Radii over the virial radius within which a share of the mass of an NFW halo lies: $m(c r) = u\, m(c)$ with
    $m(x) = \ln(1 + x) - x / (1 + x)$, solved by Lambert's function.

    * `concentration`: c, [S]. `share`: u, in [0, 1], [S].
    """
    wanted = share * (np.log1p(concentration) - concentration / (1 + concentration))
    # 1 / (1 + x) = -W(-exp(-1 - m)) with the branch that is 0 at infinity; near 0 its series, as the branch point loses digits
    small = wanted < 1e-7
    x = -1 / np.where(small, -1.0, lambertw(-np.exp(-1 - wanted)).real) - 1
    root = np.sqrt(2 * wanted)
    return np.clip(np.where(small, root + 2 * root**2 / 3, x) / concentration, 0.0, 1.0)

"""Galaxies in halos: occupation, places, and long axes, for seven numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from ..._errors import OrbitscopeError
from ..._seed import derive
from ._catalogue import Halos, Real
from ._region import PARAMETERS
from ._watson import axes_about

OCCUPATIONS = ("published", "product")
SATELLITES = ("nfw", "prolate")
_STEPS = 30


@dataclass(frozen=True, eq=False)
class Galaxies:
    """Galaxies in a periodic cube.

    * `positions`: [G, 3], Mpc/h. `axes`: unit long axes, [G, 3]. `host`: number of the halo of each, [G].
    * `central`: which are centrals, [G]. `box`: side of the cube, Mpc/h.
    * `about`: unit directions about which the axes were drawn, [G, 3]; None: not known, as of mocks by others.
    """

    positions: Real
    axes: Real
    host: NDArray[np.int64]
    central: NDArray[np.bool_]
    box: float
    about: Real | None = None

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
    return _mean_occupation(mass, np.log10(mass), theta, occupation)


def _mean_occupation(mass: Real, log_mass: Real, theta: Real, occupation: str) -> tuple[Real, Real]:
    if occupation not in OCCUPATIONS:
        raise OrbitscopeError(f"occupation: should be one of {', '.join(OCCUPATIONS)}, got {occupation!r}.")
    _, _, least, sigma, floor, unit, alpha = theta
    central = 0.5 * (1 + erf((log_mass - least) / sigma))
    satellites = np.zeros_like(central)
    above = np.flatnonzero(log_mass > floor)  # most halos have none, and powers are dear
    satellites[above] = (np.maximum(mass[above] - 10**floor, 0.0) / 10**unit) ** alpha
    return central, satellites * central if occupation == "product" else satellites


def expected_galaxies(halos: Halos, theta: Real, occupation: str = "published") -> float:
    """Mean number of galaxies in a mock.

    * `halos`: which it is in. `theta`: see `PARAMETERS`, [7]. `occupation`: see `mean_occupation`.
    """
    return float(sum(n.sum() for n in _mean_occupation(halos.mass, halos.log_mass, theta, occupation)))


class Population:
    """Halos with mean numbers of galaxies, from which any number of mocks is drawn; `populate` draws one.

    * `halos`: with shapes. `theta`: the seven numbers, by name or in the order of `PARAMETERS`. `occupation`, `satellites`: as of
      `populate`, which says what is raised.
    """

    def __init__(
        self, halos: Halos, theta: Mapping[str, float] | Sequence[float] | Real, occupation: str = "published", satellites: str = "nfw"
    ) -> None:  # fmt: skip
        self.theta = parameters(theta)
        if halos.axis is None:
            raise OrbitscopeError("populate: these halos have no shapes, so no galaxy can lie along one. Read a catalogue with long axes.")
        if satellites not in SATELLITES:
            raise OrbitscopeError(f"satellites: should be one of {', '.join(SATELLITES)}, got {satellites!r}.")
        if satellites == "prolate" and halos.elongation is None:
            raise OrbitscopeError("satellites: 'prolate' needs halos with an elongation. Take satellites='nfw'.")
        self.halos, self.kind, self._axis = halos, satellites, halos.axis
        centrals, many = _mean_occupation(halos.mass, halos.log_mass, self.theta, occupation)
        self.expected = float(centrals.sum() + many.sum())
        self._with = np.flatnonzero(centrals > 1e-12)
        self._chance = centrals[self._with]
        self._hosts = np.flatnonzero(many > 0)
        self._total = np.cumsum(many[self._hosts])

    def draw(self, rng: np.random.Generator) -> Galaxies:
        """One mock.

        * `rng`: of all draws.
        """
        with_central = self._with[rng.uniform(size=len(self._with)) < self._chance]
        host = self._satellite_hosts(rng)
        if not len(with_central) and not len(host):
            raise OrbitscopeError(f"populate: a mock without galaxies ({self.expected:.3g} are expected).")
        offset, outward = _satellites(self.halos, host, self.kind, rng)
        places = np.mod(self.halos.positions[host] + offset, self.halos.box)
        places[places >= self.halos.box] = 0.0
        inward = self._axis[with_central]
        mu_cen, mu_sat = self.theta[:2]
        return Galaxies(
            np.concatenate([self.halos.positions[with_central], places]),
            np.concatenate([axes_about(inward, mu_cen, rng), axes_about(outward, mu_sat, rng)]),
            np.concatenate([with_central, host]),
            np.arange(len(with_central) + len(host)) < len(with_central),
            self.halos.box,
            np.concatenate([inward, outward]),
        )

    def _satellite_hosts(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Halos of all satellites: a Poisson number in all, each in a halo with its share, which is a Poisson number in every halo."""
        if not len(self._hosts):
            return self._hosts
        total = self._total[-1]
        where = np.searchsorted(self._total, rng.uniform(0, total, rng.poisson(total)), side="right")
        return self._hosts[np.sort(np.minimum(where, len(self._hosts) - 1))]


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
    return Population(halos, theta, occupation, satellites).draw(mock_stream(seed, index))


def mock_stream(seed: int, index: int) -> np.random.Generator:
    """The random numbers of one mock.

    * `seed`, `index`: as of `populate`.
    """
    return np.random.default_rng(derive(seed, "galaxies mock", index))


def _satellites(halos: Halos, host: NDArray[np.int64], kind: str, rng: np.random.Generator) -> tuple[Real, Real]:
    """Places of satellites from the centre of their halo, Mpc/h, and their directions, [S, 3] each."""
    direction = rng.normal(size=(len(host), 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    radius = nfw_radii(halos.concentration[host], rng.uniform(size=len(host))) * halos.radius[host]
    if kind == "prolate" and len(host):
        assert halos.elongation is not None and halos.axis is not None
        along = (direction * halos.axis[host]).sum(1, keepdims=True)
        q = halos.elongation[host, None]
        direction = q ** (1 / 3) * direction + (q ** (-2 / 3) - q ** (1 / 3)) * along * halos.axis[host]  # keeps the volume
    offset = direction * radius[:, None]
    return offset, direction / np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-300)


def nfw_radii(concentration: Real, share: Real) -> Real:
    r"""Radii over the virial radius within which a share of the mass of an NFW halo lies: $m(c r) = u\, m(c)$ with
    $m(x) = \ln(1 + x) - x / (1 + x)$.

    * `concentration`: c, [S]. `share`: u, in [0, 1], [S].

    With $y = x / (1 + x)$: $-\ln(1 - y) - y = m$, which is convex: Newton's steps from above fall to the answer.
    """
    wanted = share * (np.log1p(concentration) - concentration / (1 + concentration))
    root = np.sqrt(2 * wanted)  # as the series begins with y^2 / 2
    small = wanted < 1e-7  # where the difference loses digits
    y = np.where(small, 0.5, np.minimum(root, -np.expm1(-1 - wanted)))
    for _ in range(_STEPS):
        change = (-np.log1p(-y) - y - wanted) * (1 - y) / y
        y = np.where(small, y, y - change)
        if not (np.abs(change[~small]) > 1e-14).any():
            break
    x = y / (1 - y)
    return np.clip(np.where(small, root + 2 * root**2 / 3, x) / concentration, 0.0, 1.0)

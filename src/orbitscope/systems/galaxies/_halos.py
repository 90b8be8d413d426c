"""Halos from a seed: a density field moved by gravity to second order, masses of a published mass function, biased places, long axes that
lie along the tide."""

import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import integrate
from scipy.spatial import KDTree

from ..._errors import OrbitscopeError
from ..._expect import checked_settings
from ..._seed import derive
from ._catalogue import Halos, Real
from ._field import density, deposited, displacements, interpolated, smoothed, spectrum, tide, to_field, to_modes
from ._watson import axes_about

Progress = Callable[[str, float, float], None]
_CLASSES = 14  # of mass: halos of one class are drawn with one bias and one smoothing
_ROUNDS = 30


@checked_settings
@dataclass(frozen=True)
class HaloConfig:
    """How a catalogue of halos is made.

    * `box`: side, Mpc/h. `grid`: points of the density field along it. `redshift`: of all of it. `lightest`: mass, solar masses / h.
    * `cosmology`: of colossus, by name. `mass_function`, `bias`, `concentration`: models of colossus, for virial masses.
    * `scatter`: of the concentration, dex. `tide_radius`: over which the tide is averaged, Mpc/h.
    * `alignment`: strength mu of the law by which long axes scatter about the axis of least compression, from -1 (across) to 1 (along).
    * `elongation`: short over long axis at 10^13 solar masses / h; it falls by 0.05 for each factor of ten, with a scatter of 0.1.

    The strength of alignment and the axis ratios are numbers of this package, not measured ones.
    """

    box: float = 250.0
    grid: int = 128
    redshift: float = 0.0
    lightest: float = 5e10
    cosmology: str = "multidark-planck"
    mass_function: str = "tinker08"
    bias: str = "tinker10"
    concentration: str = "diemer19"
    scatter: float = 0.16
    tide_radius: float = 2.0
    alignment: float = 0.6
    elongation: float = 0.62

    def __post_init__(self) -> None:
        for name in ("box", "lightest", "tide_radius", "scatter"):
            if not np.isfinite(getattr(self, name)) or getattr(self, name) <= 0:
                raise OrbitscopeError(f"HaloConfig: `{name}` should be above 0, got {getattr(self, name)}.")
        if not -1 <= self.alignment <= 1 or not 0 < self.elongation <= 1:
            raise OrbitscopeError(
                f"HaloConfig: `alignment` should be from -1 to 1 and `elongation` from 0 to 1, got {self.alignment} and {self.elongation}."
            )
        if self.grid < 8 or self.redshift < 0:
            raise OrbitscopeError(f"HaloConfig: `grid` should be at least 8, `redshift` not below 0; got {self.grid}, {self.redshift}.")


class Cosmos:
    """What colossus says of a cosmology, in comoving Mpc/h and solar masses / h.

    * `config`: names the cosmology, the models and the redshift.

    Raises `OrbitscopeError` where colossus is missing or does not know a name.
    """

    def __init__(self, config: HaloConfig) -> None:
        try:
            from colossus.cosmology import cosmology
        except ImportError as error:
            raise OrbitscopeError("galaxies: halos need colossus. Install it with: pip install 'orbitscope[cosmo]'.") from error
        if config.cosmology not in cosmology.cosmologies:
            raise OrbitscopeError(f"cosmology: colossus has no {config.cosmology!r}. It has: {', '.join(cosmology.cosmologies)}.")
        self.config = config
        self._cosmology = cosmology.setCosmology(config.cosmology, persistence="")  # it would write its tables into the user's home
        self.matter = float(self._cosmology.Om(config.redshift))
        self.mean_density = float(self._cosmology.rho_m(0.0)) * 1e9  # of matter, comoving, Msun/h / (Mpc/h)^3

    def power(self, k: Real) -> Real:
        """Linear spectrum, (Mpc/h)^3, of `k` in h/Mpc."""
        table = np.logspace(-4, 2.5, 600)
        found = np.log(self._cosmology.matterPowerSpectrum(table, z=self.config.redshift))
        return np.exp(np.interp(np.log(k), np.log(table), found))

    def counts(self, mass: Real) -> Real:
        """dn / d ln M, (Mpc/h)^-3, of `mass`."""
        from colossus.lss import mass_function

        z, name = self.config.redshift, self.config.mass_function
        return mass_function.massFunction(mass, z, mdef="vir", model=name, q_in="M", q_out="dndlnM")

    def bias(self, mass: Real) -> Real:
        """Linear bias of halos of `mass`."""
        from colossus.lss import bias

        return bias.haloBias(mass, self.config.redshift, "vir", model=self.config.bias)

    def concentration(self, mass: Real) -> Real:
        """Mean virial concentration of halos of `mass`."""
        from colossus.halo import concentration

        table = np.logspace(np.log10(mass.min()) - 1e-6, np.log10(mass.max()) + 1e-6, 24)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of masses outside a model's calibration
            found = concentration.concentration(table, "vir", self.config.redshift, model=self.config.concentration)
        return np.exp(np.interp(np.log(mass), np.log(table), np.log(found)))

    def radius(self, mass: Real) -> Real:
        """Comoving virial radius, Mpc/h, of halos of `mass`."""
        from colossus.halo import mass_so

        z = self.config.redshift
        return mass_so.M_to_R(mass, z, "vir") / 1000 * (1 + z)

    def lagrangian(self, mass: Real) -> Real:
        """Radius, Mpc/h, of the sphere that a halo of `mass` is made of, at the mean density."""
        return np.cbrt(3 * mass / (4 * np.pi * self.mean_density))


def make_halos(seed: int = 0, config: HaloConfig | None = None, *, progress: Progress | None = None) -> Halos:
    r"""A catalogue of halos, the same for the same seed and settings.

    * `seed`: of the field and of everything that is drawn. `config`: settings. `progress(stage, done, total)`: called now and then.

    Masses are one from each of equal parts of the mass function above the lightest. Halos of mass M start at places drawn with weight
    $e^{(b(M) - 1) \delta_R}$, $\delta_R$ the linear density averaged over the Lagrangian radius, which gives a Gaussian field the
    Lagrangian bias b - 1, and move with the matter by Lagrangian perturbation theory of second order. A halo whose centre would lie within
    a more massive one is drawn again.

    Raises `OrbitscopeError` where colossus is missing, and for a box that holds no halo. Not a simulation: no halo has substructure, and
    clustering below a few Mpc/h is that of the sampling.
    """
    config = config or HaloConfig()
    tell = progress or (lambda stage, done, total: None)
    cosmos = Cosmos(config)
    tell("halos", 0, 4)
    mass = _masses(cosmos, np.random.default_rng(derive(seed, "galaxies masses")))
    delta = density(config.grid, config.box, cosmos.power, seed)
    tell("halos", 1, 4)
    moves = sum(displacements(delta, config.box, cosmos.matter))
    radius = cosmos.radius(mass)
    tell("halos", 2, 4)
    start, place = _places(cosmos, delta, np.asarray(moves), mass, radius, np.random.default_rng(derive(seed, "galaxies places")))
    tell("halos", 3, 4)
    rng = np.random.default_rng(derive(seed, "galaxies shapes"))
    values, vectors = np.linalg.eigh(tide(delta, config.box, config.tide_radius, start))
    weakest = vectors[:, :, 0]  # eigenvalues rise: the first is that of the least compression
    axis = axes_about(weakest, config.alignment, rng)
    steps = np.log10(mass / 1e13)
    elongation = np.clip(config.elongation - 0.05 * steps + 0.1 * rng.normal(size=len(mass)), 0.2, 0.98)
    concentration = cosmos.concentration(mass) * 10 ** (config.scatter * rng.normal(size=len(mass)))
    tell("halos", 4, 4)
    about = {"made": "make_halos", "seed": seed, **asdict(config)}
    return Halos(place, mass, radius, np.maximum(concentration, 1.0), axis, config.box, elongation, about)


def tidal_axes(halos: Halos) -> Real:
    """Axes of least compression at the places where the halos of `make_halos` started, [H, 3]: what their long axes scatter about.

    * `halos`: made here, not read.
    """
    config = _config_of(halos)
    cosmos, seed = Cosmos(config), int(halos.about["seed"])
    delta = density(config.grid, config.box, cosmos.power, seed)
    moves = np.asarray(sum(displacements(delta, config.box, cosmos.matter)))
    start, _ = _places(cosmos, delta, moves, halos.mass, halos.radius, np.random.default_rng(derive(seed, "galaxies places")))
    return np.linalg.eigh(tide(delta, config.box, config.tide_radius, start))[1][:, :, 0]


def _config_of(halos: Halos) -> HaloConfig:
    if halos.about.get("made") != "make_halos":
        raise OrbitscopeError("tidal_axes: only halos of make_halos know the field that they are from.")
    return HaloConfig(**{k: v for k, v in halos.about.items() if k in HaloConfig.__dataclass_fields__})


def _masses(cosmos: Cosmos, rng: np.random.Generator) -> Real:
    """One mass from each part of the cumulative mass function that holds one halo of the box, falling."""
    config = cosmos.config
    table = np.logspace(np.log10(config.lightest), 16.0, 400)
    rate = cosmos.counts(table) * config.box**3
    above = -integrate.cumulative_trapezoid(rate[::-1], np.log(table)[::-1], initial=0.0)  # from the top
    count = int(np.floor(above[-1]))
    if count < 1:
        raise OrbitscopeError(f"make_halos: a box of {config.box} Mpc/h holds no halo above {config.lightest:.3g}. Take a larger one.")
    rank = np.arange(count) + rng.uniform(size=count)
    rising = above > 0
    return np.exp(np.interp(np.minimum(rank, above[-1]), above[rising], np.log(table[::-1][rising])))


def _places(cosmos: Cosmos, delta: Real, moves: Real, mass: Real, radius: Real, rng: np.random.Generator) -> tuple[Real, Real]:
    """Where halos start and where they are, [H, 3] each; masses fall."""
    box, modes = cosmos.config.box, to_modes(delta)
    steps = np.log(mass / mass.min())
    kind = np.minimum((steps / max(steps.max(), 1e-9) * _CLASSES).astype(np.int64), _CLASSES - 1)
    start = np.empty((len(mass), 3))
    spare: dict[int, Real] = {}
    for k in range(_CLASSES - 1, -1, -1):
        members = np.flatnonzero(kind == k)
        if not len(members):
            continue
        middle = np.exp(np.log(mass[members]).mean())
        pushed = float(cosmos.bias(np.array([middle]))[0]) - 1
        field = to_field(smoothed(modes, box, float(cosmos.lagrangian(middle)) / np.sqrt(5)))
        weight = pushed * field
        total = np.cumsum(np.exp(weight - weight.max()).ravel())
        extra = len(members) + 200
        drawn = _drawn(total, len(members) + extra, delta.shape[0], box, rng)
        start[members], spare[k] = drawn[: len(members)], drawn[len(members) :]
    place = np.mod(start + interpolated(moves, box, start), box)
    used = dict.fromkeys(spare, 0)
    changed = np.arange(len(mass))
    for _ in range(_ROUNDS):
        inside = _inside_heavier(place, radius, box, changed)
        if not len(inside):
            break
        for k in np.unique(kind[inside]):
            these = inside[kind[inside] == k]
            left = spare[k][used[k] : used[k] + len(these)]
            these, used[k] = these[: len(left)], used[k] + len(left)
            start[these] = left
        place[inside] = np.mod(start[inside] + interpolated(moves, box, start[inside]), box)
        changed = inside
    return start, place


def _drawn(total: Real, count: int, grid: int, box: float, rng: np.random.Generator) -> Real:
    """Places drawn with the weights of cells, anywhere in the cell about its grid point, [count, 3]."""
    cell = np.minimum(np.searchsorted(total, rng.uniform(size=count) * total[-1], side="right"), len(total) - 1)
    corner = np.stack(np.unravel_index(cell, (grid, grid, grid)), -1)
    return np.mod((corner + rng.uniform(-0.5, 0.5, size=(count, 3))) * (box / grid), box)


def _inside_heavier(place: Real, radius: Real, box: float, changed: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of halos whose centre lies within a heavier one (a smaller number), where at least one of the two has `changed`."""
    place = np.where(place >= box, 0.0, place)
    trees = KDTree(place[changed], boxsize=box), KDTree(place, boxsize=box)
    near = trees[0].sparse_distance_matrix(trees[1], float(radius.max()), output_type="ndarray")
    one, two = changed[near["i"]], near["j"]
    heavy, light = np.minimum(one, two), np.maximum(one, two)
    return np.unique(light[(heavy != light) & (near["v"] < radius[heavy])])


def halo_bias(halos: Halos, matter: Real, limits: NDArray[Any]) -> tuple[Real, Real]:
    r"""Measured bias $P_{hm} / P_{mm}$ in shells of k, and their mean k.

    * `halos`: which. `matter`: relative density, [n, n, n]. `limits`: edges of the shells, h/Mpc.
    """
    field = deposited(halos.positions, len(matter), halos.box)
    k, cross, _ = spectrum(field, matter, halos.box, np.asarray(limits))
    return cross / spectrum(matter, matter, halos.box, np.asarray(limits))[1], k

"""What was discovered: directions with their evidence, the algebra's name, and the group that every other verb takes."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .._errors import OrbitscopeError, reading
from .._html import table_html
from .._version import __version__
from .._whole import write_whole
from ..data import open_hdf5
from ..symmetry import Affine, FiniteGroup, Grid, LieGroup, Linear, Rigid
from ._evidence import Evidence
from ._finite_group import finite_group
from ._identify import Identification, identify, principal_cosines
from ._on_grid import OnGrid, on_grid
from ._problem import Array

_KINDS = {"Linear": Linear, "Rigid": Rigid, "Affine": Affine}
_WHAT = "discovery"
_VARIABLES = ("breaking", "low", "high", "noise", "correlation")


@dataclass(frozen=True, eq=False)
class Discovery:
    """A discovered symmetry with its evidence: what `discover_symmetry` gives back and `load_discovery` reads.

    * `hypothesis`: the name of the group that was searched. `method`: how.
    * `kind`: the class of the elements (Linear, Rigid, Affine). `homogeneous`: whether the matrices are those of affine maps.
    * `basis`: all directions as matrices [k, N, N] of Frobenius norm 1, the most symmetric first. `evidence`: what they rest on.
    * `components`: elements of other components of the symmetry group, beside the identity, as matrices [c, N, N].
    * `predictor_error`: of each predictor on held-out examples, over that of the best constant.
    * `finite`: what finite motions do: rows "size", "found", "hypothesis", "outside" (see `finite_check`).
    * `about`: settings, data and versions.
    """

    hypothesis: str
    method: str
    kind: str
    homogeneous: bool
    basis: Array
    evidence: Evidence
    components: Array
    predictor_error: tuple[float, ...]
    finite: dict[str, Array]
    about: dict[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many generators hold."""
        return self.evidence.count

    @property
    def algebra(self) -> Array:
        """The generators that hold, [count, N, N], of Frobenius norm 1."""
        return self.basis[: self.count]

    @property
    def angle(self) -> float:
        """How well the span is known, in degrees: the 95 % quantile of its largest angle to that of resampled held-out examples."""
        return float(np.quantile(self.evidence.spread, 0.95)) if len(self.evidence.spread) else float("nan")

    def identification(self, count: int | None = None) -> Identification:
        """The name of the algebra of the first `count` directions (by default those that hold). Raises `OrbitscopeError` for none."""
        return identify(
            self._some(count), homogeneous=self.homogeneous,
            tolerance=float(np.sin(np.radians(self.angle))) if count is None and self.angle == self.angle else 0.0,
        )  # fmt: skip

    def cosines(self, other: Array | LieGroup[Any], count: int | None = None) -> Array:
        """Cosines of the principal angles between the first `count` directions (by default those that hold) and the algebra `other`."""
        return principal_cosines(self._some(count), other.algebra if isinstance(other, LieGroup) else np.asarray(other, dtype=np.float64))

    def group(self, count: int | None = None, *, scale: float = 1.0) -> LieGroup[Any] | FiniteGroup[Any]:
        """The discovered group: $c\\, e^X$ over the first `count` directions (by default those that hold) and the components found.

        * `scale`: samples draw coefficients uniformly from [-scale, scale] times the square root of N, so that a turn of the plane by
          `scale` radians is among them.

        Where no direction holds, but elements of other components do, it is the finite group of these, made exact. Raises
        `OrbitscopeError` where nothing was found, and where such elements are no group.
        """
        kind = _KINDS[self.kind]
        if not (self.count if count is None else count) and len(self.components):
            return finite_group("found finite", self.components, kind, homogeneous=self.homogeneous)
        basis = self._some(count) * np.sqrt(self.basis.shape[1])
        probe = LieGroup("", basis, kind, homogeneous=self.homogeneous, scale=scale)
        components = (probe.identity, *(probe.element(m).named(f"c{k + 1}") for k, m in enumerate(self.components)))
        name = self.identification(count).name
        return LieGroup(f"found {name}", basis, kind, homogeneous=self.homogeneous, components=components, scale=scale)

    def on_grid(self, grid: Grid | None = None, count: int | None = None) -> OnGrid:
        """The part of the group that acts on fields on a grid and on kernels: the rotations, reflections and shifts among its elements.

        * `grid`: the grid, whose shape and boundaries count too; None: of any, square and periodic. Its centre is the origin of the
          coordinates of the examples. `count`: how many directions are taken; by default those that hold.

        An isometry belongs to the group where it can be reached to three times the `angle` of the span, and to 2 degrees at least. Raises
        `OrbitscopeError` where nothing was found, nothing acts, or the group moves another number of coordinates.
        """
        return on_grid(self, grid, count)

    def _some(self, count: int | None) -> Array:
        some = self.basis[: self.count if count is None else count]
        if not len(some):
            finite = " Its finite group is `group()`." if len(self.components) else ""
            raise OrbitscopeError(f"discovery: {self.sentence()} There is no group to take that has generators.{finite}")
        return some

    def sentence(self) -> str:
        """The answer in words."""
        collapsed = int(self.about.get("collapsed", 0))
        if not collapsed:
            return self._answer()
        which = "generator" if collapsed == 1 else "generators"
        return f"{self._answer()} While they were learnt, {collapsed} {which} shrank to the identity, which every map has for a symmetry."

    def _answer(self) -> str:
        error = max(self.predictor_error)
        if self.evidence.withdrawn:
            return self._withdrawn()
        if not self.count and not len(self.components):
            word = "undetermined" if "undetermined" in self.evidence.words else "none"
            if word == "none":
                least = np.sqrt(max(self.evidence.breaking[0], 0.0))
                return (
                    f"No continuous symmetry within {self.hypothesis}: the least broken direction changes the answer by {least:.0%} of "
                    "what a motion does that has nothing to do with it."
                )
            return (
                f"Undetermined: the predictors disagree too much to tell a symmetry within {self.hypothesis} (their error is {error:.0%} "
                "of the best constant's)."
            )
        plural = "s" if self.count != 1 else ""
        name = self.identification().name if self.count else "no continuous part"
        exact = self.evidence.words[: self.count].count("exact")
        floor = "the predictors' noise" if len(self.predictor_error) > 1 else "rounding"
        how = f"all within {floor}" if exact == self.count else f"{exact} within {floor}, the others a little broken"
        size = np.sqrt(max(float(self.evidence.high[: self.count].max(initial=0.0)), 0.0))
        spread = "" if self.angle != self.angle else f", known to {self.angle:.1f} degrees"
        tail = f" and {len(self.components)} further component{'s' if len(self.components) != 1 else ''}" if len(self.components) else ""
        much = "less than 0.1 %" if size < 1e-3 else f"at most {100 * size:.1f} %"
        much = f"{much} of what an unrelated motion changes"
        return f"{self.count} generator{plural} of {self.hypothesis}{tail}: {name}{spread}; {how}, {much}.{self._rough()}"

    def _withdrawn(self) -> str:
        """What is said where directions hold, but too few examples tell which."""
        number, widest = self.evidence.withdrawn, self.evidence.settings["widest"]
        which = f"{number} directions hold" if number > 1 else "one direction holds"
        return (
            f"Undetermined: {which} within {self.hypothesis} by what they change, but resampled examples turn their span by "
            f"{self.angle:.0f} degrees, more than the {widest:.0f} up to which one is claimed. Give more examples."
        )

    def _rough(self) -> str:
        """What holds beyond the gap, which is no symmetry of the answers."""
        rough = self.evidence.rough
        if rough == self.count:
            return ""
        size = np.sqrt(max(float(self.evidence.breaking[self.count : rough].max()), 0.0))
        name = identify(self.basis[:rough], homogeneous=self.homogeneous).name
        return (
            f" Up to {100 * size:.1f} % hold {rough}, {name}, beyond a gap: the answers do change along the others, little beside what "
            "other motions do."
        )

    def to_dataset(self) -> xr.Dataset:
        """All of it as one data set."""
        e, n = self.evidence, self.basis.shape[1]
        data: dict[str, Any] = {
            "generator": (("direction", "row", "column"), self.basis), "coefficients": (("coordinate", "direction"), e.directions),
            **{v: ("direction", getattr(e, v)) for v in _VARIABLES}, "word": ("direction", np.array(e.words, dtype=object)),
            "level": ("gap", np.array(e.levels, dtype=np.int64)), "spread": ("bootstrap", e.spread),
            "by_chart": (("chart", "direction"), e.by_chart), "component": (("other", "row", "column"), self.components.reshape(-1, n, n)),
            "predictor_error": ("predictor", np.array(self.predictor_error)),
            **{f"finite_{k}": ("motion", np.asarray(v)) for k, v in self.finite.items()},
        }  # fmt: skip
        about = {
            "what": _WHAT, "hypothesis": self.hypothesis, "method": self.method, "kind": self.kind, "homogeneous": int(self.homogeneous),
            "null": e.null, "withdrawn": e.withdrawn, "settings": json.dumps(e.settings), "about": json.dumps(self.about),
            "orbitscope": __version__, "sentence": self.sentence(),
        }  # fmt: skip
        return xr.Dataset(data, attrs=about)

    def save(self, path: str | Path) -> Path:
        """Write `path`, a NetCDF file, whole or not at all; returns it."""
        path = Path(path)
        write_whole(path, lambda part: self.to_dataset().to_netcdf(part, engine="h5netcdf"))
        return path

    def __repr__(self) -> str:
        return f"Discovery({self.sentence()})"

    def _repr_html_(self) -> str:
        e = self.evidence
        rows = [
            (f"direction {k + 1}", f"{w}: {np.sqrt(max(b, 0)):.1%} (noise {np.sqrt(max(n, 0)):.1%})")
            for k, (w, b, n) in enumerate(zip(e.words, e.breaking, e.noise, strict=True))
        ]
        return table_html(self.sentence(), rows[:12])


def holds_discovery(path: str | Path) -> bool:
    """Whether the file `path` was written by `Discovery.save`; its values are not read."""
    if not Path(path).is_file():
        return False
    try:
        with open_hdf5(Path(path)) as file:
            return _text(file.attrs.get("what")) == _WHAT
    except OrbitscopeError:
        return False


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def load_discovery(path: str | Path) -> Discovery:
    """The discovery in the NetCDF file `path`. Raises `OrbitscopeError` for a file that holds none."""
    path = Path(path)
    with reading(path), xr.open_dataset(path, engine="h5netcdf") as stored:
        data = stored.load()
    if data.attrs.get("what") != _WHAT:
        raise OrbitscopeError(f"path: {path} holds no discovery. `orbitscope discover FILE --out found.nc` writes one.")
    with reading(path):
        words = tuple(str(w) for w in data["word"].values)
        evidence = Evidence(
            directions=data["coefficients"].values, **{v: data[v].values for v in _VARIABLES}, words=words,  # type: ignore[arg-type]
            levels=tuple(int(k) for k in data["level"].values), null=float(data.attrs["null"]), spread=data["spread"].values,
            by_chart=data["by_chart"].values, settings=json.loads(data.attrs["settings"]), withdrawn=int(data.attrs.get("withdrawn", 0)),
        )  # fmt: skip
        finite = {str(k).removeprefix("finite_"): v.values for k, v in data.data_vars.items() if str(k).startswith("finite_")}
        return Discovery(
            hypothesis=data.attrs["hypothesis"], method=data.attrs["method"], kind=data.attrs["kind"],
            homogeneous=bool(data.attrs["homogeneous"]), basis=data["generator"].values, evidence=evidence,
            components=data["component"].values, predictor_error=tuple(data["predictor_error"].values.tolist()), finite=finite,
            about=json.loads(data.attrs["about"]),
        )  # fmt: skip

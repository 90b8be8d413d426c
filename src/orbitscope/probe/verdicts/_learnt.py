"""How much of the error each subgroup's breaking carries, what averaging over it gains, and the subgroup that the model has learnt."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ...symmetry import Group
from ._interval import FEWEST, Interval, by_trajectory, ratio_interval, share_interval

EXACT, HOLDS, BROKEN, UNDECIDED = "exact up to rounding", "holds", "broken", "undecided"
FREE, COSTS = "costs nothing", "costs"
SKILL = 0.5
"""Median error over that of persistence above which a model is said to have no skill."""
MARGIN, TOLERANCE = 0.05, 1.25
GAIN = 1e-3
"""Change of the squared error on the originals below which averaging neither gains nor harms: less may be rounding."""
_FLOORS = 10.0  # a commutator within so many floors is exact
_ROUNDING = 1e-3  # a floor above it is no rounding but resampling, and then "within the floor" may be far from exact


def learnt_subgroup(group: Group, equivariance: xr.Dataset, *, margin: float = MARGIN, level: float = 0.95) -> xr.Dataset:
    r"""The breaking share of every subgroup H, what averaging over H gains, and the largest subgroup that the model has learnt.

    With the copies $p_h = h^{-1} f(h x)$ and their mean $\bar p$, sums over the transitions of `equivariance`:

    * `share` [subgroup] $B_H = \sum |p_h - \bar p|^2 / \sum |p_h - y|^2$ in [0, 1]: the part of the squared error over the copies that the
      breaking carries, and that averaging over H removes exactly.
    * `gain` [subgroup] $1 - \sum |\bar p - y|^2 / \sum |f(x) - y|^2$: what averaging gains on the originals; negative = it harms them,
      which can go with a large $B_H$.
    * both with `_low` and `_high`: the `level` confidence interval, a jackknife over trajectories on log odds and on the logarithm, with
      Student's t. Fewer than 4 trajectories give no interval but the limits that always hold.
    * `word` [subgroup]: "exact up to rounding" (every commutator within ten floors of rounding), "holds" (`share_high` at most `margin`),
      "broken" (`share_low` above `margin`, and above what resampling alone would show), else "undecided".

    Attributes, lists of element names, and as booleans [element] `in_learnt`, `in_learnt_at_most`, `in_holding`, `in_exact`:
    `learnt_subgroup`, the largest that is exact or holds, of a model with skill (median error at most half of persistence's; empty for
    another: nothing is learnt); `learnt_at_most`, the largest that is not broken; `holding_subgroup` and `exact_subgroup`, without regard
    to skill; with `_order` their sizes. `learnt_support` is the confidence that the learnt subgroup's true share is within the margin, one
    side of the interval, (1 + `level`) / 2, and 0 where nothing is learnt; how often that comes true is measured in the calibration.

    * `group`: the group of the measurement. `equivariance`: a result of `equivariance` with its truth.
    * `margin`: the largest share of the error that counts as holding. `level`: of the intervals, two-sided.

    Where it fails: a subgroup whose true share is `margin` is admitted in up to 1 run of 40 at the default level; the share says nothing
    about the size of the error, for which see `skill`. Raises `OrbitscopeError` for a `margin` or `level` outside (0, 1), or for a
    result of an older version.
    """
    if not (0 < margin < 1 and 0 < level < 1):
        raise OrbitscopeError(f"learnt_subgroup: `margin` and `level` should lie between 0 and 1, got {margin} and {level}.")
    measured = Measured.of(equivariance)
    share, gain = measured.subgroup_share(level), measured.subgroup_gain(level)
    floor = measured.subgroup_floor()
    word = words(share, floor, measured.subgroup_exact(), margin)
    member = measured.member
    names = measured.names
    skilled = measured.skill <= SKILL

    def largest(allowed: NDArray[np.bool_]) -> list[str]:
        """Names of the members of the largest subgroup that is allowed, of equal ones that of the smallest share."""
        best = max(np.flatnonzero(allowed), key=lambda s: (member[s].sum(), -np.nan_to_num(share.value[s])), default=0)
        return [n for n, inside in zip(names, member[best], strict=True) if inside] if len(member) else []

    trivial = member.sum(1) <= 1
    holding = trivial | np.isin(word, [EXACT, HOLDS])
    found = {
        "learnt_subgroup": largest(holding) if skilled else [],
        "learnt_at_most": largest(trivial | (word != BROKEN)) if skilled else [],
        "holding_subgroup": largest(holding),
        "exact_subgroup": largest(trivial | (word == EXACT)),
    }
    result = xr.Dataset(
        {
            **_columns("share", share, "part of the squared error over the copies that the breaking carries"),
            **_columns("gain", gain, "1 - squared error of the average over that of the originals; negative = averaging harms them"),
            "word": ("subgroup", word),
            "member": (("subgroup", "element"), member),
        },
        coords={"element": names, "subgroup": equivariance["subgroup"].values},
    )
    for name, members in found.items():
        result[f"in_{name.removesuffix('_subgroup')}"] = ("element", [n in members for n in names])
        result.attrs[name] = ", ".join(members)
        result.attrs[name.removesuffix("_subgroup") + "_order"] = len(members)
    result.attrs["learnt_support"] = (1 + level) / 2 if found["learnt_subgroup"] else 0.0
    result.attrs.update(margin=float(margin), level=float(level), skill=measured.skill, group=group.name)
    return result


def words(share: Interval, floor: NDArray[np.float64], exact: NDArray[np.bool_], margin: float) -> NDArray[np.object_]:
    """The word for each share. `floor`: the share that resampling and rounding alone could show, from which no breaking follows."""
    found = np.full(share.value.shape, UNDECIDED, dtype=object)
    found[share.high <= margin] = HOLDS
    found[share.low > margin + floor] = BROKEN
    found[exact] = EXACT
    return found


def _columns(name: str, interval: Interval, long_name: str) -> dict[str, tuple]:
    parts = {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return {k: ("subgroup", v, {"long_name": long_name, "units": "1"}) for k, v in parts.items()}


@dataclass(frozen=True)
class Measured:
    """The sums per trajectory of a result of `equivariance`, and what follows from them with intervals."""

    result: xr.Dataset
    names: list[str]
    member: NDArray[np.bool_]
    """True where a subgroup holds an element, [S, G]; subgroups with an element that was not measured are left out upstream."""

    @classmethod
    def of(cls, result: xr.Dataset) -> "Measured":
        """Raise for a result without the sums over copies."""
        if "breaking" not in result or "trajectory" not in result.coords:
            raise OrbitscopeError("equivariance: this result has no sums over copies; an older version made it. Measure or probe again.")
        return cls(result, [str(n) for n in result["element"].values], result["member"].values.astype(bool))

    def identity(self, group: Group) -> NDArray[np.bool_]:
        """Which elements do nothing, [G]."""
        if "element_identity" in self.result.coords:
            return self.result["element_identity"].values.astype(bool)
        return np.array([group[n].is_identity for n in self.names])

    @property
    def truth(self) -> bool:
        """Whether the answers were compared with what really follows."""
        return bool(self.result.attrs.get("truth", 1))

    @property
    def skill(self) -> float:
        """Median error over that of persistence."""
        return float(self.result["skill"].median())

    @property
    def count(self) -> int:
        """Number of trajectories."""
        return len(np.unique(self.result["trajectory"].values))

    @property
    def enough(self) -> bool:
        """Whether there are trajectories enough for an interval."""
        return self.count >= FEWEST

    def sums(self, name: str) -> NDArray[np.float64]:
        """[..., n] of a variable, summed over the transitions of each trajectory."""
        values = self.result[name].transpose(..., "transition").values
        return by_trajectory(values, self.result["trajectory"].values)

    def own(self) -> NDArray[np.float64]:
        """|f(x) - y|^2 [n]: the trivial subgroup's."""
        return self.sums("squared_error")[int(self.member.sum(1).argmin())]

    def subgroup_share(self, level: float) -> Interval:
        """B_H."""
        return share_interval(self.sums("breaking"), self.sums("squared_error"), level)

    def subgroup_gain(self, level: float) -> Interval:
        """1 - |mean - y|^2 / |f(x) - y|^2."""
        left = np.maximum(self.sums("squared_error") - self.sums("breaking"), 0)
        ratio = ratio_interval(left, np.broadcast_to(self.own(), left.shape), level)
        return Interval(1 - ratio.value, 1 - ratio.high, 1 - ratio.low)

    def subgroup_step(self, level: float) -> Interval:
        """Breaking over the model's own step, A_H / mean |p_h - x|^2: needs no truth."""
        return share_interval(self.sums("breaking"), self.sums("copies_step"), level)

    def element_share(self, level: float) -> Interval:
        r"""Of {e, g}: |p_g - f(x)|^2 / 2 (|p_g - y|^2 + |f(x) - y|^2)."""
        gap = self.sums("copy_gap")
        return share_interval(gap / 4, (self.sums("copy_error") + self.own()) / 2, level)

    def moved_error(self, level: float) -> Interval:
        """|p_g - y|^2 / |f(x) - y|^2: 1 where moving costs nothing."""
        error = self.sums("copy_error")
        return ratio_interval(error, np.broadcast_to(self.own(), error.shape), level)

    def element_exact(self) -> NDArray[np.bool_]:
        """Commutator within ten floors of rounding, [G]."""
        floor = self.result["floor"].values
        return (floor <= _ROUNDING) & (self.result["commutator"].median("transition").values <= _FLOORS * floor)

    def subgroup_exact(self) -> NDArray[np.bool_]:
        """All members exact, [S]."""
        return np.asarray(~(self.member & ~self.element_exact()).any(1))

    def element_floor(self) -> NDArray[np.float64]:
        """Share that the floor of the commutator alone would make of {e, g}, [G]."""
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = self.result["floor"].values ** 2 * self.result["answer"].values.sum()
            return np.nan_to_num(np.minimum(noise / (2 * (self.sums("copy_error").sum(1) + self.own().sum())), 1))

    def subgroup_floor(self) -> NDArray[np.float64]:
        """Share that the floors of the commutators alone would make of each subgroup, [S]."""
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = self.member @ self.result["floor"].values ** 2 / self.member.sum(1)
            return np.nan_to_num(np.minimum(mean * self.result["answer"].values.sum() / self.sums("squared_error").sum(1), 1))

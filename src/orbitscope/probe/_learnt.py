"""The subgroup that a model has learnt, and how sure one can be of it."""

import numpy as np
import xarray as xr

from .._errors import OrbitscopeError
from ..symmetry import Group

_SURE = 0.975


def learnt_subgroup(
    group: Group,
    equivariance: xr.Dataset,
    influence: xr.Dataset | None = None,
    *,
    tolerance: float = 1.25,
    resamples: int = 500,
    seed: int = 0,
) -> xr.Dataset:
    r"""The largest subgroup whose elements hold in the output, and, given the influence, the largest on which the learning holds too.

    An element holds in the output if its median relative error is at most `tolerance`; in the learning if its excess coherence (median over
    same transitions minus median over unrelated ones) is above 0 in 97.5 % of resamples. The identity holds in both. Elements that
    `influence` did not measure do not hold in the learning.

    Uncertainty: trajectories are resampled with replacement, the independent units, `resamples` times, and everything is computed again.
    Result: `output`, `learning` [element], the share of resamples in which the element's error is within `tolerance`, its excess above 0;
    `output_subgroup` [candidate], the subgroups of the resamples as words, most frequent first, with `output_subgroup_support`, their
    shares. Attributes: `output_subgroup`, `learnt_subgroup` (output and learning), found on all the data, their `_order`, and `_support`:
    the share of resamples that give this very output subgroup; that have all elements of the learnt one hold in both.

    Raises `OrbitscopeError` for a `tolerance` below 1 or no resamples.
    """
    if tolerance < 1 or resamples < 1:
        raise OrbitscopeError(f"learnt_subgroup: `tolerance` and `resamples` should be at least 1, got {tolerance} and {resamples}.")
    names = [str(n) for n in equivariance["element"].values]
    rng = np.random.default_rng([seed, 0x5B6])
    error, found = _Errors(equivariance, names), _Subgroups(group, names)
    excess = _Excess(influence, names) if influence is not None else None
    own = np.array([n == group.identity.name for n in names])
    output = np.array([(error.resampled(rng) <= tolerance) | own for _ in range(resamples)])
    learning = np.array([(excess.resampled(rng) > 0) | own for _ in range(resamples)]) if excess is not None else output
    whole = (error.all() <= tolerance) | own
    candidates, counts = np.unique([found(o) for o in output], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    best, learnt = found(whole), found(whole & (learning.mean(0) >= _SURE))
    members = np.array([n in learnt.split(", ") for n in names])
    both = (output & learning)[:, members].all(1)
    return xr.Dataset(
        {
            "output": ("element", output.mean(0)),
            "learning": ("element", learning.mean(0)),
            "output_subgroup": ("candidate", candidates[order].astype(object)),
            "output_subgroup_support": ("candidate", counts[order] / resamples),
        },
        coords={"element": names},
        attrs={
            "output_subgroup": best,
            "output_subgroup_order": best.count(",") + 1,
            "output_subgroup_support": float(counts[candidates == best].sum() / resamples),
            "learnt_subgroup": learnt,
            "learnt_subgroup_order": learnt.count(",") + 1,
            "learnt_subgroup_support": float(both.mean()),
            "tolerance": float(tolerance),
            "resamples": resamples,
        },
    )


class _Errors:
    """Medians of the relative error, per element, over resampled trajectories."""

    def __init__(self, equivariance: xr.Dataset, names: list[str]) -> None:
        self.values = equivariance["relative_error"].sel(element=names).transpose("element", "transition").values
        self.owner = np.unique(equivariance["trajectory"].values, return_inverse=True)[1]
        self.rows = [np.flatnonzero(self.owner == k) for k in range(self.owner.max() + 1)]

    def all(self) -> np.ndarray:
        return np.asarray(np.median(self.values, 1), dtype=np.float64)

    def resampled(self, rng: np.random.Generator) -> np.ndarray:
        picks = rng.integers(len(self.rows), size=len(self.rows))
        return np.asarray(np.median(self.values[:, np.concatenate([self.rows[k] for k in picks])], 1), dtype=np.float64)


class _Excess:
    """Medians of same-transition minus unrelated coherence, per element; minus infinity where it was not measured."""

    def __init__(self, influence: xr.Dataset, names: list[str]) -> None:
        values = influence["coherence"].transpose("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory").values
        self.blocks = np.stack([values[:, t, :, t, :] for t in range(values.shape[1])], axis=1)  # [element, time, bra, ket]
        measured = [str(n) for n in influence["element"].values]
        self.where = [measured.index(n) if n in measured else None for n in names]

    def resampled(self, rng: np.random.Generator) -> np.ndarray:
        return self._over(rng.integers(self.blocks.shape[2], size=self.blocks.shape[2]))

    def _over(self, picks: np.ndarray) -> np.ndarray:
        chosen = self.blocks[:, :, picks][:, :, :, picks]
        same = np.diagonal(chosen, axis1=2, axis2=3).reshape(len(chosen), -1)
        other = chosen[:, :, picks[:, None] != picks[None, :]].reshape(len(chosen), -1)
        if not other.shape[1]:
            return np.full(len(self.where), -np.inf)
        excess = np.nanmedian(same, 1) - np.nanmedian(other, 1)
        return np.array([-np.inf if k is None else excess[k] for k in self.where])


class _Subgroups:
    """The largest subgroup within a set of elements; each set is worked out once."""

    def __init__(self, group: Group, names: list[str]) -> None:
        self.group, self.names, self.known = group, names, dict[bytes, str]()

    def __call__(self, holds: np.ndarray) -> str:
        key = holds.tobytes()
        if key not in self.known:
            members = [self.group[n] for n, h in zip(self.names, holds, strict=True) if h]
            self.known[key] = ", ".join(g.name for g in self.group.largest_subgroup(members))
        return self.known[key]

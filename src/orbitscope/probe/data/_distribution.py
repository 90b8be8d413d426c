"""Which elements leave the file's distribution as it is: one test per cyclic subgroup, so that the words are closed under powers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ...symmetry import FiniteGroup, Group
from ._twosample import Move, can_reject, holm, invariance_p_value

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Distribution:
    """`p_value` [element], corrected, `raw` [element], and a `note` where the elements that differ are not all but a subgroup."""

    p_value: Array
    raw: Array
    note: str
    permutations: int = 0


def distribution_of(
    states: Tensor,
    group: Group,
    chosen: tuple[Any, ...],
    action: Move,
    *,
    alpha: float,
    permutations: int | None,
    seed: int,
    describe: Callable[[Tensor], Array] | None = None,
) -> Distribution:
    r"""p-values of "x and gx have one distribution" per element, corrected for all that are tested.

    A distribution that g leaves as it is, every power of g leaves as it is: the hypotheses are those of the cyclic subgroups, and an
    element differs as soon as one of its powers does. So each cyclic subgroup is tested once, with copies moved by its generators drawn
    at random (any draw that does not look at the states keeps the test exact), the p-values go through Holm's correction over the
    subgroups, and an element takes the smallest corrected p-value among the subgroups that it contains. The chance of a single false
    "differs" stays below `alpha`.

    Of an infinite group each element is tested by itself. `describe`: see `invariance_p_value`. NaN where the trajectories are too few for
    any outcome to be significant; 1 for the identity.
    """
    cyclic = {g: _cyclic(group, g) for g in chosen}
    tested = list(dict.fromkeys(c for c in cyclic.values() if len(c) > 1))
    identity = np.array([len(cyclic[g]) == 1 for g in chosen], dtype=bool)
    if not tested or not can_reject(len(states), len(tested), alpha):
        values = np.where(identity, 1.0, np.nan)
        return Distribution(values, values.copy(), "")
    permutations = permutations or max(999, int(4 * len(tested) / alpha))
    raw = []
    for members in tested:
        some = group if isinstance(group, FiniteGroup) else chosen
        generators = [g for g in some if g in members and _cyclic(group, g) == members]
        raw.append(invariance_p_value(states, generators, action, seed=seed, permutations=permutations, describe=describe))
    corrected = holm(np.array(raw))
    below = [min(p for p, other in zip(corrected, tested, strict=True) if other <= members) for members in tested]
    index = {members: k for k, members in enumerate(tested)}
    p_value = np.array([1.0 if i else below[index[cyclic[g]]] for g, i in zip(chosen, identity, strict=True)])
    plain = np.array([1.0 if i else raw[index[cyclic[g]]] for g, i in zip(chosen, identity, strict=True)])
    return Distribution(p_value, plain, _note(group, chosen, p_value < alpha), permutations)


def _cyclic(group: Group, g: Any) -> frozenset[Any]:
    """The powers of g."""
    if not isinstance(group, FiniteGroup):
        return frozenset({group.identity, g})
    try:
        return group.closure([g])
    except OrbitscopeError:  # a sample of a continuous group need not hold them
        return frozenset({group.identity, g})


def _note(group: Group, chosen: tuple[Any, ...], differs: NDArray[np.bool_]) -> str:
    """A sentence where the elements that do not differ are no subgroup: then some of them must differ too."""
    kept = [g for g, d in zip(chosen, differs, strict=True) if not d]
    if not differs.any() or not isinstance(group, FiniteGroup) or len(chosen) < len(group):
        return ""
    closed = group.largest_subgroup(kept)
    if len(closed) == len(kept):
        return ""
    extra = ", ".join([g.name for g in kept if g not in closed][:12])
    return (
        f"The elements that leave the distribution as it is must form a subgroup. Those that were not found to differ do not: some of "
        f"{extra} differ too, which this many trajectories do not show."
    )


__all__ = ["Distribution", "distribution_of"]

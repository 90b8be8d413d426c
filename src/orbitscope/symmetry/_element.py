"""What every element of every group can do, and how elements that are given by numbers compare."""

import math
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Protocol, Self, TypeGuard, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .._errors import OrbitscopeError

DIGITS = 9  # two elements closer than this are one: composed motions differ by float rounding only
# Scales change at 7.389 times a power of ten, and not at the power itself: offsets such as 10 or 100 are common, 73.89 is not.
_BORDER = 7.389056


@runtime_checkable
class Element(Protocol):
    r"""An immutable, hashable, named member of a group: $(a b) x = a (b x)$, so `a @ b` is the element that does b first.

    Equality and hash are those of the motion, never of the name. The library's own kinds are `Isometry` (of a box), `Rigid`, `Linear`,
    `Affine`, `Permutation`, `Word`, `Velocity`, `Factors` and `Several` (an element of a product). Any class with these five members is
    an element, and a set of its values goes into a `Group`.
    """

    @property
    def name(self) -> str:
        """What the element is called in results; it may be empty."""
        ...

    def __matmul__(self, other: Self, /) -> Self:
        """The element that does `other` first."""
        ...

    def inverse(self) -> Self:
        """The element that undoes this one."""
        ...

    @property
    def is_identity(self) -> bool:
        """Whether this is the element that does nothing, whatever it is called."""
        ...

    def named(self, name: str) -> Self:
        """The same element, called `name`."""
        ...


E = TypeVar("E", bound=Element)


def is_element(thing: Any) -> TypeGuard[Any]:
    """Whether this is an element; by its class alone, so that nothing is computed."""
    return _offers_all(type(thing))


@lru_cache
def _offers_all(kind: type) -> bool:
    return all(hasattr(kind, member) for member in ("__matmul__", "inverse", "is_identity", "named"))


class Keyed:
    """Equality and hash by `key`, within one kind of element; a printed name where there is one."""

    name: str

    @property
    def key(self) -> Hashable:
        """What equality and hashing compare."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.key == other.key  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return self.name or self._written()

    def _written(self) -> str:
        return f"{type(self).__name__}({self.key})"


def rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    """The entries to `DIGITS` decimals, or to as many digits of the largest one where that is large; no negative zero."""
    largest = float(np.abs(values).max(initial=0.0))
    power = max(0, math.ceil(math.log10(largest / _BORDER))) if largest > _BORDER else 0
    return (float(power), *(np.round(values.ravel() / 10.0**power, DIGITS) + 0.0).tolist())


def require_alike(first: Element, second: object) -> None:
    """Raise unless the two elements are of one kind, so that they compose."""
    if type(first) is not type(second):
        raise OrbitscopeError(
            f"{type(first).__name__} @ {type(second).__name__}: only elements of one kind compose. Write both as one kind; "
            "rigid and linear maps are affine ones too: Affine(g.matrix, g.offset)."
        )

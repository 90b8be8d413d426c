"""Which channel holds what: fields in order, each with its representation and unit."""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ._combined import joined_offsets
from ._linear import block_diagonal
from ._representation import Representation
from ._words import representation as named

_COLON = re.compile(r"(?<!irrep):")  # not the one inside "irrep:2e"


@dataclass(frozen=True, init=False)  # `__init__` takes more than the attributes hold
class Field:
    """One physical quantity: its name, how it transforms, its unit ("1" means dimensionless).

    * `name`: the field's own name, unique in its layout.
    * `representation`: how its components transform; a scalar by default.
    * `unit`: in words of SI, such as m/s.

    Raises `OrbitscopeError` for an empty name.
    """

    name: str
    representation: Representation
    unit: str

    def __init__(self, name: str, representation: Representation | str = "scalar", unit: str = "1") -> None:
        if not name:
            raise OrbitscopeError("Field: `name` must not be empty.")
        for what, value in (("name", name), ("representation", named(representation)), ("unit", unit)):
            object.__setattr__(self, what, value)


@dataclass(frozen=True)
class Layout:
    """Ordered fields -> channels of a state [..., channel, x, y].

    * `fields`: in the order of their channels.
    * `ndim`: number of dimensions of space, on which the representations act.

    >>> layout = Layout.of("density:scalar", "momentum:vector", "energy:scalar")
    >>> layout.channel_names
    ('density', 'momentum_x', 'momentum_y', 'energy')
    >>> layout.slice("momentum")
    slice(1, 3, None)
    """

    fields: tuple[Field, ...]
    ndim: int = 2

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", tuple(self.fields))
        names = [f.name for f in self.fields]
        if not names:
            raise OrbitscopeError("Layout: `fields` is empty; a state needs at least one field.")
        if len(set(names)) != len(names):
            raise OrbitscopeError(f"Layout: field names must differ, got {names}.")
        if not 1 <= self.ndim <= 64:
            raise OrbitscopeError(f"Layout: `ndim` must be 1 .. 64, got {self.ndim}.")
        if sum(self.sizes) > 2**16:
            raise OrbitscopeError(f"Layout: {sum(self.sizes):,} channels are more than {2**16:,}. Is a number mistyped?")

    @classmethod
    def of(cls, *specs: str, ndim: int = 2) -> "Layout":
        """From words.

        * `specs`: "name", "name:representation" or "name:representation:unit" of each field; by default a scalar of unit 1.
        * `ndim`: number of dimensions of space.
        """
        fields = []
        for spec in specs:
            if not isinstance(spec, str):
                raise OrbitscopeError(f"Layout: expected words such as 'velocity:vector', got {spec!r}.")
            name, rep, unit, *_ = [*_COLON.split(spec.strip()), "", ""][:3]
            fields.append(Field(name, named(rep or "scalar"), unit or "1"))
        return cls(tuple(fields), ndim)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Channels per field."""
        return tuple(f.representation.size(self.ndim) for f in self.fields)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return sum(self.sizes)

    @cached_property
    def channel_names(self) -> tuple[str, ...]:
        """One name per channel: the field's, with the component appended."""
        return tuple(f"{f.name}_{c}" if c else f.name for f in self.fields for c in f.representation.component_names(self.ndim))

    @cached_property
    def field_of_channel(self) -> tuple[int, ...]:
        """Index of the field that each channel belongs to."""
        return tuple(i for i, size in enumerate(self.sizes) for _ in range(size))

    def slice(self, name: str) -> slice:
        """The channels of the field called `name`."""
        for i, f in enumerate(self.fields):
            if f.name == name:
                start = sum(self.sizes[:i])
                return slice(start, start + self.sizes[i])
        raise OrbitscopeError(f"Layout: no field is called {name!r}. Known: {', '.join(f.name for f in self.fields)}.")

    def fields_with(self, rep: str) -> tuple[Field, ...]:
        """The fields whose representation has the name `rep`."""
        return tuple(f for f in self.fields if f.representation.name == rep)

    def matrix(self, element: Any) -> NDArray[np.float64]:
        r"""Block-diagonal channel mixing $\rho(g)$, shape [channels, channels], of an `element` or a plain orthogonal matrix."""
        return block_diagonal(np.asarray(f.representation.matrix(element)) for f in self.fields)

    def offset(self, element: Any) -> NDArray[np.float64] | None:
        """What affine fields add to their channels under `element`, shape [channels]; None where every field is linear."""
        return joined_offsets(tuple(f.representation for f in self.fields), element)

    def stack(self, frames: int) -> "Layout":
        """The layout of `frames` successive states concatenated along channels, time-major (all of frame 0 first).

        >>> Layout.of("u:vector").stack(2).channel_names
        ('u@0_x', 'u@0_y', 'u@1_x', 'u@1_y')
        """
        fields = tuple(Field(f"{f.name}@{t}", f.representation, f.unit) for t in range(frames) for f in self.fields)
        return Layout(fields, self.ndim)

    def check(self, state: Tensor, what: str = "state") -> None:
        """Raise `OrbitscopeError` unless `state` is [..., channels, *space] for this layout; `what` begins the message."""
        if state.ndim < self.ndim + 1 or state.shape[-self.ndim - 1] != self.channels:
            raise OrbitscopeError(
                f"{what}: expected [..., channel, {', '.join('xyz'[: self.ndim])}] with {self.channels} channels "
                f"{self.channel_names}, got shape {tuple(state.shape)}. Reorder or select the channels, or declare another layout."
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "ndim": self.ndim,
            "fields": [{"name": f.name, "representation": repr(f.representation), "unit": f.unit} for f in self.fields],
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Layout":
        """The inverse of `to_dict`: the layout of `data`."""
        try:
            fields = tuple(Field(f["name"], named(f["representation"]), f.get("unit", "1")) for f in data["fields"])
            return cls(fields, int(data.get("ndim", 2)))
        except OrbitscopeError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise OrbitscopeError(f"Layout: not a layout description ({error!r}): {data!r}.") from error

    def __str__(self) -> str:
        return ", ".join(f"{f.name}:{f.representation!r}" for f in self.fields)

"""A small open patch of a field about its own centre, moved by any linear or affine map of its coordinates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ._domain import Domain
from ._interpolate import derivative_weights, sample_inside
from ._linear import linear_part

_ON = 1e-9  # a source this close to a point of the patch, in cells, is that point


@dataclass(frozen=True)
class Patch(Domain):
    r"""Fields [..., channel, x, y] on a small open patch, in coordinates u whose origin is its centre: $(g s)(u) = s(A^{-1} (u - b))$.

    The element acts by its own matrix A (and offset b, in units of length), so that a vector field that mixes by A is carried along. Point
    i of an axis of n points sits at $u_i = (i - (n - 1)/2)\, h$. Values between points are interpolated; a source outside the patch takes
    the nearest value of the border, and `mask` says where that was so. An output patch that is smaller than the input patch has the same
    centre (`inner`, `crop`): then what the border would have decided stays outside.

    * `shape`: points per axis, each at least `order` + 1; two axes, or one or three.
    * `spacing`: h, the distance of neighbouring points, one number or one per axis, in units of length.
    * `order`: degree of the Lagrange interpolation, odd: 1 is (bi)linear, 3 is cubic. The error on a smooth field falls as $h^{order + 1}$.

    Raises `OrbitscopeError` for sizes out of range, and for elements without a matrix of as many dimensions as the patch has axes.

    >>> patch = Patch((3, 3), order=1)
    >>> x = torch.zeros(1, 1, 3, 3); x[0, 0, 2, 0] = 1.0  # at u = (1, -1)
    >>> quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    >>> patch.move(quarter, x)[0, 0].round().nonzero().tolist()  # now at (1, 1)
    [[2, 2]]
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...] | float = 1.0
    order: int = 3

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
            given = self.spacing if isinstance(self.spacing, Sequence) else (self.spacing,) * len(self.shape)
            object.__setattr__(self, "spacing", tuple(float(h) for h in given))
        except (TypeError, ValueError) as error:
            raise OrbitscopeError(
                f"Patch: `shape` should be whole numbers and `spacing` numbers, got {self.shape!r}, {self.spacing!r}."
            ) from error
        if self.order < 1 or self.order % 2 == 0:
            raise OrbitscopeError(f"Patch: `order` should be odd and positive, got {self.order}.")
        if not 1 <= len(self.shape) <= 3 or min(self.shape) <= self.order:
            raise OrbitscopeError(
                f"Patch: `shape` should have one to three axes of at least order + 1 = {self.order + 1} points, got {self.shape}."
            )
        if len(self.steps) != len(self.shape) or not all(math.isfinite(h) and h > 0 for h in self.steps):
            raise OrbitscopeError(f"Patch: `spacing` should be positive, one number or one per axis of {self.shape}, got {self.spacing}.")

    @property
    def axes(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Number of axes of the patch."""
        return len(self.shape)

    @property
    def channel(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The channel stands before the axes of the patch."""
        return -self.axes - 1

    @property
    def steps(self) -> tuple[float, ...]:
        """`spacing`, one number per axis."""
        assert isinstance(self.spacing, tuple)
        return self.spacing

    @cached_property
    def coordinates(self) -> Tensor:
        """u of every point, float64 [axis, *shape]; the centre of the patch is the origin."""
        lines = [(torch.arange(n, dtype=torch.float64) - (n - 1) / 2) * h for n, h in zip(self.shape, self.steps, strict=True)]
        return torch.stack(torch.meshgrid(*lines, indexing="ij"))

    def move(self, element: Any, values: Tensor) -> Tensor:
        self.require(element)
        return sample_inside(values, self._sources(element), self.axes, self.order)

    def carried(self, back: Tensor, values: Tensor, offset: Tensor | None = None) -> Tensor:
        r"""Each example moved by an element of its own, differentiable in it: $s(A^{-1} u + c)$, the shape of `values`.

        * `back`: the matrices $A^{-1}$, [*lead, n, n]. `offset`: the c, [*lead, n], in units of length; 0 by default.
        * `values`: [*lead, channel, *shape].
        """
        sources = torch.einsum("...ij,jp->...ip", back, self.coordinates.flatten(1).to(back))
        if offset is not None:
            sources = sources + offset.unsqueeze(-1)
        indices = sources / self._column(self.steps, back) + (self._column(self.shape, back) - 1) / 2
        return sample_inside(values, indices.unflatten(-1, self.shape), self.axes, self.order)

    def require(self, element: Any) -> None:
        matrix = linear_part(element, "Patch")
        if len(matrix) != self.axes:
            raise OrbitscopeError(f"Patch: element {element!r} moves {len(matrix)} dimensions; the patch has {self.axes} axes.")
        if any(getattr(element, "shift", ())):
            raise OrbitscopeError(f"Patch: {element!r} shifts by fractions of a period, and a patch has none. Give an `Affine` or `Rigid`.")

    def check(self, state: Tensor, channels: int, what: str) -> None:
        super().check(state, channels, what)
        if tuple(state.shape[-self.axes :]) != self.shape:
            raise OrbitscopeError(f"{what}: the last {self.axes} axes should be the patch {self.shape}, got shape {tuple(state.shape)}.")

    def exact(self, element: Any) -> bool:
        """Whether `element` brings points of the patch onto points of the patch, all of them."""
        sources = self._sources(element)
        return bool(((sources - sources.round()).abs() < _ON).all() and self.mask(element).all())

    def mask(self, element: Any) -> Tensor:
        """Where values moved by `element` come from inside the patch and not from its border's continuation, bool [*shape]."""
        self.require(element)
        inside = torch.ones(self.shape, dtype=torch.bool)
        for source, n in zip(self._sources(element), self.shape, strict=True):
            inside &= (source >= -_ON) & (source <= n - 1 + _ON)
        return inside

    def drift(self, rate: NDArray[np.float64], offset: NDArray[np.float64], values: Tensor) -> Tensor:
        r"""The derivative $-(X u + b) \cdot \nabla s$ of `move`, along $e^{tX}$ and the velocity b, by differences of order `order` + 1.

        * `rate`: X, [n, n]. `offset`: b, [n]. `values`: s, [..., channel, *shape].
        """
        speed = torch.as_tensor(rate) @ self.coordinates.flatten(1) + torch.as_tensor(offset).unsqueeze(1)
        total = torch.zeros_like(values)
        for i, (n, h) in enumerate(zip(self.shape, self.steps, strict=True)):
            weights = torch.as_tensor(derivative_weights(n, self.order + 2) / h, dtype=values.dtype, device=values.device)
            slope = (values.movedim(i - self.axes, -1) @ weights.T).movedim(-1, i - self.axes)
            total = total - speed[i].unflatten(0, self.shape).to(values) * slope
        return total

    def inner(self, margin: int) -> "Patch":
        """The patch with the same centre and `margin` points fewer on every side."""
        return Patch(tuple(n - 2 * margin for n in self.shape), self.spacing, self.order)

    def crop(self, values: Tensor, margin: int) -> Tensor:
        """The part of `values` [..., channel, *shape] that lies on `inner(margin)`; `margin`: points left out on every side."""
        for i, n in enumerate(self.shape):
            values = values.narrow(i - self.axes, margin, n - 2 * margin)
        return values

    def cut(self, field: Tensor, centres: Sequence[Sequence[float]]) -> Tensor:
        """Charts out of a whole field, [..., chart, channel, *shape].

        * `field`: [..., channel, *space]. `centres`: of each chart, as indices of the field along its axes: whole numbers where the patch
          has an odd number of points on the axis, whole numbers and a half where it is even.

        Raises `OrbitscopeError` for a centre between the points, and for a chart that leaves the field.
        """
        found, space = [], field.shape[-self.axes :]
        for centre in centres:
            part = field
            for i, (c, n) in enumerate(zip(centre, self.shape, strict=True)):
                start = c - (n - 1) / 2
                if start != round(start) or start < 0 or start + n > space[i]:
                    raise OrbitscopeError(
                        f"Patch.cut: a chart of {self.shape} points about `centres` {tuple(centre)} does not lie on the points of a field "
                        f"of {tuple(space)}. Move the centre, or take a smaller patch."
                    )
                part = part.narrow(i - self.axes, int(start), n)
            found.append(part)
        return torch.stack(found, self.channel - 1)

    def _sources(self, element: Any) -> Tensor:
        """The fractional index from which each point takes its value, float64 [axis, *shape]."""
        back = torch.as_tensor(np.linalg.inv(linear_part(element, "Patch")))
        offset = getattr(element, "offset", None)
        shifted = self.coordinates.flatten(1) - (0.0 if offset is None else torch.tensor(np.asarray(offset)).unsqueeze(1))
        return ((back @ shifted) / self._column(self.steps) + (self._column(self.shape) - 1) / 2).unflatten(1, self.shape)

    @staticmethod
    def _column(numbers: Sequence[float], like: Tensor | None = None) -> Tensor:
        column = torch.tensor(numbers, dtype=torch.float64).unsqueeze(1)
        return column if like is None else column.to(like)

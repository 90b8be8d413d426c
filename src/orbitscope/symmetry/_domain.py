"""Where the values of a state sit, and how an element moves the places: apart from how it mixes the values."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._errors import OrbitscopeError


class Domain(ABC):
    """The array axes of a state that are no channel, and what an element does to them.

    `axes` counts them; it has nothing to do with the dimension of the space that the elements act on: a cloud in space has one axis, a
    vector none. `channel` is the position of the channel axis, counted from the end. To add one, write `move`.
    """

    axes: int = 0
    channel: int = -1

    @abstractmethod
    def move(self, element: Any, values: Tensor) -> Tensor:
        """`values` [..., with `axes` axes] at the places to which `element` brings them."""

    def require(self, element: Any) -> None:
        """Raise `OrbitscopeError` unless `element` maps the places onto places; by default every element does."""
        return

    def exact(self, element: Any) -> bool:
        """Whether `element` maps places onto places, so that no value is interpolated; by default every element does."""
        return True

    def mask(self, element: Any) -> Tensor:
        """Where values moved by `element` are defined by the originals alone; bool, a single True for everywhere, as by default."""
        return torch.ones((), dtype=torch.bool)

    def drift(self, rate: NDArray[np.float64], offset: NDArray[np.float64], values: Tensor) -> Tensor | None:
        """The derivative of `move` where it has a closed form; None, the default, where `Action.tangent` is to take differences.

        * `rate`, `offset`: of the matrix and of the offset of the elements, [n, n] and [n]. `values`: of the state.
        """
        return None

    def check(self, state: Tensor, channels: int, what: str) -> None:
        """Raise `OrbitscopeError` unless `state` [N, ...] has these axes and so many `channels`; `what` begins the message."""
        if state.ndim < self.axes + 2 or state.shape[self.channel] != channels:
            raise OrbitscopeError(
                f"{what}: expected {channels} channels on axis {self.channel} and {self.axes} axes of {type(self).__name__}, "
                f"got shape {tuple(state.shape)}."
            )


@dataclass(frozen=True)
class Values(Domain):
    """No place at all: a vector of values [N, channel], such as an observation, an action or the parameters of a curve."""

    def move(self, element: Any, values: Tensor) -> Tensor:
        return values


@dataclass(frozen=True)
class Points(Domain):
    """Points [N, point, channel] whose positions, if they have any, are a field of the state (representation "point").

    A motion of space leaves their order alone; a permutation (anything with `images`) exchanges them. Clouds of different sizes are
    padded, and a part of the state says which points are there (see `PartsAction`).
    """

    axes = 1

    def move(self, element: Any, values: Tensor) -> Tensor:
        images = getattr(element, "images", None)
        return values if images is None else _permuted(images, values)


@dataclass(frozen=True)
class Nodes(Domain):
    """Nodes [N, node, channel] of one graph. An element that permutes them must map edges onto edges; other elements leave the order alone.

    `edges`: pairs of nodes; `count`: number of nodes.

    * `directed`: whether an edge (a, b) differs from (b, a).
    """

    edges: tuple[tuple[int, int], ...]
    count: int
    directed: bool = False
    axes = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "edges", tuple((int(a), int(b)) for a, b in self.edges))
        if any(not 0 <= n < self.count for edge in self.edges for n in edge):
            raise OrbitscopeError(f"Nodes: `edges` should name nodes 0 .. {self.count - 1}, got {self.edges}.")

    def move(self, element: Any, values: Tensor) -> Tensor:
        images = getattr(element, "images", None)
        return values if images is None else _permuted(images, values)

    def require(self, element: Any) -> None:
        images = getattr(element, "images", None)
        if images is None:
            return
        if len(images) != self.count:
            raise OrbitscopeError(f"element {element!r} permutes {len(images)} things; the graph has {self.count} nodes.")
        known = {self._edge(a, b) for a, b in self.edges}
        for a, b in self.edges:
            if self._edge(images[a], images[b]) not in known:
                raise OrbitscopeError(
                    f"element {element!r} maps the edge {(a, b)} to {(images[a], images[b])}, which is none of the graph."
                )

    def _edge(self, a: int, b: int) -> tuple[int, int]:
        return (a, b) if self.directed or a <= b else (b, a)


@dataclass(frozen=True)
class Charts(Domain):
    """Several patches [N, chart, ...] of one kind, each around a centre of its own, all moved alike in their own coordinates.

    * `domain`: of one patch, in its own coordinates.
    """

    domain: Domain

    @property
    def axes(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Those of a patch; the chart axis stands before them and before the channel."""
        return self.domain.axes

    @property
    def channel(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """As in a patch."""
        return self.domain.channel

    def move(self, element: Any, values: Tensor) -> Tensor:
        return self.domain.move(element, values)

    def require(self, element: Any) -> None:
        self.domain.require(element)

    def exact(self, element: Any) -> bool:
        return self.domain.exact(element)

    def mask(self, element: Any) -> Tensor:
        return self.domain.mask(element)

    def drift(self, rate: NDArray[np.float64], offset: NDArray[np.float64], values: Tensor) -> Tensor | None:
        return self.domain.drift(rate, offset, values)

    def check(self, state: Tensor, channels: int, what: str) -> None:
        if state.ndim < self.axes + 3:
            raise OrbitscopeError(f"{what}: expected [N, chart, ...] with {self.axes} axes of each chart, got shape {tuple(state.shape)}.")
        self.domain.check(state, channels, what)


def _permuted(images: Any, values: Tensor) -> Tensor:
    """Row i goes to row images[i]."""
    index = torch.empty(len(images), dtype=torch.long)
    index[torch.as_tensor(images)] = torch.arange(len(images))
    return values.index_select(values.ndim - 2, index.to(values.device))

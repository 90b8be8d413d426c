"""Where the values of a state sit in space."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from .._errors import OrbitscopeError

Boundary = Literal["periodic", "wall", "open"]
Centring = Literal["cell", "node"]


@dataclass(frozen=True)
class Grid:
    r"""A uniform rectangular grid: `shape` points on a box of physical size `extent`, one boundary kind per axis.

    Cell-centred points sit at $x_i = (i + 1/2) L / n$. Node-centred points sit at $x_i = i L / n$ on a periodic axis (the far
    end is the near one) and at $x_i = i L / (n - 1)$ otherwise.

    * `boundary`: periodic, wall or open, per axis.
    * `centring`: cell or node: where the points sit.

    >>> Grid.square(64).spacing
    (0.015625, 0.015625)
    """

    shape: tuple[int, ...]
    extent: tuple[float, ...]
    boundary: tuple[Boundary, ...]
    centring: Centring = "cell"

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
            object.__setattr__(self, "extent", tuple(float(e) for e in self.extent))
            object.__setattr__(self, "boundary", tuple(self.boundary))
        except (TypeError, ValueError, OverflowError) as error:
            raise OrbitscopeError(
                "Grid: `shape` should be whole numbers, `extent` numbers and `boundary` words, one per axis, got "
                f"{self.shape!r}, {self.extent!r}, {self.boundary!r}."
            ) from error
        if not len(self.shape) == len(self.extent) == len(self.boundary):
            raise OrbitscopeError(
                f"Grid: `shape`, `extent` and `boundary` need one entry per axis, got {self.shape}, {self.extent}, {self.boundary}."
            )
        if min(self.shape, default=0) < 1 or not all(math.isfinite(e) and e > 0 for e in self.extent):
            raise OrbitscopeError(f"Grid: `shape` and `extent` must be positive and finite, got {self.shape} and {self.extent}.")
        if any(b not in get_args(Boundary) for b in self.boundary) or self.centring not in get_args(Centring):
            raise OrbitscopeError(
                f"Grid: `boundary` entries are one of {get_args(Boundary)} and `centring` one of {get_args(Centring)}, "
                f"got {self.boundary} and {self.centring!r}."
            )

    @classmethod
    def square(
        cls, points: int, *, extent: float = 1.0, boundary: Boundary = "periodic", ndim: int = 2, centring: Centring = "cell"
    ) -> "Grid":
        """The same on every axis.

        * `points`: of an axis. `extent`: its length. `boundary`: "periodic", "wall" or "open".
        * `ndim`: number of axes. `centring`: "cell" or "node", where in a cell its value sits.
        """
        return cls((points,) * ndim, (extent,) * ndim, (boundary,) * ndim, centring)

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return len(self.shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring points, per axis."""
        return tuple(
            e / (n - 1 if self.centring == "node" and b != "periodic" else n)
            for n, e, b in zip(self.shape, self.extent, self.boundary, strict=True)
        )

    @property
    def periodic(self) -> bool:
        """Whether every axis is periodic."""
        return all(b == "periodic" for b in self.boundary)

    def axis(self, index: int, dtype: torch.dtype = torch.float64) -> Tensor:
        """Coordinates of the points along the axis number `index`, shape [n], in `dtype`."""
        offset = 0.5 if self.centring == "cell" else 0.0
        return (torch.arange(self.shape[index], dtype=dtype) + offset) * self.spacing[index]

    def coordinates(self, dtype: torch.dtype = torch.float64) -> Tensor:
        """Coordinates of every point, shape [ndim, *shape], in `dtype`."""
        return torch.stack(torch.meshgrid(*(self.axis(i, dtype) for i in range(self.ndim)), indexing="ij"))

    def alike(self, i: int, j: int) -> bool:
        """Whether the axes `i` and `j` can be exchanged: same points, extent and boundary."""
        return (self.shape[i], self.extent[i], self.boundary[i]) == (self.shape[j], self.extent[j], self.boundary[j])

    def check(self, state: Tensor, what: str = "state") -> None:
        """Raise unless the last axes of `state` are this grid; `what` it is called in the message."""
        if tuple(state.shape[-self.ndim :]) != self.shape:
            raise OrbitscopeError(f"{what}: the last {self.ndim} axes should be the grid {self.shape}, got shape {tuple(state.shape)}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {"shape": list(self.shape), "extent": list(self.extent), "boundary": list(self.boundary), "centring": self.centring}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Grid":
        """The inverse of `to_dict`: the grid of `data`."""
        try:
            return cls(tuple(data["shape"]), tuple(data["extent"]), tuple(data["boundary"]), data.get("centring", "cell"))
        except OrbitscopeError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise OrbitscopeError(f"Grid: not a grid description ({error!r}): {data!r}.") from error

    def __str__(self) -> str:
        return f"{' x '.join(map(str, self.shape))} {'/'.join(dict.fromkeys(self.boundary))} ({self.centring}-centred)"

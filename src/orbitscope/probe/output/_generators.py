"""Generators: the derivative of a one-parameter group of moves, on what goes into a model and on what comes out."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Trajectories
from ...physics import Equation
from ...symmetry import Boost, Grid, Layout, LieGroup, Scaling, Symmetry

Move = Callable[[Tensor], Tensor]
_INNER = 0.6
#: Enough angles for representations up to the seventh harmonic.
_ANGLES = 16


@dataclass(frozen=True)
class Generator:
    r"""$X = \frac{d}{dt} g_t$ at t = 0 for moves $g_t$ that a model $f$ of the physics commutes with, $f \circ g_t = g'_t \circ f$.

    Of several past states (`moved`), the one k steps before the newest is moved by $X - k (X' - X)$: both are one X, linear in time.

    * `name`: as it stands in results.
    * `before`: $X$ on states [N, C, X, Y]. `after`: $X'$ on next states; the two differ for a boost, which carries the later state along.
    * `unit`: that of t.
    * `window`: bool [X, Y], where the two sides may be compared; None: everywhere.
    * `hidden`: the motion alone, on features [N, K, a, b] of any grid over the same box, each channel taken as a scalar; None where that
      makes no sense.
    * `note`: a remark for the result's attributes; may be empty.
    """

    name: str
    before: Move
    after: Move
    unit: str
    window: Tensor | None = None
    hidden: Move | None = None
    note: str = ""

    def moved(self, x: Tensor, frames: int = 1) -> Tensor:
        """$X$ on what a model sees, `x` [N, `frames` C, X, Y], oldest first."""
        if frames == 1:
            return self.before(x)
        parts = []
        for back, state in zip(reversed(range(frames)), x.chunk(frames, dim=1), strict=True):
            now = self.before(state)
            parts.append(now - back * (self.after(state) - now) if back else now)
        return torch.cat(parts, 1)


def generator(name: str, data: Trajectories, equation: Equation | None = None, *, inner: float = _INNER) -> Generator:
    r"""The generator called `name`, on the layout, grid and time step of `data`.

    * "tx", "ty", "tz": translation, $X = -\partial_x$, spectral derivative; t in lengths.
    * "rotation": about the centre, $X = \rho'(0) - (\hat z \times p) \cdot \nabla$; t in radians.
    * "dilation": about the centre, $u'(p) = e^t u(e^{-t} p)$ with time as it was: $X = \kappa - p \cdot \nabla$, $\kappa$ the power of
      velocity in each field. A symmetry of flow without viscosity.
    * "boost_x", "boost_y", "boost_z": Galilean boost (see `Boost`), the next state carried along by c dt; t is a velocity.
    * "density": all of density, momentum, energy and pressure by one factor $e^t$.
    * "scaling": faster flow, $u' = e^t u(p, e^t \tau)$. At a fixed time step the next state is a later one:
      $X' y = \kappa y + \Delta t\, \dot y$ with $\dot y$ = `equation.rate(y)`; needs `equation`. A symmetry of flow without viscosity.

    Rotation and dilation are no motions of a periodic box. Their X is tapered to 0 between `inner` of the inscribed disc's radius and its
    rim, and the two sides are compared inside. What a model sends in from outside the inner disc within one step shows up as error
    (the tapered rotation still preserves volume, so averages over the box, as in a normalisation layer, are no such leak). A model that
    takes spectral derivatives also sees how well the grid resolves the taper (advection at 64 x 64 points: some tenths of a per cent);
    a smaller `inner` makes it wider.

    * `equation`: for "scaling", whose rate of change moves the next state.
    * `inner`: radius within which rotation and dilation are whole, over that of the inscribed disc.

    Raises `OrbitscopeError` for an unknown name, a box with walls along the motion, fields whose change is not known.
    """
    layout, grid = data.layout, data.grid
    if not 0.1 <= inner < 1.0:
        raise OrbitscopeError(f"generator: `inner` is a part of the disc's radius, 0.1 to below 1, got {inner}.")
    kind, _, axis = name.partition("_")
    axes = "xyz"[: grid.ndim]
    if len(name) == 2 and name[0] == "t" and name[1] in axes:
        return _translation(name, grid, axes.index(name[1]))
    if kind == "boost" and axis in tuple(axes):
        return _boost(name, data, axes.index(axis))
    if name == "rotation":
        return _rotation(layout, grid, inner)
    if name == "dilation":
        return _dilation(layout, grid, inner)
    if name == "density":
        powers = _powers(layout, grid, density=math.e)
        return Generator(name, lambda x: powers.to(x) * x, lambda y: powers.to(y) * y, "1")
    if name == "scaling":
        return _faster(data, equation)
    known = ", ".join([*(f"t{a}" for a in axes), "rotation", "dilation", *(f"boost_{a}" for a in axes), "density", "scaling"])
    raise OrbitscopeError(f"generator: none is called {name!r}. Known here: {known}.")


def generators_of(symmetry: Symmetry) -> list[Generator]:
    """Those of a Lie group's algebra on what goes in and what comes out, one for each element of its basis.

    Raises `OrbitscopeError` for a group that has no algebra.
    """
    group = symmetry.group
    if not isinstance(group, LieGroup):
        raise OrbitscopeError(f"lie_derivative: {group.name} has no algebra, so there are no small moves. Use `equivariance`.")
    return [_of_flow(f"X{k}", symmetry, group, x) for k, x in enumerate(group.algebra)]


def _of_flow(name: str, symmetry: Symmetry, group: LieGroup[Any], direction: NDArray[np.float64]) -> Generator:
    def flow(t: float) -> Any:
        return group.exp(t * direction)

    return Generator(name, lambda x: symmetry.input.tangent(flow, x), lambda y: symmetry.output.tangent(flow, y), "1")


def derivative(field: Tensor, axis: int, extent: float) -> Tensor:
    r"""Spectral $\partial$ along one of the last axes (negative number) of a periodic box of that length; the Nyquist mode goes."""
    n = field.shape[axis]
    k = torch.fft.rfftfreq(n, 1.0 / n, dtype=torch.float64)
    if n % 2 == 0:
        k[-1] = 0.0
    shape = [1] * field.ndim
    shape[axis] = -1
    spectrum = torch.fft.rfft(field, dim=axis)
    slope = torch.complex(torch.zeros_like(k), 2 * math.pi / extent * k).to(spectrum).reshape(shape)
    return torch.fft.irfft(slope * spectrum, n=n, dim=axis)


def _translation(name: str, grid: Grid, index: int) -> Generator:
    _require_periodic(name, grid, (index,))
    move = lambda x: -derivative(x, index - grid.ndim, grid.extent[index])  # noqa: E731
    return Generator(name, move, move, "length", hidden=move)


def _boost(name: str, data: Trajectories, index: int) -> Generator:
    grid = data.grid
    _require_periodic(name, grid, (index,))
    unit = tuple(float(i == index) for i in range(grid.ndim))
    plus, minus = Boost(data.layout, grid, unit), Boost(data.layout, grid, tuple(-v for v in unit))

    def values(x: Tensor) -> Tensor:
        return 0.5 * (plus.values(x) - minus.values(x))  # exact: values are quadratic in the velocity

    def after(y: Tensor) -> Tensor:
        return values(y) - data.dt * derivative(y, index - grid.ndim, grid.extent[index])

    return Generator(name, values, after, "length/time")


def _rotation(layout: Layout, grid: Grid, inner: float) -> Generator:
    if grid.ndim != 2:
        raise OrbitscopeError(f"generator: 'rotation' is for the plane; the data have {grid.ndim} dimensions.")
    _require_periodic("rotation", grid, (0, 1))
    matrix = _rate_of_mixing(layout)

    def turned(x: Tensor) -> Tensor:
        (px, py), taper = _offset(x, grid), _taper(x, grid, inner)
        carried = py * derivative(x, -2, grid.extent[0]) - px * derivative(x, -1, grid.extent[1])
        return taper * carried

    def move(x: Tensor) -> Tensor:
        mixed = (x.movedim(-3, -1) @ matrix.T.to(x)).movedim(-1, -3)
        return turned(x) + _taper(x, grid, inner) * mixed

    return Generator("rotation", move, move, "rad", _inside(grid, inner), turned)


def _dilation(layout: Layout, grid: Grid, inner: float) -> Generator:
    _require_periodic("dilation", grid, tuple(range(grid.ndim)))
    # Speeds grow with lengths, so that times stay; a gradient has one power of velocity and loses one length.
    powers = _powers(layout, grid, velocity=math.e) - _powers(layout, grid, copies=True)

    def stretched(x: Tensor) -> Tensor:
        offset = _offset(x, grid)
        slopes = (p * derivative(x, i - grid.ndim, grid.extent[i]) for i, p in enumerate(offset))
        return -_taper(x, grid, inner) * sum(slopes)

    def move(x: Tensor) -> Tensor:
        return stretched(x) + _taper(x, grid, inner) * powers.to(x) * x

    return Generator("dilation", move, move, "1", _inside(grid, inner), stretched, "a symmetry of flow without viscosity")


def _faster(data: Trajectories, equation: Equation | None) -> Generator:
    if equation is None:
        raise OrbitscopeError("generator: 'scaling' needs the time derivative of the next state: give `equation`.")
    powers = _powers(data.layout, data.grid, velocity=math.e)

    def after(y: Tensor) -> Tensor:
        return powers.to(y) * y + data.dt * equation.rate(y.detach()).to(y)

    return Generator("scaling", lambda x: powers.to(x) * x, after, "1", note="a symmetry of flow without viscosity")


def _powers(layout: Layout, grid: Grid, *, velocity: float = 1.0, density: float = 1.0, copies: bool = False) -> Tensor:
    """Exponent of each channel [C, 1, ...]: the logarithm of its factor under a scaling by e."""
    if copies:
        powers = Scaling(layout, grid, copies=2).factors.log() / math.log(2.0)
    else:
        powers = Scaling(layout, grid, velocity=velocity, density=density).factors.log()
        if not bool(powers.any()):
            raise OrbitscopeError(f"generator: no field of {layout.channel_names} changes under this scaling, so it asks for nothing.")
    return powers.round().reshape(-1, *[1] * grid.ndim)


def _rate_of_mixing(layout: Layout) -> Tensor:
    r"""$\rho'(0)$ of the rotations, [C, C]: the derivative of the trigonometric polynomial through equally spaced angles, exact."""
    total = torch.zeros(layout.channels, layout.channels, dtype=torch.float64)
    for j in range(1, _ANGLES):
        t = 2 * math.pi * j / _ANGLES
        turn = ((math.cos(t), -math.sin(t)), (math.sin(t), math.cos(t)))
        total += -0.5 * (-1) ** j / math.tan(t / 2) * torch.as_tensor(layout.matrix(turn))
    return torch.where(total.abs() < 1e-12, 0.0, total)


def _offset(x: Tensor, grid: Grid) -> Tensor:
    """Position from the centre of the cells of x's own grid, which may be coarser: [ndim, *shape of x]."""
    own = replace(grid, shape=tuple(x.shape[-grid.ndim :]))
    centre = torch.tensor(grid.extent, dtype=torch.float64).reshape(-1, *[1] * grid.ndim) / 2
    return (own.coordinates() - centre).to(x)


def _taper(x: Tensor, grid: Grid, inner: float) -> Tensor:
    """1 inside the inner disc, 0 outside the inscribed one, smooth to all orders between."""
    radius = _offset(x, grid).double().square().sum(0).sqrt() / (min(grid.extent) / 2)
    s = ((radius - inner) / (1 - inner)).clamp(1e-9, 1 - 1e-9)
    rise, fall = torch.exp(-1 / s), torch.exp(-1 / (1 - s))
    return (fall / (rise + fall)).to(x)


def _inside(grid: Grid, inner: float) -> Tensor:
    centre = torch.tensor(grid.extent, dtype=torch.float64).reshape(-1, *[1] * grid.ndim) / 2
    return (grid.coordinates() - centre).square().sum(0).sqrt() <= inner * min(grid.extent) / 2


def _require_periodic(name: str, grid: Grid, axes: tuple[int, ...]) -> None:
    for i in axes:
        if grid.boundary[i] != "periodic":
            raise OrbitscopeError(f"generator: {name!r} moves along axis {i}, whose boundary is {grid.boundary[i]!r}, not periodic.")

"""Losses for the bra side: does a step on the data loss also help a conservation law?"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples, Trajectories
from ...emulators import smse
from ...physics import Equation, equation
from ...symmetry import Grid, Layout
from .._gradients import Loss

_TINY = 1e-30


class StateLoss(Protocol):
    """A loss that also sees the state that the prediction was made from."""

    needs_state: bool

    def __call__(self, prediction: Tensor, target: Tensor, state: Tensor) -> Tensor: ...


class Drift:
    r"""Squared relative drift of a conserved quantity over one prediction, $|Q(\hat y) - Q(x)|^2 / s(x)^2$.

    Q is a mean over the cells: $\langle \rho \rangle$ (mass), $\langle m \rangle$ (momentum, or velocity), $\langle E \rangle$ or
    $\tfrac12 \langle |u|^2 \rangle$ (energy). s is Q itself, but $\langle |m|^2 \rangle^{1/2}$ for momentum, whose mean may be 0.
    Dimensionless. Invariant under every isometry that permutes the cells.
    """

    needs_state = True

    def __init__(self, name: str, quantity: Callable[[Tensor], Tensor], size: Callable[[Tensor], Tensor]) -> None:
        self.__name__, self.quantity, self.size = name, quantity, size

    def __call__(self, prediction: Tensor, target: Tensor, state: Tensor) -> Tensor:
        """Of one example, all [1, C, *grid]."""
        drift = (self.quantity(prediction) - self.quantity(state)).square().sum()
        return drift / (self.size(state).square().sum() + _TINY)


class Divergence:
    r"""$\langle (\nabla \cdot \hat u)^2 \rangle / \langle |\nabla u|^2 \rangle$, of the prediction $\hat u$ over the target u.

    $|\nabla u|^2 = \sum_{ij} (\partial_i u_j)^2$, means over the cells, spectral derivatives (the highest mode of an even axis counts as
    none). Dimensionless: for a prediction with the target's gradients 0 is divergence-free and the number of axes is the most.
    """

    def __init__(self, channels: slice, extent: tuple[float, ...]) -> None:
        self.__name__, self.channels, self.extent = "divergence", channels, extent

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of one example, both [1, C, *grid]."""
        slopes, scale = self._slopes(prediction[:, self.channels]), self._slopes(target[:, self.channels])
        trace = sum(slopes[i][:, i] for i in range(len(slopes)))
        size = sum(s.square().sum(1).mean() for s in scale)  # over components a sum, over cells a mean
        return trace.square().mean() / (size + _TINY)  # pyright: ignore[reportAttributeAccessIssue]

    def _slopes(self, field: Tensor) -> list[Tensor]:
        ndim = len(self.extent)
        axes = tuple(range(-ndim, 0))
        spectrum, out = torch.fft.fftn(field, dim=axes), []
        for axis, extent in zip(axes, self.extent, strict=True):
            n = field.shape[axis]
            k = torch.fft.fftfreq(n, 1.0 / n, dtype=field.dtype, device=field.device)
            k = torch.where(2 * k.abs() == n, 0.0, k).reshape(-1, *[1] * (-axis - 1))
            out.append(torch.fft.ifftn(spectrum * (2j * torch.pi / extent * k), dim=axes).real)
        return out


class Residual:
    r"""SMSE between the prediction and what the equation's own solver makes of the state: $\mathrm{SMSE}(\hat y, S_{dt}(x))$."""

    def __init__(self, law: Equation, dt: float, grid: Grid | None = None) -> None:
        self.__name__, self.law, self.dt, self.grid = "residual", law, dt, grid

    def targets(self, x: Tensor, y: Tensor) -> Tensor:
        """The solver's answers; it runs once per set of states, without derivatives."""
        with torch.no_grad():
            return self.law.step(x, self.dt, self.grid)

    def __call__(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of one example; `target` is the solver's."""
        return smse(prediction, target)


def bra_loss(loss: str | Loss, data: Trajectories | Examples) -> Loss:
    """A loss by name, for this data: smse, mass, momentum, energy, divergence, residual; or the caller's own, unchanged.

    mass, momentum and energy are drifts of the prediction against its input. Which fields they are follows from the layout: a vector
    "momentum" with scalars "density" and "energy" (compressible flow), or a "velocity" (momentum and kinetic energy per mass).
    Raises `OrbitscopeError` for a quantity that the data do not have.

    * `loss`: a name, or a function (prediction, target).
    * `data`: what it is a loss of; layout and grid are read.
    """
    if not isinstance(loss, str):
        return loss
    if isinstance(data, Examples):
        raise OrbitscopeError(f"bra_loss: {loss!r} is about fields of trajectories; for examples give a callable (prediction, target).")
    if loss == "smse":
        return smse
    if loss == "residual":
        name = data.provenance.get("equation")
        if not name:
            raise OrbitscopeError("bra_loss: 'residual' needs the equation, and the data's provenance names none. Pass your own callable.")
        return Residual(equation(str(name), **(data.provenance.get("parameters") or {})), data.dt, data.grid)
    if loss == "divergence":
        if not data.grid.periodic:
            raise OrbitscopeError(f"bra_loss: 'divergence' takes spectral derivatives, so the grid should be periodic, got {data.grid}.")
        return Divergence(data.layout.slice(_field(data.layout, loss, "velocity")), data.grid.extent)
    if loss not in ("mass", "momentum", "energy"):
        raise OrbitscopeError(
            f"bra_loss: no loss is called {loss!r}. Known: smse, mass, momentum, energy, divergence, residual, or a callable."
        )
    return _drift(loss, data.layout)


def _drift(name: str, layout: Layout) -> Drift:
    wanted = {"mass": ("density", "height"), "momentum": ("momentum", "velocity"), "energy": ("energy", "velocity")}[name]
    part = layout.slice(_field(layout, name, *wanted))
    axes = tuple(range(-layout.ndim, 0))

    def mean(state: Tensor) -> Tensor:
        return state[:, part].mean(axes)

    def kinetic(state: Tensor) -> Tensor:
        return 0.5 * state[:, part].square().sum(1).mean(axes)

    def rms(state: Tensor) -> Tensor:
        return state[:, part].square().sum(1).mean(axes).sqrt()

    if name == "energy" and part.stop - part.start > 1:
        return Drift("energy", kinetic, kinetic)
    return Drift(name, mean, rms if name == "momentum" else mean)


def _field(layout: Layout, loss: str, *names: str) -> str:
    there = [f.name for f in layout.fields]
    for name in names:
        if name in there:
            return name
    raise OrbitscopeError(f"bra_loss: {loss!r} needs a field called {' or '.join(names)}; the layout has {', '.join(there)}.")

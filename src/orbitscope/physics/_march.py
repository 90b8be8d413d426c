"""RK4 with an integrating factor for batches of spectra; each trajectory takes its own steps."""

from collections.abc import Callable

import torch
from torch import Tensor

from ._equation import SolverError

_MAX_STEPS = 100_000

Tendency = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""(spectra [b, ...], constants [b, ...]) -> (rate of change without the linear decay, Courant number per unit time [b])."""


def march(spectra: Tensor, constants: Tensor, tendency: Tendency, decay: Tensor, dt: float, cfl: float, name: str, offset: int) -> Tensor:
    r"""Evolve $\hat x' = N(\hat x; c) - \lambda \hat x$ by `dt`: classical RK4, with $\lambda$ = `decay` integrated exactly.

    `constants` are fields of each trajectory that do not change in time (a mean flow, a Coriolis parameter). A trajectory takes equal
    steps to the end of the interval as far as its Courant number, at most `cfl`, allows; it leaves the batch when it has arrived, so
    what it does depends on itself alone. `offset` is the index of the first trajectory in the caller's batch, for messages.

    Raises `SolverError` naming the trajectory where the Courant number is not finite.
    """
    left = torch.full((len(spectra),), dt, dtype=torch.float64)
    result: list[Tensor] = list(spectra.unbind(0))
    active = list(range(len(spectra)))
    for _ in range(_MAX_STEPS):
        first, courant = tendency(spectra, constants)
        courant = courant.detach().double().cpu()
        _require_finite(courant, active, dt - left, name, offset)
        if dt == 0.0:
            return spectra
        count = torch.ceil(left * courant / cfl).clamp_min(1.0)
        h = left / count
        spectra = _runge_kutta(spectra, first, constants, h.to(spectra.device, decay.dtype), tendency, decay)
        going = count > 1.0
        left = left - h
        if not going.all():
            for i in (~going).nonzero().flatten().tolist():
                result[active[i]] = spectra[i]
            active = [a for a, g in zip(active, going.tolist(), strict=True) if g]
            if not active:
                return torch.stack(result)
            keep = going.nonzero().flatten()
            left, keep = left[keep], keep.to(spectra.device)
            spectra, constants = spectra[keep], constants[keep]
    raise SolverError(
        f"{name}.step: trajectory {active[0] + offset} of the batch needs more than {_MAX_STEPS} steps; it is too fast for `dt` = {dt}. "
        "Check the units of the state.",
        active[0] + offset,
        dt - float(left[0]),
    )


def _runge_kutta(w: Tensor, k1: Tensor, constants: Tensor, h: Tensor, tendency: Tendency, decay: Tensor) -> Tensor:
    h = h.reshape(-1, *[1] * (w.ndim - 1))
    half = torch.exp(-0.5 * h * decay)
    full = half * half
    k2 = tendency(half * (w + 0.5 * h * k1), constants)[0]
    k3 = tendency(half * w + 0.5 * h * k2, constants)[0]
    k4 = tendency(full * w + h * half * k3, constants)[0]
    return full * w + h / 6.0 * (full * k1 + 2.0 * half * (k2 + k3) + k4)


def _require_finite(courant: Tensor, active: list[int], reached: Tensor, name: str, offset: int) -> None:
    bad = (~torch.isfinite(courant)).nonzero().flatten()
    if len(bad):
        fail(name, active[int(bad[0])] + offset, float(reached[int(bad[0])]))


def fail(name: str, item: int, time: float) -> None:
    """Raise the error of a trajectory that left the physical states."""
    raise SolverError(
        f"{name}.step: trajectory {item} of the batch has NaN, infinite or unphysical values {time:.4g} after the start of the step. "
        "Check the initial state (units, channel order), or lower `cfl`.",
        item,
        time,
    )

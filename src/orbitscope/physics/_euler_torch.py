"""The Euler solver in eager torch: for devices other than the CPU, and the plain reference that the compiled kernel is tested against.

Same arithmetic as `_euler_kernel.py`, expression by expression. States are [B, 4, X, Y]; every trajectory has its own time step,
and one that has arrived waits with a step of zero, which leaves its bits alone.
"""

import torch
from torch import Tensor

from ._euler_status import OK, REPAIRS, STALLED, UNPHYSICAL


def primitives(state: Tensor, gamma: float) -> Tensor:
    """Conserved (density, momentum, energy) -> (density, velocity, pressure), same shape."""
    density, mx, my, energy = state.unbind(1)
    inverse = 1.0 / density
    u, v = mx * inverse, my * inverse
    return torch.stack([density, u, v, (gamma - 1.0) * (energy - 0.5 * density * (u * u + v * v))], 1)


def crossings(prim: Tensor, gamma: float) -> Tensor:
    """Largest of (|u| + a) / dx + (|v| + a) / dy over the cells, per trajectory, shape [B]; spacing 1 / n on the unit square."""
    density, u, v, pressure = prim.unbind(1)
    sound = torch.sqrt(gamma * pressure * (1.0 / density))
    rate = (u.abs() + sound) * float(prim.shape[2]) + (v.abs() + sound) * float(prim.shape[3])
    return rate.amax((1, 2))


def physical(prim: Tensor, rate: Tensor) -> Tensor:
    """Whether density and pressure are positive everywhere and nothing is NaN or infinite, shape [B]."""
    return ((prim[:, 0] > 0) & (prim[:, 3] > 0)).all(2).all(1) & torch.isfinite(rate)


def _half_slope(a: Tensor, b: Tensor, limiter: str) -> Tensor:
    if limiter == "van-leer":
        product = a * b
        same = product > 0
        return torch.where(same, product / torch.where(same, a + b, 1.0), 0.0)
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    if limiter == "minmod":
        return 0.5 * (low.clamp_min(0.0) + high.clamp_max(0.0))
    mean = 0.25 * (a + b)
    return torch.minimum(low, mean).clamp_min(0.0) + torch.maximum(high, mean).clamp_max(0.0)


def hllc_flux(prim: Tensor, axis: int, gamma: float, limiter: str = "mc", keep: Tensor | None = None) -> Tensor:
    """Flux through the upper face of every cell along spatial axis 0 or 1, in conserved channel order, shape [B, 4, X, Y].

    `keep` [B, 1, X, Y] is False in cells whose faces should have first-order fluxes.
    """
    dim = 2 + axis
    centre = prim[:, [0, 1, 2, 3] if axis == 0 else [0, 2, 1, 3]]
    after = torch.roll(centre, -1, dim)
    jump = after - centre
    half = _half_slope(torch.roll(jump, 1, dim), jump, limiter)
    lower, upper = centre + half, after - torch.roll(half, -1, dim)
    if keep is not None:
        smooth = keep & torch.roll(keep, -1, dim)
        lower, upper = torch.where(smooth, lower, centre), torch.where(smooth, upper, after)
    rl, ul, tl, pl = lower.unbind(1)
    rr, ur, tr, pr = upper.unbind(1)
    al2, ar2 = gamma * pl / rl, gamma * pr / rr
    wl, wr = torch.sqrt(rl), torch.sqrt(rr)
    total = wl + wr
    du = ur - ul
    mean = (wl * ul + wr * ur) / total
    spread = torch.sqrt((wl * al2 + wr * ar2) / total + 0.5 * (wl * wr) / (total * total) * (du * du))
    sl = torch.minimum(ul - torch.sqrt(al2), mean - spread)
    sr = torch.maximum(ur + torch.sqrt(ar2), mean + spread)
    ml, mr = rl * (sl - ul), rr * (sr - ur)
    sm = ((pr - pl) + (ml * ul - mr * ur)) / (ml - mr)
    left = sm >= 0
    r, u, t, p = torch.where(left, rl, rr), torch.where(left, ul, ur), torch.where(left, tl, tr), torch.where(left, pl, pr)
    s, m = torch.where(left, sl, sr), torch.where(left, ml, mr)
    energy = p * (1.0 / (gamma - 1.0)) + 0.5 * r * (u * u + t * t)
    star = m / (s - sm)
    wave = torch.where(left, s.clamp_max(0.0), s.clamp_min(0.0))
    flow = r * u
    mass = flow + wave * (star - r)
    normal = flow * u + p + wave * (star * sm - flow)
    tangential = flow * t + wave * (star - r) * t
    power = (energy + p) * u + wave * (star * (energy / r + (sm - u) * (sm + p / m)) - energy)
    return torch.stack([mass, normal, tangential, power] if axis == 0 else [mass, tangential, normal, power], 1)


def rate_of_change(prim: Tensor, gamma: float, limiter: str) -> Tensor:
    """Minus the divergence of the fluxes, [B, 4, X, Y]."""
    x, y = hllc_flux(prim, 0, gamma, limiter), hllc_flux(prim, 1, gamma, limiter)
    return -(float(prim.shape[2]) * (x - torch.roll(x, 1, 2)) + float(prim.shape[3]) * (y - torch.roll(y, 1, 3)))


def _stage(now: Tensor, prim: Tensor, h: Tensor, gamma: float, limiter: str, keep: Tensor | None) -> Tensor:
    x, y = hllc_flux(prim, 0, gamma, limiter, keep), hllc_flux(prim, 1, gamma, limiter, keep)
    h = h.to(now.dtype)[:, None, None, None]
    ax, ay = h * float(now.shape[2]), h * float(now.shape[3])
    return now - (ax * (x - torch.roll(x, 1, 2)) + ay * (y - torch.roll(y, 1, 3)))


def advance_all(
    state: Tensor, dt: float, gamma: float, cfl: float, max_steps: int, limiter: str = "mc"
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Evolve by `dt`: the new state, and per trajectory [B] a status, the time reached and the steps taken (float64 and int64).

    A step that leaves a cell unphysical is taken again from its start with first-order fluxes around that cell, and with half the
    step if those cells were marked before.
    """
    left = torch.full((state.shape[0],), float(dt), dtype=torch.float64, device=state.device)
    status = torch.full_like(left, OK, dtype=torch.int64)
    steps = torch.zeros_like(status)
    prim = primitives(state, gamma)
    rate = crossings(prim, gamma)
    status = torch.where(physical(prim, rate), OK, UNPHYSICAL)
    while True:
        status = torch.where((status == OK) & (left > 0) & (steps >= max_steps), STALLED, status)
        pending = (left > 0) & (status == OK)
        if not pending.any():
            return state, dt - left, status, steps
        count = torch.ceil(left * rate.double() / cfl).clamp_min(1.0)
        keep = None
        start, begin = state, prim
        for _ in range(REPAIRS + 1):
            h = torch.where(pending, left / count, 0.0)
            first = _stage(start, begin, h, gamma, limiter, keep)
            middle = primitives(first, gamma)
            good = physical(middle, crossings(middle, gamma))
            second = 0.5 * (start + _stage(first, middle, h, gamma, limiter, keep))
            end = primitives(second, gamma)
            speed = crossings(end, gamma)
            done = pending & good & physical(end, speed)
            wide = done[:, None, None, None]
            state, prim, rate = torch.where(wide, second, state), torch.where(wide, end, prim), torch.where(done, speed, rate)
            left = torch.where(done, torch.where(count > 1.0, left - h, 0.0), left)
            steps = steps + done
            pending = pending & ~done
            if not pending.any():
                break
            suspect = torch.where(good[:, None, None, None], end, middle)
            bad = ~((suspect[:, :1] > 0) & (suspect[:, 3:] > 0)) & pending[:, None, None, None]
            keep = torch.ones_like(bad) if keep is None else keep
            fresh = (bad & keep).flatten(1).any(1)
            keep = keep & ~bad
            count = torch.where(pending & ~fresh, 2.0 * count, count)
        status = torch.where(pending, UNPHYSICAL, status)

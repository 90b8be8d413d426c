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


def _rise3(far: Tensor, near: Tensor, e: Tensor) -> Tensor:
    """WENO3-Z: from a cell's value to its face, given the differences on the far and the near side of the cell."""
    p, q = far * far + e, near * near + e
    x = torch.minimum(p, q) / torch.maximum(p, q)
    thin = x * (2.0 - x)
    k = torch.where(p <= q, 1.0, thin)
    m = 2.0 * torch.where(q <= p, 1.0, thin)
    return 0.5 * (k * far + m * near) / (k + m)


def _rise5(a: Tensor, b: Tensor, c: Tensor, d: Tensor, e: Tensor) -> Tensor:
    """WENO5-Z: from a cell's value to its face beyond c, given four successive differences, c the one across that face."""
    p = 13 / 3 * ((b - a) * (b - a)) + (3.0 * b - a) * (3.0 * b - a) + e
    q = 13 / 3 * ((c - b) * (c - b)) + (c + b) * (c + b) + e
    r = 13 / 3 * ((d - c) * (d - c)) + (3.0 * c - d) * (3.0 * c - d) + e
    tau = (p - r).abs()
    x, y, z = tau / p, tau / q, tau / r
    k = 1.0 + x * x
    l = 6.0 * (1.0 + y * y)  # noqa: E741
    m = 3.0 * (1.0 + z * z)
    return (k * (5.0 * b - 2.0 * a) + l * (b + 2.0 * c) + m * (4.0 * c - d)) / (6.0 * (k + l + m))


def _rises(centre: Tensor, jump: Tensor, dim: int, gamma: float, scheme: str) -> tuple[Tensor, Tensor]:
    """From the value of every cell up to its upper face, and down to its lower one (to be subtracted); `jump` is to the next cell."""
    before = torch.roll(jump, 1, dim)
    if scheme in ("mc", "van-leer", "minmod"):
        half = _half_slope(before, jump, scheme)
        return half, half
    density, pressure = centre[:, 0], centre[:, 3]
    sound = gamma * pressure / density
    floor = 1.0 / centre.shape[dim] ** 2 * torch.stack([density * density, sound, sound, pressure * pressure], 1)
    if scheme == "weno3":
        return _rise3(before, jump, floor), _rise3(jump, before, floor)
    earlier, later = torch.roll(jump, 2, dim), torch.roll(jump, -1, dim)
    return _rise5(earlier, before, jump, later, floor), _rise5(later, jump, before, earlier, floor)


def hllc_flux(prim: Tensor, axis: int, gamma: float, scheme: str = "mc", keep: Tensor | None = None) -> Tensor:
    """Flux through the upper face of every cell along spatial axis 0 or 1, in conserved channel order, shape [B, 4, X, Y].

    `scheme` is a limiter ("mc", "van-leer", "minmod"), "weno3" or "weno5". `keep` [B, 1, X, Y] is False in cells whose faces should
    have first-order fluxes.
    """
    dim = 2 + axis
    # Along y the velocities change roles. (An index list would be copied to the device at every call.)
    centre = prim if axis == 0 else torch.stack([prim[:, 0], prim[:, 2], prim[:, 1], prim[:, 3]], 1)
    after = torch.roll(centre, -1, dim)
    up, down = _rises(centre, after - centre, dim, gamma, scheme)
    lower, upper = centre + up, after - torch.roll(down, -1, dim)
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


def rate_of_change(prim: Tensor, gamma: float, scheme: str) -> Tensor:
    """Minus the divergence of the fluxes, [B, 4, X, Y]."""
    x, y = hllc_flux(prim, 0, gamma, scheme), hllc_flux(prim, 1, gamma, scheme)
    return -(float(prim.shape[2]) * (x - torch.roll(x, 1, 2)) + float(prim.shape[3]) * (y - torch.roll(y, 1, 3)))


def _stage(now: Tensor, prim: Tensor, h: Tensor, gamma: float, scheme: str, keep: Tensor | None) -> Tensor:
    x, y = hllc_flux(prim, 0, gamma, scheme, keep), hllc_flux(prim, 1, gamma, scheme, keep)
    h = h.to(now.dtype)[:, None, None, None]
    ax, ay = h * float(now.shape[2]), h * float(now.shape[3])
    return now - (ax * (x - torch.roll(x, 1, 2)) + ay * (y - torch.roll(y, 1, 3)))


def _blend(start: Tensor, new: Tensor, stage: int, scheme: str) -> Tensor:
    """The stages of Heun's method (MUSCL) and of Shu and Osher's third-order one (WENO)."""
    if stage == 0:
        return new
    if scheme in ("weno3", "weno5"):
        return start + (0.25 if stage == 1 else 2 / 3) * (new - start)
    return 0.5 * (start + new)


def advance_all(
    state: Tensor, dt: float, gamma: float, cfl: float, max_steps: int, scheme: str = "mc"
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Evolve by `dt`: the new state, and per trajectory [B] a status, the time reached and the steps taken (float64 and int64).

    A step that leaves a cell unphysical is taken again from its start with first-order fluxes around that cell, and with half the
    step if those cells were marked before.
    """
    left = torch.full((state.shape[0],), float(dt), dtype=torch.float64, device=state.device)
    status: Tensor = torch.full_like(left, OK, dtype=torch.int64)
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
        keep: Tensor | None = None
        start, begin = state, prim
        for _ in range(REPAIRS + 1):
            h = torch.where(pending, left / count, 0.0)
            # `value` and `end` go from stage to stage; where one fails, `suspect` keeps what it left behind.
            value, end, suspect = start, begin, begin
            done = pending
            speed = rate
            for stage in range(3 if scheme in ("weno3", "weno5") else 2):
                value = _blend(start, _stage(value, end, h, gamma, scheme, keep), stage, scheme)
                end = primitives(value, gamma)
                suspect = torch.where(done[:, None, None, None], end, suspect)
                speed = crossings(end, gamma)
                done = done & physical(end, speed)
            wide = done[:, None, None, None]
            state, prim, rate = torch.where(wide, value, state), torch.where(wide, end, prim), torch.where(done, speed, rate)
            left = torch.where(done, torch.where(count > 1.0, left - h, 0.0), left)
            steps = steps + done
            pending = pending & ~done
            if not pending.any():
                break
            bad = ~((suspect[:, :1] > 0) & (suspect[:, 3:] > 0)) & pending[:, None, None, None]
            keep = torch.ones_like(bad) if keep is None else keep
            fresh = (bad & keep).flatten(1).any(1)
            keep = keep & ~bad
            count = torch.where(pending & ~fresh, 2.0 * count, count)
        status = torch.where(pending, UNPHYSICAL, status)

"""Motions as examples: whole trajectories become pairs (past frames, next frame), and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples

ABOUT = "motion"
"""Where the description stands in `Examples.about`."""


@dataclass(frozen=True)
class Motion:
    """What the examples of a motion are.

    * `body`: name of the mechanical system, "" for one of somebody's own. `pairs`: number d of conjugate pairs.
    * `dt`: time between frames, in s. `starts`, `frames`: of each system. `history`: frames that go in. `context`: frames from which a
      system is known, of another start where there is one.
    * `angles`: coordinates with period 2 pi. `even`: whether the plain reversal of momenta is claimed. `names`: of a system's numbers.
    * `sizes`: root mean square of all coordinates and of all momenta (1 for angles); one number each, so that scaling is canonical.
    """

    body: str
    pairs: int
    dt: float
    starts: int
    frames: int
    history: int
    context: int
    angles: tuple[int, ...]
    even: bool
    names: tuple[str, ...]
    sizes: tuple[float, float]


def motion_of(examples: Examples) -> Motion:
    """What the motion behind `examples` is; raises `OrbitscopeError` where nothing says so, and for examples of another shape.

    * `examples`: made by `simulate mechanics....` or by `motion_examples`.
    """
    said = examples.about.get(ABOUT)
    if not isinstance(said, Mapping) or set(said) != set(Motion.__dataclass_fields__):
        raise OrbitscopeError(
            "mechanics: these examples do not say which coordinates and momenta belong together. Make them with `orbitscope simulate "
            "mechanics.pendulum`, or with systems.mechanics.motion_examples(trajectories, dt)."
        )
    kept: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in said.items()}
    found = Motion(**kept)
    x, wide = examples.x, 2 * found.pairs
    shapes = [tuple(p.shape[1:]) for p in x] if isinstance(x, tuple) else []
    wanted = [(found.history, wide), (1,), (found.context, wide), (len(found.names),)]
    if shapes != wanted:
        raise OrbitscopeError(f"mechanics: the parts of `x` should be {wanted}, as the description of the motion says; got {shapes}.")
    return found


def motion_examples(
    trajectories: ArrayLike | Tensor, dt: float | ArrayLike, *, numbers: ArrayLike | None = None, names: Sequence[str] = (),
    angles: Sequence[int] = (), even: bool = True, history: int = 5, context: int = 16, body: str = "", rates: ArrayLike | None = None,
) -> Examples:  # fmt: skip
    r"""Trajectories of several systems as examples (past frames, direction, context, numbers) -> next frame.

    * `trajectories`: coordinates and their momenta $(q_1 .. q_d, p_1 .. p_d)$, [systems, starts, frames, 2d], in any units.
    * `dt`: time between frames, or the times of all frames [frames], in s.
    * `numbers`: what tells one system from another, [systems, k]; no model reads it, the law and a probe do. `names`: of these.
    * `angles`: coordinates with period $2\pi$. `even`: whether $(q, -p)$ run backwards is a motion too.
    * `history`: frames that go in (models of one state read the last). `context`: frames of another start of the same system, from which a
      model may know it; of the same start where there is only one.
    * `body`: of `BODIES`. `rates`: change of the numbers in time, [k], in 1/s (the phase of a drive).

    The unit of an example is its system, the slot its start and time. Raises `OrbitscopeError` for missing momenta, uneven times, too
    few frames, and angles that are no coordinates.
    """
    x = torch.as_tensor(trajectories, dtype=torch.float64)
    if x.ndim != 4 or x.shape[-1] % 2 or not x.shape[-1]:
        raise OrbitscopeError(
            "motion_examples: `trajectories` should be [systems, starts, frames, 2d], coordinates and as many momenta; got "
            f"{list(x.shape)}. From smooth coordinates alone systems.mechanics.momenta makes p = m dq/dt."
        )
    systems, starts, frames, wide = x.shape
    step = even_step(dt, frames)
    if history < 1 or context < 2 or frames < max(history + 1, context):
        raise OrbitscopeError(
            f"motion_examples: {frames} frames are too few for `history` = {history} (at least 1, and one more to come) and `context` = "
            f"{context} (at least 2)."
        )
    if wrong := [a for a in angles if not 0 <= a < wide // 2]:
        raise OrbitscopeError(f"motion_examples: `angles` should be coordinates 0 .. {wide // 2 - 1}, got {wrong[0]}.")
    n = np.zeros((systems, 0)) if numbers is None else np.asarray(numbers, float)
    if n.ndim != 2 or len(n) != systems or len(names) != n.shape[1]:
        raise OrbitscopeError(f"motion_examples: `numbers` should be [{systems}, {len(names)}], as `names` has; got {list(n.shape)}.")
    count = frames - history
    past = x.unfold(2, history, 1)[:, :, :count].movedim(-1, -2)  # [systems, starts, count, history, wide]
    known = x[:, [(a + 1) % starts for a in range(starts)], :context]
    known = known[:, :, None].expand(systems, starts, count, context, wide)
    now = torch.as_tensor(n)[:, None, None].expand(systems, starts, count, n.shape[1])
    if rates is not None:
        now = now + torch.as_tensor(np.asarray(rates, float)) * (step * torch.arange(history - 1, frames - 1)[:, None])
    d = wide // 2
    sizes = [1.0 if angles else float(x[..., :d].square().mean().sqrt()) or 1.0, float(x[..., d:].square().mean().sqrt()) or 1.0]
    said = Motion(body, d, step, starts, frames, history, context, tuple(angles), even, tuple(names), (sizes[0], sizes[1]))
    parts = (past, torch.ones(systems, starts, count, 1, dtype=torch.float64), known, now)
    unit = np.repeat(np.arange(systems), starts * count)
    slot = np.tile((np.arange(starts)[:, None] * frames + np.arange(history, frames)).ravel(), systems)
    about = {ABOUT: {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(said).items()}}
    return Examples(tuple(p.flatten(0, 2).clone() for p in parts), x[:, :, history:].flatten(0, 2).clone(), unit, slot, "motion", about)


def even_step(dt: float | ArrayLike, frames: int) -> float:
    """The time between frames; raises `OrbitscopeError` unless it is one positive number, the same throughout.

    * `dt`: that time, or the times of all `frames`, in s.
    """
    times = np.asarray(dt, dtype=float)
    steps = np.diff(times) if times.ndim else times[None]
    if times.ndim and len(times) != frames:
        raise OrbitscopeError(f"mechanics: `dt` holds {len(times)} times for {frames} frames.")
    step = float(steps.mean())
    if not np.isfinite(step) or step <= 0 or np.abs(steps - step).max() > 1e-6 * step:
        raise OrbitscopeError(
            f"mechanics: the frames should be evenly spaced in time, `dt` > 0; got steps from {steps.min():.6g} to {steps.max():.6g} s. A "
            "map learns one step of time: resample the trajectories, or leave the uneven part out."
        )
    return step


def trajectories_of(examples: Examples) -> Tensor:
    """The whole trajectories behind examples of a motion, [systems, starts, frames, 2d].

    * `examples`: all those of each system.

    Raises `OrbitscopeError` where some are missing.
    """
    motion = motion_of(examples)
    whole = motion.starts * (motion.frames - motion.history)
    order = np.lexsort((examples.slot, examples.unit))
    systems = len(examples.units)
    if len(examples) != systems * whole:
        raise OrbitscopeError(f"mechanics: {len(examples)} examples are no whole trajectories of {systems} systems ({whole} each).")
    assert isinstance(examples.x, tuple) and isinstance(examples.y, Tensor)
    shape = (systems, motion.starts, motion.frames - motion.history)
    past = examples.x[0][order].reshape(*shape, motion.history, 2 * motion.pairs)
    return torch.cat([past[:, :, 0], examples.y[order].reshape(*shape, 2 * motion.pairs)], 2)


def numbers_of(examples: Examples) -> Tensor:
    """The numbers of each system at its first example, [systems, k].

    * `examples`: of a motion.
    """
    motion_of(examples)
    assert isinstance(examples.x, tuple)
    order = np.lexsort((examples.slot, examples.unit))
    first = order[np.unique(examples.unit[order], return_index=True)[1]]
    return examples.x[3][first]


def momenta(coordinates: ArrayLike, dt: float | ArrayLike, mass: float | ArrayLike = 1.0) -> np.ndarray:
    r"""$p = m \dot q$ from evenly spaced coordinates, by a cubic spline: trajectories with the momenta after the coordinates.

    * `coordinates`: q, [..., frames, d]. `dt`: time between frames or all times, in s. `mass`: m, a number or [d], in kg.

    [..., frames, 2d]. Right where the kinetic energy is $\sum m \dot q^2 / 2$ (not for the double pendulum or in a magnetic field); the
    error is of order $dt^3$ and largest at both ends, and noise of size e becomes about $m e / dt$. Raises as `even_step` does.
    """
    from scipy.interpolate import CubicSpline

    q = np.asarray(coordinates, float)
    step = even_step(dt, q.shape[-2])
    return np.concatenate(
        [q, np.asarray(mass, float) * CubicSpline(step * np.arange(q.shape[-2]), q, axis=-2)(step * np.arange(q.shape[-2]), 1)], -1
    )

"""The scenarios of mechanics: systems that differ in their numbers, several starts each."""

from typing import Any

import numpy as np

from ..._errors import OrbitscopeError
from ..._seed import derive
from ...data import Examples
from ._about import motion_examples
from ._bodies import BODIES, DRIVE, Body
from ._integrate import flow

DEFAULTS = {"starts": 4, "frames": 129, "duration": 10.0, "history": 5, "context": 16, "noise": 0.0}
"""Parameters of every scenario: starts of a system, frames in `duration` s, frames that go in, frames of the context, noise in root mean
squares of coordinates and momenta."""


def simulated(
    name: str, count: int, seed: int, progress: Any, *, starts: int, frames: int, duration: float, history: int, context: int, noise: float,
) -> Examples:  # fmt: skip
    """`count` systems of a body with `starts` starts each, as examples.

    * `name`: of `BODIES`. `seed`: of numbers, starts and noise. `progress`: is told of them.

    The double pendulum has the published start, both rods level and at rest, as the first of each system.
    """
    for what, value, least in (("starts", starts, 1), ("frames", frames, 2)):
        if value < least:
            raise OrbitscopeError(f"simulate: `{what}` should be at least {least}, got {value}.")
    if duration <= 0 or noise < 0:
        raise OrbitscopeError(f"simulate: `duration` should be above 0 and `noise` not below; got {duration} and {noise}.")
    body = BODIES[name]
    if progress is not None:
        progress(f"solve mechanics.{name}", 0, count)
    numbers = body.draw(np.random.default_rng(derive(seed, f"{name} numbers")), count)
    path = trajectories(body, numbers, starts, np.linspace(0, duration, frames), derive(seed, f"{name} starts"))
    if noise:
        size = np.sqrt((path**2).mean((0, 1, 2)))
        d = body.pairs
        size = np.repeat([np.sqrt((size[:d] ** 2).mean()), np.sqrt((size[d:] ** 2).mean())], d)
        path = path + noise * size * np.random.default_rng(derive(seed, f"{name} noise")).normal(size=path.shape)
    if progress is not None:
        progress(f"solve mechanics.{name}", count, count)
    rates = [DRIVE if n == "phase" else 0.0 for n in body.numbers]
    even = "reversal" in body.motions
    return motion_examples(
        path, duration / (frames - 1), numbers=numbers, names=tuple(body.numbers), angles=body.angles, even=even, history=history,
        context=context, body=name, rates=rates,
    )  # fmt: skip


def trajectories(body: Body, numbers: np.ndarray, starts: int, times: np.ndarray, seed: int) -> np.ndarray:
    """States of several starts of each system, [systems, starts, times, 2d].

    * `body`: the mechanical system. `numbers`: [systems, k]. `starts`: of each. `times`: in s, the first 0. `seed`: of the starts.
    """
    rng = np.random.default_rng(seed)
    each = np.repeat(numbers, starts, 0)
    first = body.starts(rng, each)
    if body.name in ("pendulum", "damped-pendulum", "kepler"):  # these start at a turning point: anywhere on the way is as good
        first = flow(body.rate, first, each, [1.0], speed=rng.uniform(0, 6, len(each)))[:, 0]
    if body.name == "double-pendulum":
        first[::starts] = [np.pi / 2, np.pi / 2, 0, 0]
    return flow(body.rate, first, each, times).reshape(len(numbers), starts, len(times), -1)

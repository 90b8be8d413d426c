"""Mechanical systems: energies, equations of motion, what varies, and the symmetries that each one has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
GRAVITY = 9.81
"""In m/s^2."""


@dataclass(frozen=True)
class Body:
    r"""A mechanical system with states $x = (q, p)$, arrays [N, 2d], and numbers of each example, [N, k].

    * `name`: of the scenario. `pairs`: d, the number of conjugate pairs. `angles`: which coordinates have the period $2\pi$.
    * `numbers`: name -> (least, most), from which the numbers of a system are drawn evenly.
    * `rate(x, numbers, t)`: $\dot x$, [N, 2d]; t in s, [N, 1]. `energy(x, numbers)`: H, [N].
    * `starts(rng, numbers, count)`: first states of `count` systems, [N, 2d].
    * `motions`: name -> matrix [2d, 2d] and direction of time (1 or -1) of a map that commutes with the motion. `turns`: whether all
      rotations of the plane do, for coordinates (x, y) of each body in turn. `shifts`: whether a shift of all bodies does.
    * `powers`: k numbers m where $(q, p) \mapsto (a q, a p)$ commutes with the motion once the numbers are multiplied by $a^m$; None
      where it does not. `conservative`: whether the energy is kept.
    """

    name: str
    pairs: int
    numbers: Mapping[str, tuple[float, float]]
    rate: Callable[[Array, Array, Array], Array]
    energy: Callable[[Array, Array], Array]
    starts: Callable[[np.random.Generator, Array], Array]
    angles: tuple[int, ...] = ()
    motions: Mapping[str, tuple[Array, int]] = field(default_factory=dict)
    turns: bool = False
    shifts: bool = False
    powers: tuple[float, ...] | None = None
    conservative: bool = True

    def draw(self, rng: np.random.Generator, count: int) -> Array:
        """Numbers of `count` systems, [count, k], each in its own unit, drawn evenly with `rng`."""
        low, high = np.array(list(self.numbers.values())).T
        return low + (high - low) * rng.random((count, len(low)))


def reversed_momenta(pairs: int) -> Array:
    """The matrix of $(q, p) \\mapsto (q, -p)$, [2 pairs, 2 pairs]."""
    return np.diag([1.0] * pairs + [-1.0] * pairs)


def _both(matrix: Array) -> Array:
    zero = np.zeros_like(matrix)
    return np.block([[matrix, zero], [zero, matrix]])


def _pendulum_energy(x: Array, numbers: Array) -> Array:
    length = numbers[:, 0]
    return x[:, 1] ** 2 / (2 * length**2) + GRAVITY * length * (1 - np.cos(x[:, 0]))


def _pendulum_rate(x: Array, numbers: Array, t: Array) -> Array:
    length = numbers[:, 0]
    return np.stack([x[:, 1] / length**2, -GRAVITY * length * np.sin(x[:, 0])], 1)


def _damped_rate(x: Array, numbers: Array, t: Array) -> Array:
    found = _pendulum_rate(x, numbers, t)
    found[:, 1] -= numbers[:, 1] * x[:, 1]
    return found


def _driven_rate(x: Array, numbers: Array, t: Array) -> Array:
    found = _pendulum_rate(x, numbers, t)
    found[:, 1] += numbers[:, 1] * np.cos(DRIVE * t[:, 0] + numbers[:, 2])
    return found


DRIVE = 3.0
"""Angular frequency of the torque on the driven pendulum, in 1/s."""


def _pendulum_starts(rng: np.random.Generator, numbers: Array) -> Array:
    """Released at rest from .3 to 2.4 rad; the scenario lets each swing for a random time first."""
    return np.stack([rng.uniform(0.3, 2.4, len(numbers)) * rng.choice([-1.0, 1.0], len(numbers)), np.zeros(len(numbers))], 1)


def _double_energy(x: Array, numbers: Array) -> Array:
    a, b, p, r = x.T
    l2 = numbers[:, 0]
    kinetic = (l2**2 * p**2 + 2 * r**2 - 2 * l2 * p * r * np.cos(a - b)) / (2 * l2**2 * (1 + np.sin(a - b) ** 2))
    return kinetic - 2 * GRAVITY * np.cos(a) - GRAVITY * l2 * np.cos(b)


def _double_rate(x: Array, numbers: Array, t: Array) -> Array:
    a, b, p, r = x.T
    l2 = numbers[:, 0]
    c, s = np.cos(a - b), np.sin(a - b)
    bottom = 1 + s**2
    da = (l2 * p - r * c) / (l2 * bottom)
    db = (2 * r - l2 * p * c) / (l2**2 * bottom)
    top = l2**2 * p**2 + 2 * r**2 - 2 * l2 * p * r * c
    slope = p * r * s / (l2 * bottom) - top * s * c / (l2**2 * bottom**2)  # of the kinetic energy along a - b
    return np.stack([da, db, -slope - 2 * GRAVITY * np.sin(a), slope - GRAVITY * l2 * np.sin(b)], 1)


def _double_low(rng: np.random.Generator, numbers: Array) -> Array:
    return np.concatenate([rng.uniform(-0.5, 0.5, (len(numbers), 2)), np.zeros((len(numbers), 2))], 1)


def _double_high(rng: np.random.Generator, numbers: Array) -> Array:
    return np.concatenate([np.pi / 2 + rng.uniform(-0.3, 0.3, (len(numbers), 2)), np.zeros((len(numbers), 2))], 1)


def _kepler_energy(x: Array, numbers: Array) -> Array:
    return (x[:, 2:] ** 2).sum(1) / 2 - numbers[:, 0] / np.sqrt((x[:, :2] ** 2).sum(1))


def _kepler_rate(x: Array, numbers: Array, t: Array) -> Array:
    cube = (x[:, :2] ** 2).sum(1) ** 1.5
    return np.concatenate([x[:, 2:], -(numbers[:, 0] / cube)[:, None] * x[:, :2]], 1)


def _kepler_starts(rng: np.random.Generator, numbers: Array) -> Array:
    """At the pericentre of an ellipse in a random direction, either way round; the scenario lets it run for a random time."""
    count = len(numbers)
    axis, e, angle = rng.uniform(0.8, 1.2, count), rng.uniform(0, 0.4, count), rng.uniform(0, 2 * np.pi, count)
    speed = np.sqrt(numbers[:, 0] / axis * (1 + e) / (1 - e)) * rng.choice([-1.0, 1.0], count)
    r, c, s = axis * (1 - e), np.cos(angle), np.sin(angle)
    return np.stack([r * c, r * s, -speed * s, speed * c], 1)


CHAIN = 3
"""Masses of the chain of springs."""


def _chain_energy(x: Array, numbers: Array) -> Array:
    q = np.pad(x[:, :CHAIN], ((0, 0), (1, 1)))
    return (x[:, CHAIN:] ** 2).sum(1) / 2 + numbers[:, 0] / 2 * (np.diff(q, axis=1) ** 2).sum(1)


def _chain_rate(x: Array, numbers: Array, t: Array) -> Array:
    stretch = np.diff(np.pad(x[:, :CHAIN], ((0, 0), (1, 1))), axis=1)
    return np.concatenate([x[:, CHAIN:], numbers[:, :1] * np.diff(stretch, axis=1)], 1)


def _chain_starts(rng: np.random.Generator, numbers: Array) -> Array:
    return rng.normal(size=(len(numbers), 2 * CHAIN)) * np.repeat([0.5, 1.0], CHAIN)


EIGHT = ((0.97000436, -0.24308753), (-0.93240737, -0.86473146))
"""Place of the first body and velocity of the third on the figure of eight of three equal masses (Chenciner and Montgomery, Annals of
Mathematics 152 (2000) 881, with Simo's numbers); the second stands opposite to the first, the third in the middle."""
_PAIRS = ((0, 1), (0, 2), (1, 2))


def _three_energy(x: Array, numbers: Array) -> Array:
    q = x[:, :6].reshape(-1, 3, 2)
    apart = [np.linalg.norm(q[:, a] - q[:, b], axis=1) for a, b in _PAIRS]
    return (x[:, 6:] ** 2).sum(1) / 2 - numbers[:, 0] * sum(1 / r for r in apart)


def _three_rate(x: Array, numbers: Array, t: Array) -> Array:
    q, force = x[:, :6].reshape(-1, 3, 2), np.zeros((len(x), 3, 2))
    for a, b in _PAIRS:
        gap = q[:, b] - q[:, a]
        pull = numbers[:, :1] * gap / (gap**2).sum(1, keepdims=True) ** 1.5
        force[:, a] += pull
        force[:, b] -= pull
    return np.concatenate([x[:, 6:], force.reshape(-1, 6)], 1)


def _three_starts(rng: np.random.Generator, numbers: Array) -> Array:
    """Near the figure of eight, turned anyhow and either way round, the centre of mass at rest."""
    count, (place, speed) = len(numbers), np.array(EIGHT)
    q, v = np.stack([place, -place, 0 * place]), np.stack([-speed / 2, -speed / 2, speed])
    way = rng.choice([-1.0, 1.0], count)[:, None, None] * np.sqrt(numbers[:, :1, None])
    x = np.stack([np.broadcast_to(q, (count, 3, 2)), way * v], 1) + 0.02 * rng.normal(size=(count, 2, 3, 2))
    x = x - x.mean(2, keepdims=True)
    angle = rng.uniform(0, 2 * np.pi, count)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], 1).reshape(-1, 1, 1, 2, 2)
    return (turn @ x[..., None])[..., 0].reshape(count, 12)


TRAP = 0.25
"""Stiffness of the well that holds the charged particle, in 1/s^2."""


def _charged_velocity(x: Array, numbers: Array) -> Array:
    half = numbers[:, 0] / 2
    return np.stack([x[:, 2] + half * x[:, 1], x[:, 3] - half * x[:, 0]], 1)


def _charged_energy(x: Array, numbers: Array) -> Array:
    return (_charged_velocity(x, numbers) ** 2).sum(1) / 2 + TRAP / 2 * (x[:, :2] ** 2).sum(1)


def _charged_rate(x: Array, numbers: Array, t: Array) -> Array:
    v, half = _charged_velocity(x, numbers), numbers[:, 0] / 2
    force = np.stack([half * v[:, 1], -half * v[:, 0]], 1) - TRAP * x[:, :2]
    return np.concatenate([v, force], 1)


def _charged_starts(rng: np.random.Generator, numbers: Array) -> Array:
    return rng.normal(size=(len(numbers), 4))


_SWING = {"reversal": (reversed_momenta(1), -1), "mirror": (-np.eye(2), 1)}
_FLIP = _both(np.diag([1.0, -1.0]))
_LENGTH = {"length": (0.5, 1.0)}
_TWO_LENGTHS = {"length2": (0.5, 1.5)}
_TWICE = {"reversal": (reversed_momenta(2), -1), "mirror": (-np.eye(4), 1)}
BODIES: dict[str, Body] = {
    b.name: b
    for b in (
        Body("pendulum", 1, _LENGTH, _pendulum_rate, _pendulum_energy, _pendulum_starts, (0,), _SWING),
        Body("double-pendulum", 2, _TWO_LENGTHS, _double_rate, _double_energy, _double_high, (0, 1), _TWICE),
        Body("double-pendulum-low", 2, _TWO_LENGTHS, _double_rate, _double_energy, _double_low, (0, 1), _TWICE),
        Body(
            "kepler", 2, {"pull": (0.8, 1.2)}, _kepler_rate, _kepler_energy, _kepler_starts, (),
            {"reversal": (reversed_momenta(2), -1), "mirror": (_FLIP, 1)}, True, powers=(3.0,),
        ),
        Body(
            "three-body", 6, {"pull": (0.8, 1.2)}, _three_rate, _three_energy, _three_starts, (),
            {
                "reversal": (reversed_momenta(6), -1), "mirror": (np.kron(np.eye(6), np.diag([1.0, -1.0])).astype(float), 1),
                "exchange": (np.kron(np.eye(2), np.kron(np.eye(3)[[1, 0, 2]], np.eye(2))).astype(float), 1),
            }, True, True, (3.0,),
        ),
        Body(
            "springs", CHAIN, {"stiffness": (1.0, 4.0)}, _chain_rate, _chain_energy, _chain_starts, (),
            {"reversal": (reversed_momenta(CHAIN), -1), "exchange": (_both(np.eye(CHAIN)[::-1].copy()), 1)}, powers=(0.0,),
        ),
        Body(
            "charged", 2, {"field": (0.5, 1.5)}, _charged_rate, _charged_energy, _charged_starts, (),
            {"reversal with mirror": (reversed_momenta(2) @ _FLIP, -1)}, True, powers=(0.0,),
        ),
        Body(
            "damped-pendulum", 1, {**_LENGTH, "damping": (0.1, 0.3)}, _damped_rate, _pendulum_energy, _pendulum_starts, (0,), _SWING,
            conservative=False,
        ),
        Body(
            "driven-pendulum", 1, {**_LENGTH, "torque": (1.0, 2.0), "phase": (0.0, 2 * np.pi)}, _driven_rate, _pendulum_energy,
            _pendulum_starts, (0,), _SWING, conservative=False,
        ),
    )
}  # fmt: skip
"""Scenario without its family -> what is simulated. The damped and the driven one claim what holds without friction and torque."""

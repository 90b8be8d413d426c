"""A stand-in for jets without a generator of events: decays in three bodies, drawn with numpy, seconds for a hundred thousand.

A resonance of one mass decays through a second one (top-like) or an object of a broad spectrum of masses decays in two steps whose masses
are drawn too. Momenta are those of a detector's frame: a flat spectrum of pT, rapidity within 2, any azimuth. It has the kinematics of
the real question, that a class is a statement about the invariant mass, and nothing of its showers.
"""

import numpy as np
from collider import Jets
from numpy.typing import NDArray

Array = NDArray[np.float64]

TOP, W, LIGHT = 1.73, 0.80, 0.05  # 100 GeV
_SMEARED = 0.05  # relative width of the resonance


def toy(number: int, count: int, pt: tuple[float, float] = (5.5, 10.0)) -> Jets:
    """`count` jets of the pool `number`, half of each class, in random order; `pt`: range in 100 GeV."""
    rng = np.random.default_rng([0x70E, number])
    label = rng.permutation(np.arange(count) % 2)
    heavy = np.where(label == 1, TOP * (1 + _SMEARED * rng.standard_normal(count)), np.exp(rng.normal(-0.1, 0.5, count)))
    heavy = np.maximum(heavy, 4 * LIGHT)
    inner = np.where(label == 1, W, 2 * LIGHT + (heavy - 3 * LIGHT) * rng.beta(1, 2, count))
    inner = np.minimum(inner, heavy - 1.5 * LIGHT)
    first, pair = _decay(rng, heavy, np.full(count, LIGHT), inner)
    second, third = (_boosted(p, _velocity(pair)) for p in _decay(rng, inner, np.full(count, LIGHT), np.full(count, LIGHT)))
    whole = _momentum(rng, heavy, pt)
    subjets = np.stack([_boosted(p, _velocity(whole)) for p in (first, second, third)], 1)
    order = np.argsort(-np.hypot(subjets[..., 1], subjets[..., 2]), axis=1)
    subjets = np.take_along_axis(subjets, order[..., None], 1)
    return Jets(subjets, label, np.arange(count), girth(subjets), 100 * np.hypot(whole[:, 1], whole[:, 2]), 100 * heavy)


def girth(subjets: Array) -> Array:
    """Sum of pT dR over sum of pT, distances to the sum of the subjets in rapidity and azimuth."""
    whole = subjets.sum(1, keepdims=True)
    pt = lambda p: np.hypot(p[..., 1], p[..., 2])  # noqa: E731
    rapidity = lambda p: np.arctanh(p[..., 3] / p[..., 0])  # noqa: E731
    turn = np.arctan2(subjets[..., 2], subjets[..., 1]) - np.arctan2(whole[..., 2], whole[..., 1])
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    return (pt(subjets) * np.hypot(rapidity(subjets) - rapidity(whole), turn)).sum(1) / pt(subjets).sum(1)


def _decay(rng: np.random.Generator, mass: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Two bodies of masses a and b, back to back in the rest frame of `mass`, in any direction."""
    energy = (mass**2 + a**2 - b**2) / (2 * mass)
    p = np.sqrt(np.maximum(energy**2 - a**2, 0))
    direction = rng.standard_normal((len(mass), 3))
    p3 = p[:, None] * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return np.column_stack([np.sqrt(p**2 + a**2), p3]), np.column_stack([np.sqrt(p**2 + b**2), -p3])


def _momentum(rng: np.random.Generator, mass: Array, pt: tuple[float, float]) -> Array:
    size, phi, y = rng.uniform(*pt, len(mass)), rng.uniform(-np.pi, np.pi, len(mass)), rng.uniform(-2, 2, len(mass))
    across = np.hypot(mass, size)
    return np.column_stack([across * np.cosh(y), size * np.cos(phi), size * np.sin(phi), across * np.sinh(y)])


def _velocity(p: Array) -> Array:
    return p[:, 1:] / p[:, :1]


def _boosted(p: Array, velocity: Array) -> Array:
    """`p` [N, 4] seen by one who sees its frame move at `velocity` [N, 3]."""
    square = (velocity**2).sum(1)
    gamma = 1 / np.sqrt(1 - square)
    along = (velocity * p[:, 1:]).sum(1)
    factor = np.where(square > 0, (gamma - 1) / np.maximum(square, 1e-300), 0.0) * along + gamma * p[:, 0]
    return np.column_stack([gamma * (p[:, 0] + along), p[:, 1:] + factor[:, None] * velocity])

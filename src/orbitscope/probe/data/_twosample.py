"""Is a set of states distributed as its moved copy? A two-sample permutation test per element."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Trajectories

Array = NDArray[np.float64]
Move = Callable[[Any, Tensor], Tensor]
"""(element, samples [n, ...]) -> moved samples."""
_POOL, _SLOPE_POOL = 4, 8
_BLOCK = 4096  # relabellings at a time, so that memory does not grow with their number


def invariance_p_value(
    states: Tensor,
    element: Any,
    action: Move,
    *,
    seed: int = 0,
    permutations: int = 1999,
    describe: Callable[[Tensor], Array] | None = None,
) -> float:
    r"""p-value of "x and gx have one distribution", from independent samples `states` [n, ...]; of several elements (a sequence) each
    sample is moved by one, drawn at random. `describe`: samples -> statistics [n, F]; by default `features` of fields [n, time, C, X, Y].

    The sample is cut into halves A and B at random; A is compared with gB by the energy distance
    $2 E|a - gb| - E|a - a'| - E|gb - gb'|$ between vectors of statistics (see `features`), against random relabellings. Under
    invariance A and gB are exchangeable, so the p-value is exact for any n and any statistics; its power depends on both. The smallest
    possible value is 1 / (permutations + 1).
    """
    rng = np.random.default_rng([seed, 0x2A5A])
    from scipy.spatial.distance import cdist

    order = torch.from_numpy(rng.permutation(len(states)))
    half = len(states) // 2
    first, second = states[order[:half]], states[order[half:]]
    # Scaled by both together, or relabelling would not be exact.
    pooled = (describe or features)(torch.cat([first, _moved(second, element, action, rng)]))
    spread = pooled.std(0)
    varies = spread > 1e-12 * (np.abs(pooled).max(0) + 1e-300)
    pooled = pooled[:, varies] / spread[varies]
    distance = np.asarray(cdist(pooled, pooled), dtype=np.float64)
    label = np.zeros(len(pooled))
    label[:half] = 1
    observed = _energy(distance, label[None])[0]
    as_large = 0
    for start in range(0, permutations, _BLOCK):
        labels = rng.permuted(np.broadcast_to(label, (min(_BLOCK, permutations - start), len(label))), axis=1)
        as_large += int((_energy(distance, labels) >= observed * (1 - 1e-12)).sum())
    return (1 + as_large) / (1 + permutations)


def _moved(states: Tensor, element: Any, action: Move, rng: np.random.Generator) -> Tensor:
    elements = list(element) if isinstance(element, Sequence) else [element]
    if len(elements) == 1:
        return action(elements[0], states)
    drawn, moved = rng.integers(len(elements), size=len(states)), states.clone()
    for k in np.unique(drawn):
        moved[drawn == k] = action(elements[k], states[drawn == k]).to(moved.dtype)
    return moved


def features(states: Tensor) -> Array:
    """Statistics of each sample [n, time, C, X, Y], shape [n, F]: means, products of channels, products of gradients, a coarse picture
    of the fields, and a finer one of their squared gradients.

    Products of gradients tell the direction a component points along; the first picture tells where things are, the second where
    they change: quadrants with random states look the same on average everywhere, but their edges do not.
    """
    n, times, channels = states.shape[:3]
    fields = states.double().flatten(1, 2)
    space = fields.ndim - 2
    axes, pool = tuple(range(2, 2 + space)), (F.adaptive_avg_pool1d, F.adaptive_avg_pool2d, F.adaptive_avg_pool3d)[space - 1]
    rms = fields.square().mean(dim=(0, *axes)).sqrt().reshape(times, channels).amax(0).repeat(times)
    fields = fields / (rms.reshape(-1, *[1] * space) + 1e-300)
    per_time = fields.reshape(n, times, channels, *fields.shape[2:])
    slopes = torch.stack([per_time.roll(-1, d) - per_time.roll(1, d) for d in range(-space, 0)], dim=3)
    slopes = slopes / (slopes.square().mean().sqrt() + 1e-300)
    blocks = [fields.mean(axes), _moments(per_time, space), _moments(slopes.flatten(2, 3), space)]
    blocks.append(pool(fields, _POOL))
    blocks.append(pool(slopes.square().sum(3).flatten(1, 2), _SLOPE_POOL))
    return torch.cat([b.flatten(1) for b in blocks], 1).numpy()


def can_reject(samples: int, tests: int, alpha: float) -> bool:
    """Whether `samples` trajectories can give a p-value that survives Holm's correction for `tests` elements at all.

    Halves of n samples can be relabelled in C(n, n/2) ways, so no p-value is below 2 / C(n, n/2): a test of fewer is no test.

    >>> can_reject(8, 8, 0.01), can_reject(16, 8, 0.01)
    (False, True)
    """
    return samples >= 2 and 2 * tests / math.comb(samples, samples // 2) < alpha


def holm(p_values: NDArray[np.floating]) -> Array:
    """Holm's correction for testing several elements: the family-wise error stays below alpha where the result is below alpha."""
    order = np.argsort(p_values)
    scaled = np.maximum.accumulate((len(p_values) - np.arange(len(p_values))) * p_values[order])
    result = np.empty(len(p_values))
    result[order] = np.minimum(scaled, 1)
    return result


def sample_states(data: Trajectories, count: int, times: int, seed: int) -> Tensor:
    """`times` states, evenly spread, of up to `count` trajectories, [n, times, C, X, Y]; raise at the first NaN or infinity."""
    rng = np.random.default_rng([seed, 0x57A7])
    chosen = np.sort(rng.permutation(data.trajectories)[:count])
    frames = np.unique(np.linspace(0, data.times - 1, times).round().astype(int))
    states = torch.stack([torch.stack([data.state(int(i), int(t)) for t in frames]) for i in chosen])
    bad = ~torch.isfinite(states)
    if bool(bad.any()):
        n, t, c = (int(i) for i in bad.nonzero()[0][:3])
        raise OrbitscopeError(
            f"data: trajectory {chosen[n]}, time {frames[t]}, channel {data.layout.channel_names[c]} holds NaN or infinite values. "
            "Remove the trajectory, or fill the values."
        )
    return states


def _moments(values: Tensor, space: int) -> Tensor:
    """Mean products of all pairs of channels, [n, time, pairs], over the last `space` axes."""
    flat = values.flatten(-space)
    products = flat @ flat.transpose(-1, -2) / flat.shape[-1]
    i, j = torch.triu_indices(values.shape[2], values.shape[2])
    return products[..., i, j]


def _energy(distance: Array, labels: Array) -> Array:
    """Energy distance for each row of 0/1 labels."""
    one, other = labels, 1 - labels
    a, b = one.sum(1), other.sum(1)
    to_one = one @ distance
    within_a = (to_one * one).sum(1) / (a * a)
    between = (to_one * other).sum(1) / (a * b)
    within_b = ((other @ distance) * other).sum(1) / (b * b)
    return 2 * between - within_a - within_b

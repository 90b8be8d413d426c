"""Answers of a trained emulator without its frame: arrays in, means and deviations out, for chains and grids of very many queries."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..._errors import OrbitscopeError
from ._amplitude import amplitude_table
from ._catalogue import Real
from ._ensemble import _LARGEST, AlignmentEmulator
from ._occupation import _LEAST, _SOFT
from ._region import Outside

Single = NDArray[np.float32]
_CHUNK = 128  # rows whose hidden values stay in the processor's cache
_SLACK = 1e-6
_LANES = 16  # numbers in single precision of one vector instruction, at most


class QuickEmulator:
    """The same means and deviations as `AlignmentEmulator.predict`, to single precision, some times faster and without gradients.

    * `model`: a trained emulator, factorised, without random dropout. Its weights are copied: train further, make a new one.

    Raises `OrbitscopeError` for an emulator of another kind.
    """

    def __init__(self, model: AlignmentEmulator) -> None:
        if not isinstance(model, AlignmentEmulator) or not model.factorised or model.rank:
            raise OrbitscopeError("QuickEmulator: takes a factorised AlignmentEmulator of rank 0. Ask others by predict().")
        self.region, self.bins, self.members = model.region, model.bins, model.members
        r = model.region
        at = np.eye(len(r.names))[r.pivot]
        slope, shift, low, high, floor, ceiling = (p.double().numpy() for p in (r.slope, r.shift, r.low, r.high, r.floor, r.ceiling))
        half, wide = np.maximum((high - low) / 2, 1e-12), np.maximum((ceiling - floor) / 2, 1e-12)
        turned = np.eye(len(r.names)) - np.outer(at, slope)  # theta without what the pivot says of it
        self._into = np.concatenate([turned / half, np.eye(len(r.names)) / wide], 1)
        self._from = np.concatenate([-(shift + (high + low) / 2) / half, -(ceiling + floor) / 2 / wide])
        with torch.no_grad():
            self._mean = [_layer(m) for m in (model.trunk.first, *model.trunk.inner)]
            self._noise = [_layer(m) for m in (model.unrest.first, *model.unrest.inner)]
            self._last = self._folded(model)
            weight, bias = _layer(model.scatter)
            self._scatter = weight[0] / np.float32(_LARGEST), bias[0] / np.float32(_LARGEST)
            quiet = 2 * model.noise.double().log() + (model.level[:1].double() if model.numbers.numbers else 0.0)
            self._quiet = quiet.float().numpy().ravel()
        from ._quick_kernel import amplitudes, assemble, occupation_numbers, occupation_sums, silu_first, silu_more  # numba

        self._assemble, self._sums, self._ended = assemble, occupation_sums, occupation_numbers
        self._first, self._more, self._aligned = silu_first, silu_more, amplitudes
        known = model.numbers
        mass, count, self._middle, self._size = (p.double().numpy() for p in (known.log_mass, known.count, known.middle, known.size))
        more = -len(mass) % _LANES if known.numbers else 0  # classes without halos, which leave no rest that is not of one instruction
        mass, count = np.append(mass, np.repeat(mass[-1:], more)), np.append(count, np.zeros(more))
        self._classes = tuple(p.astype(np.float32) for p in (mass, 10 ** (12 - mass), 10 ** (0.4 * (mass - 13)), count))
        self._known, self._place, self._spread = (
            model.numbers,
            len(r.names),
            np.float32(model.numbers.size[0] if model.numbers.numbers else 0),
        )
        self._table = np.ascontiguousarray(amplitude_table())

    def _folded(self, model: AlignmentEmulator) -> list[tuple[Single, Single]]:
        """The last layers, of xi and of the parts, with the units of what they give in them."""
        level, width = (p.double().flatten() for p in (model.level, model.width))
        weight, bias = model.centre.weight.double(), model.centre.bias.double()
        if (basis := model._buffers["basis"]) is not None:
            weight, bias = weight @ basis.double(), bias @ basis.double()
        weight, bias = weight * width, bias * width + level
        parts = slice(0, self.bins), slice(self.bins, None)
        return [(_single(weight[..., some]), _single(bias[..., some])) for some in parts]

    def __call__(self, theta: ArrayLike, outside: Outside = "warn") -> tuple[Single, Single]:
        """Means of the statistics and deviations of one realisation, the emulator's own part included, [B, 3, R] both.

        * `theta`: parameters, [B, 7] or [7]. `outside`: as of `predict`.
        """
        given: Real = np.atleast_2d(np.asarray(theta, dtype=np.float64))
        if given.ndim != 2 or given.shape[1] != len(self.region.names):
            raise OrbitscopeError(f"theta: should be [B, {len(self.region.names)}] parameters, got {list(np.shape(theta))}.")
        x = given @ self._into + self._from
        if not np.abs(x).max() <= 1 + _SLACK:
            self.region.check(torch.from_numpy(given), outside)
        seen = np.concatenate([x[:, : given.shape[1]], self._numbers(given)], 1, dtype=np.float32, casting="same_kind")
        fewer = 2 * self._spread * seen[:, self._place] if self._known.numbers else np.zeros(len(seen), np.float32)
        amplitudes = np.empty((len(seen), 2), np.float32)
        self._aligned(given, self._table, amplitudes)
        mean, deviation = np.empty((2, len(seen), 3, self.bins), dtype=np.float32)
        for start in range(0, len(seen), _CHUNK):
            rows = slice(start, start + _CHUNK)
            self._fill(seen[rows], fewer[rows], amplitudes[rows], mean[rows], deviation[rows])
        return mean, deviation

    def _numbers(self, theta: Real) -> Real:
        """As of `OccupationNumbers`, in single precision."""
        if not self._known.numbers:
            return theta[:, :0]
        sums, numbers = np.empty((len(theta), 7)), np.empty((len(theta), 8))
        self._sums(theta, *self._classes, np.float32(_SOFT), sums)
        self._ended(sums, _LEAST, self._middle, self._size, numbers)
        return numbers

    def _through(self, x: Single, layers: Sequence[tuple[Single, Single]]) -> Single:
        """Hidden values of a trunk, [M, B, W], of what goes in, [B, K]."""
        h = x @ layers[0][0]
        self._first(h, layers[0][1])
        y = np.empty_like(h)
        for weight, bias in layers[1:]:
            np.matmul(h, weight, out=y)
            self._more(y, bias, h)
        return h

    def _fill(self, x: Single, fewer: Single, amplitude: Single, mean: Single, deviation: Single) -> None:
        h = self._through(x[:, 2:], self._mean)
        (of_xi, at_xi), (of_parts, at_parts) = self._last
        of_noise, at_noise = self._scatter
        quiet = self._through(x, self._noise)[0] @ of_noise
        self._assemble(
            h @ of_xi, at_xi, h @ of_parts, at_parts, quiet, at_noise, self._quiet, np.float32(_LARGEST), fewer, self._known.numbers > 0,
            amplitude, mean, deviation,
        )  # fmt: skip


def _single(values: torch.Tensor) -> Single:
    return np.ascontiguousarray(values.float().numpy())


def _layer(layer: torch.nn.Module) -> tuple[Single, Single]:
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, torch.Tensor) and isinstance(bias, torch.Tensor)
    return weight.float().numpy().copy(), bias.float().numpy().copy()

"""Answers of a trained emulator without its frame: arrays in, means and deviations out, for chains and grids of very many queries."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfc

from ..._errors import OrbitscopeError
from ._amplitude import amplitude_table
from ._catalogue import Real
from ._ensemble import _LARGEST, AlignmentEmulator
from ._occupation import _LEAST, _SOFT
from ._region import Outside

Single = NDArray[np.float32]
_CHUNK = 256  # rows whose hidden values stay in the processor's cache
_SLACK = 1e-6
_FEW = 8  # rows for which a loop is faster than numpy


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
            self._noise = [tuple(p[0] for p in _layer(m)) for m in (model.unrest.first, *model.unrest.inner)]
            self._last = self._folded(model)
            weight, bias = _layer(model.scatter)
            self._scatter = weight[0] / np.float32(_LARGEST), bias[0] / np.float32(_LARGEST)
            quiet = 2 * model.noise.double().log() + (model.level[:1].double() if model.numbers.numbers else 0.0)
            self._quiet = quiet.float().numpy().ravel()
        from ._quick_kernel import assemble, occupation_numbers, occupation_sums  # numba

        self._assemble, self._sums, self._ended = assemble, occupation_sums, occupation_numbers
        known = model.numbers
        self._mass, self._count, self._middle, self._size = (
            p.double().numpy().copy() for p in (known.log_mass, known.count, known.middle, known.size)
        )
        self._thin = (10.0**-self._mass).astype(np.float32)
        self._tables = (self._count[:, None] * np.stack([np.ones_like(self._mass), 10 ** (0.4 * (self._mass - 13)), self._mass], 1)).astype(
            np.float32
        )
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
        x = x[:, : given.shape[1]].astype(np.float32)
        amplitudes = self._amplitudes(given[:, :2])
        mean, deviation = np.empty((2, len(x), 3, self.bins), dtype=np.float32)
        for start in range(0, len(x), _CHUNK):
            rows = slice(start, start + _CHUNK)
            seen = np.concatenate([x[rows], self._numbers(given[rows])], 1, dtype=np.float32, casting="same_kind")
            self._fill(seen, amplitudes[rows], mean[rows], deviation[rows])
        return mean, deviation

    def _numbers(self, theta: Real) -> Real:
        """As of `OccupationNumbers`: a few rows by a compiled loop, many by numpy in single precision."""
        if not self._known.numbers:
            return theta[:, :0]
        if len(theta) <= _FEW:
            sums = np.empty((len(theta), 7))
            self._sums(theta, self._mass, self._count, _SOFT, sums)
        else:
            sums = self._sums_of_many(theta)
        numbers = np.empty((len(theta), 8))
        self._ended(sums, _LEAST, self._middle, self._size, numbers)
        return numbers

    def _sums_of_many(self, theta: Real) -> Real:
        t = theta.astype(np.float32)[:, :, None]
        m, ten = self._mass.astype(np.float32), np.float32(np.log(10))
        x = t[:, 2] - m
        x /= t[:, 3]
        central = erfc(x)
        central *= np.float32(0.5)
        np.multiply((10 ** theta[:, 4:5]).astype(np.float32), self._thin, out=x)
        np.subtract(np.float32(1), np.minimum(x, np.float32(100), out=x), out=x)
        root = x * x
        root += np.float32(_SOFT)
        x += np.sqrt(root, out=root)
        x *= np.float32(0.5)
        np.log(x, out=x)
        x += ten * (m - t[:, 5])
        x *= t[:, 6]
        satellites = np.exp(x, out=x)
        mixed, both = central * satellites, satellites * satellites
        c, s, d, e = (p @ self._tables for p in (central, satellites, mixed, both))  # over 1, M^0.4, log10 M
        columns = c[:, 0], s[:, 0], d[:, 0], e[:, 0], c[:, 1] + s[:, 1], 2 * d[:, 2] + e[:, 2], s[:, 2]
        return np.stack(columns, 1).astype(np.float64)

    def _amplitudes(self, strength: Real) -> Single:
        count = self._table.shape[1]
        place = (strength + 1) * (count / 2)
        number = np.clip(place.astype(np.int64), 0, count - 1)
        a, b, c, d = self._table[:, number]
        t = place - number
        return (((a * t + b) * t + c) * t + d).astype(np.float32)

    def _fill(self, x: Single, amplitude: Single, mean: Single, deviation: Single) -> None:
        h = _through(x[:, 2:], self._mean)
        (of_xi, at_xi), (of_parts, at_parts) = self._last
        counted = h @ of_xi
        counted += at_xi
        np.exp(np.clip(counted, -_LARGEST, _LARGEST, out=counted), out=counted)
        held = h @ of_parts
        held += at_parts
        quiet = _through(x, self._noise) @ self._scatter[0]
        quiet += self._scatter[1]
        np.tanh(quiet, out=quiet)
        quiet *= np.float32(_LARGEST)
        quiet += self._quiet
        if self._known.numbers:
            quiet -= 2 * self._spread * x[:, self._place : self._place + 1]
        self._assemble(counted, held, amplitude, np.exp(quiet, out=quiet), self._known.numbers > 0, mean, deviation)


def _through(x: Single, layers: Sequence[tuple[Single, Single]]) -> Single:
    """Hidden values of a trunk."""
    h = x
    for k, (weight, bias) in enumerate(layers):
        y = h @ weight
        y += bias
        h = _silu(y) if k == 0 else np.add(h, _silu(y), out=y)
    return h


def _single(values: torch.Tensor) -> Single:
    return np.ascontiguousarray(values.float().numpy())


def _layer(layer: torch.nn.Module) -> tuple[Single, Single]:
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, torch.Tensor) and isinstance(bias, torch.Tensor)
    return weight.float().numpy().copy(), bias.float().numpy().copy()


def _silu(x: Single) -> Single:
    """x / (1 + exp(-x)), in the memory of x."""
    small = np.negative(x)
    np.exp(small, out=small)
    small += 1
    x /= small
    return x

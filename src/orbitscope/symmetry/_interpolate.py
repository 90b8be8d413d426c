"""Resampling a field at moved points where the grid has none: Fourier shifts and local Lagrange interpolation."""

import itertools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def fourier_shift(state: Tensor, fraction: float, dim: int) -> Tensor:
    r"""Shift a periodic axis by `fraction` of its period: $\hat x_k \to e^{-2\pi i k s} \hat x_k$.

    Exact for fields without power at the Nyquist mode of an even axis (that mode is multiplied by $\cos \pi n s$, the only
    real choice, and so does not compose). Works with forward- and reverse-mode differentiation and vmap.

    * `state`: a real tensor.
    * `dim`: the axis of the tensor that is shifted.
    """
    n = state.shape[dim]
    modes = torch.fft.rfft(state, dim=dim)
    angle = -2 * math.pi * fraction * torch.arange(modes.shape[dim], dtype=torch.float64)
    phase = torch.polar(torch.ones_like(angle), angle).to(device=state.device, dtype=modes.dtype)
    shape = [1] * state.ndim
    shape[dim] = -1
    return torch.fft.irfft(modes * phase.reshape(shape), n=n, dim=dim)


def sample(state: Tensor, points: Tensor, periodic: tuple[bool, ...], order: int) -> Tensor:
    r"""Values of `state` [..., *shape] at fractional indices `points` [ndim, *out], by Lagrange interpolation of odd degree `order`.

    Uses (order + 1)^ndim neighbours; the error on a smooth field falls as spacing^(order + 1). Indices wrap on periodic axes and are
    clamped to the edge on others. Only gathers and products with constants: linear in `state`, differentiable both ways.
    """
    ndim = points.shape[0]
    shape = state.shape[-ndim:]
    base = torch.floor(points)
    weights = [_lagrange(points[i] - base[i], order) for i in range(ndim)]
    offsets = range(-(order // 2), order // 2 + 2)
    indices = [[_fold(base[i].long() + o, shape[i], periodic[i]) for o in offsets] for i in range(ndim)]
    flat = state.reshape(*state.shape[:-ndim], -1)
    total = None
    for corner in itertools.product(range(order + 1), repeat=ndim):
        index, weight = indices[0][corner[0]], weights[0][corner[0]]
        for i in range(1, ndim):
            index = index * shape[i] + indices[i][corner[i]]
            weight = weight * weights[i][corner[i]]
        term = flat[..., index.to(state.device)] * weight.to(device=state.device, dtype=state.dtype)
        total = term if total is None else total + term
    assert total is not None
    return total


def sample_inside(values: Tensor, points: Tensor, ndim: int, order: int) -> Tensor:
    r"""Values at fractional indices [..., channel, *out], by Lagrange interpolation of odd degree `order` from inside the array.

    Near an edge the (order + 1)^ndim neighbours are those next to it, so that the error stays of order spacing^(order + 1) up to the
    edge; an index outside takes the value of the nearest point of the edge. Linear in `values`, differentiable both ways and in `points`.

    * `values`: [*lead, channel, *shape] with at least order + 1 points on every axis.
    * `points`: [ndim, *out] for all, or [*lead, ndim, *out] for each example its own; out has `ndim` axes.
    """
    lead = points.ndim - 1 - ndim
    shape, out, half = values.shape[-ndim:], points.shape[lead + 1 :], order // 2
    flat, places, weights = values.flatten(-ndim), [], []
    for i, n in enumerate(shape):
        at = points.select(lead, i).clamp(0, n - 1)
        base = torch.floor(at.detach()).clamp(half, n - 2 - half)
        places.append(base.long() - half)
        weights.append([w.to(values) for w in _lagrange(at - base, order)])
    total = None
    for corner in itertools.product(range(order + 1), repeat=ndim):
        index, weight = places[0] + corner[0], weights[0][corner[0]]
        for i in range(1, ndim):
            index = index * shape[i] + places[i] + corner[i]
            weight = weight * weights[i][corner[i]]
        term = _gathered(flat, index.flatten(-ndim).to(values.device)) * weight.flatten(-ndim).unsqueeze(-2)
        total = term if total is None else total + term
    assert total is not None
    return total.unflatten(-1, out)


def derivative_weights(points: int, stencil: int) -> NDArray[np.float64]:
    """The first derivative at every point of a line of unit spacing from `stencil` near points, [points, points]; one-sided at ends."""
    out, stencil = np.zeros((points, points)), min(stencil, points)
    for i in range(points):
        start = min(max(i - stencil // 2, 0), points - stencil)
        offsets = np.arange(start, start + stencil) - i
        powers = offsets[None, :] ** np.arange(stencil)[:, None]  # exact for polynomials below this degree
        out[i, start : start + stencil] = np.linalg.solve(powers.astype(float), np.eye(stencil)[1])
    return out


def _gathered(flat: Tensor, index: Tensor) -> Tensor:
    """flat [*lead, channel, P] at index [out] or [*lead, out]."""
    if index.ndim == 1:
        return flat[..., index]
    return flat.gather(-1, index.unsqueeze(-2).expand(*flat.shape[:-1], -1))


def _lagrange(t: Tensor, order: int) -> list[Tensor]:
    """Weights of the order + 1 nodes around a point at fraction t of its cell."""
    nodes = range(-(order // 2), order // 2 + 2)
    return [math.prod(((t - m) / (j - m) for m in nodes if m != j), start=torch.ones_like(t)) for j in nodes]


def _fold(index: Tensor, n: int, periodic: bool) -> Tensor:
    return index.remainder(n) if periodic else index.clamp(0, n - 1)

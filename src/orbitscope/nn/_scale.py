r"""Scale: features on a ladder of scales, which $w(x, t) \mapsto \lambda\, w(\lambda x, \lambda^2 t)$ moves by a step along the ladder."""

import math
from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._surround import check_counts


class _Filters(nn.Module):
    r"""Derivatives of a Gaussian of width $s \sigma$ on a periodic box: $\prod_a (i k_a s \sigma)^{m_a} e^{-s^2 \sigma^2 k^2 / 2}$.

    Transfer functions, low-pass at their own scale: nothing aliases, and no kernel is sampled or resampled. `orders` are the lowest
    and the highest $m_1 + m_2 + \dots$
    """

    def __init__(self, width: float, extent: Sequence[float], orders: tuple[int, int]) -> None:
        super().__init__()
        self.width, self.extent = width, tuple(extent)
        powers = product(range(orders[1] + 1), repeat=len(self.extent))
        self.powers = [p for p in powers if orders[0] <= sum(p) <= orders[1]]

    def forward(self, shape: Sequence[int], scale: float, like: Tensor) -> Tensor:
        """[filter, *modes of rfftn] for a grid of `shape`."""
        factors = []
        for axis, (n, extent) in enumerate(zip(shape, self.extent, strict=True)):
            last = axis == len(shape) - 1
            wave = torch.fft.rfftfreq(n, 1 / n) if last else torch.fft.fftfreq(n, 1 / n)
            wave = wave.to(like.device, torch.float64)
            reach = 2 * math.pi / extent * scale * self.width * wave
            # The mode at half the sampling rate has no odd derivative.
            odd = torch.where(2 * wave.abs() == n, torch.zeros_like(reach), reach)
            damped = torch.exp(-reach.square() / 2)
            top = max(max(p) for p in self.powers)
            factors.append([(reach if m % 2 == 0 else odd) ** m * damped / math.sqrt(math.factorial(m)) for m in range(top + 1)])
        rows = []
        for p in self.powers:
            row = torch.ones((), dtype=torch.float64, device=like.device)
            for axis, m in enumerate(p):
                row = row[..., None] * factors[axis][m]
            rows.append(row * 1j ** (sum(p) % 4))
        return torch.stack([r.to(torch.complex128) for r in rows]).to(like.dtype)


class _OnLadder(nn.Module):
    """What the three layers share: the ladder of scales and the filters."""

    def __init__(self, scales: Sequence[float], width: float, extent: float | Sequence[float], ndim: int, orders: tuple[int, int]) -> None:
        super().__init__()
        extent = (float(extent),) * ndim if isinstance(extent, int | float) else tuple(float(e) for e in extent)
        ratios = [b / a for a, b in zip(scales, scales[1:], strict=False)]
        if not scales or min(scales) <= 0 or any(not math.isclose(r, ratios[0]) or r <= 1 for r in ratios):
            raise OrbitscopeError(f"scale: `scales` must be positive with one ratio above 1, such as 1, 2, 4; got {tuple(scales)}.")
        if width <= 0 or min(extent) <= 0 or not 0 <= orders[0] <= orders[1]:
            raise OrbitscopeError(f"scale: `width`, `extent` must be positive, `orders` rising; got {width}, {extent}, {orders}.")
        self.scales, self.ndim = tuple(float(s) for s in scales), ndim
        self.filters = _Filters(float(width), extent, orders)

    def _spectrum(self, x: Tensor) -> Tensor:
        """[batch, channel, ..., *grid] -> [channel, batch, ..., *modes]."""
        return torch.fft.rfftn(x.transpose(0, 1), dim=tuple(range(-self.ndim, 0)))

    def _filtered(self, spectrum: Tensor, weight: Tensor, scale: float, shape: Sequence[int]) -> Tensor:
        """Sum over inputs and filters: spectrum [in, batch, *modes], weight [out, in, filter] -> [batch, out, *grid]."""
        # First the channels, one real matrix for all modes and states, then the filters, which are real or imaginary: complex products
        # of small matrices, mode by mode, are slower.
        bank = self.filters(shape, scale, spectrum)
        parts = torch.view_as_real(spectrum)
        sums: list[Tensor | None] = [None, None]  # of the even and of the odd filters, those without their i
        for i, powers in enumerate(self.filters.powers):
            odd = sum(powers) % 2
            mixed = (weight[:, :, i] @ parts.flatten(1)).unflatten(1, parts.shape[1:]) * (bank[i].imag if odd else bank[i].real)[..., None]
            before = sums[odd]
            sums[odd] = mixed if before is None else before + mixed
        even, odd = (torch.view_as_complex(m) if m is not None else 0.0 for m in sums)
        answer = torch.fft.irfftn(even + 1j * odd, s=tuple(shape), dim=tuple(range(-self.ndim, 0)))
        return answer.transpose(0, 1)


class ScaleLift(_OnLadder):
    r"""Frames of a flow -> features on a ladder of scales s: $h_s = s^p\, \psi_s * w$, $\psi_s(x, t) = s^{-d-2}\, \psi(x / s,\, t / s^2)$.

    If $w'(x, t) = \lambda^p w(\lambda x, \lambda^2 t)$, then $h'_s(x) = h_{\lambda s}(\lambda x)$: the features step along the ladder
    and zoom, and carry no factor any more. Input [batch, frames * channels_in, *grid], oldest frame first, periodic; output
    [batch, channels_out, scale, *grid].

    * `channels_in`, `channels_out`: channels of one frame, and of every scale.
    * `scales`: s, positive, rising by one ratio above 1, such as (1, 2, 4).
    * `width`: reach of the kernel at s = 1, in the unit of `extent`.
    * `extent`: lengths of the periodic box, one number or one per axis.
    * `powers`: p per channel, or one for all: velocity 1, vorticity 2, tracer 0.
    * `frames`: states that come in. `dt`: time between two of them.
    * `memory`: reach of the kernel in time at s = 1, in the unit of `dt`; the kernel is averaged over each frame's share of time, so a
      memory shorter than `dt` does not alias.
    * `ndim`: dimensions of space.
    * `orders`: lowest and highest order of the derivatives that the filters are.

    Works on any grid of the box. Raises `OrbitscopeError` for scales, widths, orders or powers that make no ladder.

    *Exact* (rounding) for one frame on periodic grids and whole ratios; in time the frames are a quadrature, whose error is of
    second order in dt.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        scales: Sequence[float],
        *,
        width: float,
        extent: float | Sequence[float] = 1.0,
        powers: Sequence[float] | float = 1.0,
        frames: int = 1,
        dt: float = 1.0,
        memory: float = 1.0,
        ndim: int = 2,
        orders: tuple[int, int] = (0, 2),
    ) -> None:
        super().__init__(scales, width, extent, ndim, orders)
        check_counts("ScaleLift", channels_in=channels_in, channels_out=channels_out, frames=frames, ndim=ndim)
        self.channels_in, self.frames, self.dt, self.memory = channels_in, frames, dt, memory
        self.powers = (float(powers),) * channels_in if isinstance(powers, int | float) else tuple(float(p) for p in powers)
        if len(self.powers) != channels_in:
            raise OrbitscopeError(f"ScaleLift: `powers` needs {channels_in} numbers, one per channel, got {len(self.powers)}.")
        self.tails = 1 if frames == 1 else 2
        self.weight = _weight(channels_out, channels_in * self.tails, len(self.filters.powers))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, states: Tensor) -> Tensor:
        """Features of every scale of `states` [batch, frames * channels_in, *grid]: [batch, channels_out, scale, *grid]."""
        if states.ndim != self.ndim + 2 or states.shape[1] != self.frames * self.channels_in:
            raise OrbitscopeError(
                f"ScaleLift: expected [batch, {self.frames} * {self.channels_in}, *grid] with {self.ndim} axes, got {tuple(states.shape)}."
            )
        shape = states.shape[2:]
        spectrum = self._spectrum(states)
        spectrum = spectrum.unflatten(0, (self.frames, self.channels_in))
        levels = []
        for scale in self.scales:
            factors = torch.tensor([scale**p for p in self.powers], dtype=states.dtype, device=states.device)
            seen = torch.einsum("nq,qc...->cn...", self.recall(scale).to(spectrum), spectrum)
            seen = seen * factors.reshape(-1, *[1] * (self.ndim + 2))
            levels.append(self._filtered(seen.flatten(0, 1), self.weight, scale, shape))
        return torch.stack(levels, dim=2) + self.bias.reshape(-1, *[1] * (self.ndim + 1))

    def recall(self, scale: float) -> Tensor:
        r"""Weights of the frames at `scale` s, [tail, frame], oldest first.

        $\int u^n e^{-u} du$ over a frame's share of time, $u = -t / (s^2 \mathrm{memory})$, for the tail n.
        """
        if self.frames == 1:
            return torch.ones(1, 1, dtype=torch.float64)
        edges = (torch.arange(self.frames + 1, dtype=torch.float64) - 0.5).clamp(min=0) * self.dt / (scale**2 * self.memory)
        gone = torch.stack([1 - torch.exp(-edges), 1 - (1 + edges) * torch.exp(-edges)])  # integrals of e^-u and u e^-u from 0
        return gone.diff(dim=1).flip(1)


class ScaleConv(_OnLadder):
    r"""Features on a ladder -> features on it: $h_s \mapsto \sum_{j < n} \psi^{(j)}_s * h_{s r^j}$, n `neighbours`, r the ratio.

    * `channels_in`, `channels_out`: channels of every scale, in and out.
    * `scales`: those of the `ScaleLift` before it.
    * `width`, `extent`, `ndim`, `orders`: of the filters, as of `ScaleLift`.
    * `neighbours`: n, how many scales each one sees: its own and the next coarser ones.

    [batch, channels_in, scale, *grid] -> [batch, channels_out, scale, *grid]. Commutes with a step along the ladder where both the
    level and its coarser neighbours are on it; levels beyond the end count as 0, which is the error of a finite ladder.
    Raises `OrbitscopeError` for scales, widths or orders that make no ladder.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        scales: Sequence[float],
        *,
        width: float,
        extent: float | Sequence[float] = 1.0,
        neighbours: int = 2,
        ndim: int = 2,
        orders: tuple[int, int] = (0, 2),
    ) -> None:
        super().__init__(scales, width, extent, ndim, orders)
        check_counts("ScaleConv", channels_in=channels_in, channels_out=channels_out, neighbours=neighbours, ndim=ndim)
        self.neighbours = min(neighbours, len(self.scales))
        self.weight = _weight(channels_out, channels_in * self.neighbours, len(self.filters.powers))
        self.bias = nn.Parameter(torch.zeros(channels_out))

    def forward(self, features: Tensor) -> Tensor:
        """`features` [batch, channels_in, scale, *grid] of every scale -> [batch, channels_out, scale, *grid]."""
        _check_ladder("ScaleConv", features, self.weight.shape[1] // self.neighbours, len(self.scales), self.ndim)
        spectrum = self._spectrum(features)
        each = spectrum.unbind(2)
        levels = []
        for i, scale in enumerate(self.scales):
            near = each[i : i + self.neighbours]  # beyond the end nothing: fewer inputs
            weight = self.weight.unflatten(1, (-1, self.neighbours))[:, :, : len(near)].flatten(1, 2)
            levels.append(self._filtered(torch.stack(near, dim=1).flatten(0, 1), weight, scale, features.shape[3:]))
        return torch.stack(levels, dim=2) + self.bias.reshape(-1, *[1] * (self.ndim + 1))


class ScaleProject(_OnLadder):
    r"""Features on a ladder -> a flow: $y = \sum_s s^{-p}\, \psi_s * h_s$, which transforms as $y'(x) = \lambda^p\, y(\lambda x)$.

    * `channels_in`: channels of every scale. `channels_out`: channels of the flow.
    * `scales`: those of the `ScaleLift` before it.
    * `width`, `extent`, `ndim`: of the filters, as of `ScaleLift`.
    * `powers`: p per output channel, or one for all: velocity 1, its rate of change 3 (a *step* of fixed dt does not transform: the moved
      one takes $dt / \lambda^2$).
    * `orders`: lowest and highest order of the derivatives; None: from the largest p (at least 1) to 2 more.

    The filters start at derivatives of order p (at least 1), so that the sum falls off at both ends of the
    ladder (with lower `orders` the fine end grows as $s^{m - p}$): what a longer ladder would add is the error of this one.
    [batch, channels_in, scale, *grid] -> [batch, channels_out, *grid]. Raises `OrbitscopeError` for scales, widths, orders or powers that
    make no ladder.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        scales: Sequence[float],
        *,
        width: float,
        extent: float | Sequence[float] = 1.0,
        powers: Sequence[float] | float = 1.0,
        ndim: int = 2,
        orders: tuple[int, int] | None = None,
    ) -> None:
        check_counts("ScaleProject", channels_in=channels_in, channels_out=channels_out, ndim=ndim)
        exponents = (float(powers),) * channels_out if isinstance(powers, int | float) else tuple(float(p) for p in powers)
        lowest = max(1, math.ceil(max(exponents, default=1.0)))
        super().__init__(scales, width, extent, ndim, orders or (lowest, lowest + 2))
        self.powers = exponents
        if len(self.powers) != channels_out:
            raise OrbitscopeError(f"ScaleProject: `powers` needs {channels_out} numbers, one per channel, got {len(self.powers)}.")
        self.weight = _weight(channels_out, channels_in, len(self.filters.powers))

    def forward(self, features: Tensor) -> Tensor:
        """The flow of `features` [batch, channels_in, scale, *grid]: [batch, channels_out, *grid]."""
        _check_ladder("ScaleProject", features, self.weight.shape[1], len(self.scales), self.ndim)
        spectrum = self._spectrum(features)
        total = None
        for i, scale in enumerate(self.scales):
            factors = torch.tensor([scale**-p for p in self.powers], dtype=features.dtype, device=features.device)
            part = self._filtered(spectrum[:, :, i], self.weight * factors[:, None, None], scale, features.shape[3:])
            total = part if total is None else total + part
        assert total is not None
        return total


def _weight(out: int, inputs: int, filters: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(out, inputs, filters) / math.sqrt(inputs * filters))


def _check_ladder(who: str, features: Tensor, channels: int, levels: int, ndim: int) -> None:
    if features.ndim != ndim + 3 or features.shape[1] != channels or features.shape[2] != levels:
        raise OrbitscopeError(
            f"{who}: expected [batch, {channels}, {levels} scales, *grid] with {ndim} axes, got {tuple(features.shape)}. "
            "Give all layers the same `scales`."
        )

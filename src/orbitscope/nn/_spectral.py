"""Linear maps of the low Fourier modes: plain, and commuting with a group."""

import math

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..symmetry import is_lattice, same_elements
from ._features import Features
from ._field_kernel import FieldKernel
from ._steerable_kernel import default_degree


class SpectralConv(nn.Module):
    r"""$\hat y(k) = W(k)\, \hat x(k)$ for $|k_a| <$ `modes` along every axis a, 0 elsewhere; [B, C_in, *space] -> [B, C_out, *space].

    $W$ is stored as real numbers [2 modes - 1, ..., modes, in, out, 2] (last axis: real, imaginary; wave numbers 0, 1, ..., -1 along all
    axes but the last, 0 to modes - 1 along that), which every file format and optimiser takes. The kept modes are symmetric in $k_x$, so
    quarter turns map them onto themselves. Half precision is computed in float32.

    * `channels_in`, `channels_out`: numbers of channels.
    * `modes`: wave numbers per axis, counting 0.
    * `ndim`: space axes.

    Raises `OrbitscopeError` for a grid with fewer than 2 `modes` cells along an axis. Source: Li et al., "Fourier Neural Operator for
    Parametric PDEs", ICLR 2021, equation (4).
    """

    def __init__(self, channels_in: int, channels_out: int, modes: int, ndim: int = 2) -> None:
        super().__init__()
        self.modes, self.ndim = modes, ndim
        scale = 1 / math.sqrt(2 * channels_in)
        self.weight = nn.Parameter(scale * torch.randn(*(2 * modes - 1,) * (ndim - 1), modes, channels_in, channels_out, 2))

    def forward(self, x: Tensor) -> Tensor:
        """The channels of `x` [B, channels_in, *space], filtered, on the same grid."""
        return _in_full_precision(x, self.modes, self.ndim, self.weight)


class EquivariantSpectralConv(FieldKernel):
    r"""`SpectralConv` between fields of a lattice group, [B, into.channels, *space] -> [B, out.channels, *space]: two or three dimensions.

    $$\hat y(k) = W(k)\, \hat x(k), \quad W(g k) = \rho_{out}(g)\, W(k)\, \rho_{in}(g)^{-1}, \quad W(-k) = \overline{W(k)}$$

    One set of weights per orbit of wave vectors. They are those of a real kernel A on the kept wave vectors under the first condition:
    $W(k) = \tfrac{1 + i}{2} A(k) + \tfrac{1 - i}{2} A(-k)$, which every W under both is, and for one A only. So inputs and outputs may be
    any fields of `Features` (a velocity turns as a vector), and free weights are as many as the plain layer has real ones, over |G| for
    regular fields. Commutes with every shift too. The dense arithmetic is the plain layer's, at |G| channels for a regular field.

    * `into`, `out`: what the channels hold; one lattice group (c4, d4, o, oh or a subgroup).
    * `modes`: wave numbers per axis, counting 0: $|k_a| <$ modes.
    * `gain`: root mean square of an output over that of an input, at the kept modes of fresh weights.

    Periodic: what is beyond one edge is what is at the other. Raises `OrbitscopeError` for other groups, fields of two groups, and for a
    grid with fewer than 2 `modes` cells along an axis. Source: Helwig et al., "Group Equivariant Fourier Neural Operators for
    Partial Differential Equations", ICML 2023, for regular fields; here for fields of any kind.
    """

    def __init__(self, into: Features, out: Features, modes: int, *, gain: float = 1.0) -> None:
        if not same_elements(into.group, out.group):
            raise OrbitscopeError(f"EquivariantSpectralConv: `into` {into} and `out` {out} belong to different groups.")
        if not is_lattice(into.group):
            raise OrbitscopeError(
                f"EquivariantSpectralConv: {into.group.name} turns wave vectors of the grid between one another; take c4, d4, o, oh or a "
                "subgroup. C_8 and SO(2) have `EquivariantConv`."
            )
        if modes < 1:
            raise OrbitscopeError(f"EquivariantSpectralConv: `modes` must be at least 1, got {modes}.")
        kernel = 2 * modes - 1
        super().__init__(into, out, kernel, default_degree(kernel), False)
        self.modes = modes
        self.fill(self.anchor)
        # Weights of one wave vector, not of all together, give an output its size.
        self.reset_parameters(gain * math.sqrt(kernel**into.ndim))

    def forward(self, x: Tensor) -> Tensor:
        """The fields of `x` [B, into.channels, *grid], filtered, on the same grid."""
        self.into.check(x, "EquivariantSpectralConv")
        return _in_full_precision(x, self.modes, self.into.ndim, self.weight_tensor())

    def weight_tensor(self) -> Tensor:
        """W as `SpectralConv` stores it, [2 modes - 1, ..., modes, into.channels, out.channels, 2]."""
        real = self.kernel_tensor()
        axes = tuple(range(2, real.ndim))
        here, there = (a.narrow(-1, self.modes - 1, self.modes) for a in (real, real.flip(axes)))
        made = 0.5 * torch.stack([here + there, here - there], -1)
        # Wave numbers count from -(modes - 1) in a kernel, and from 0 in a transform.
        made = made.roll((1 - self.modes,) * (len(axes) - 1), axes[:-1])
        return made.permute(*axes, 1, 0, -1)

    @torch.no_grad()
    def export(self) -> nn.Module:
        """A `SpectralConv` with the same answer."""
        weight = self.weight_tensor().contiguous()
        made = SpectralConv(self.into.channels, self.out.channels, self.modes, self.into.ndim).to(weight)
        made.weight.copy_(weight)
        return made


def _in_full_precision(x: Tensor, modes: int, ndim: int, weight: Tensor) -> Tensor:
    shape = tuple(x.shape[-ndim:])
    if min(shape) < 2 * modes:
        raise OrbitscopeError(f"fno: {modes} modes need at least {2 * modes} cells per axis, got the grid {shape}. Lower `modes`.")
    dtype = x.dtype
    with torch.autocast(x.device.type, enabled=False):
        full = x if dtype in (torch.float32, torch.float64) else x.float()
        return _filtered(full, modes, ndim, weight).to(dtype)


def _filtered(x: Tensor, modes: int, ndim: int, weight: Tensor) -> Tensor:
    shape = tuple(x.shape[-ndim:])
    w = torch.complex(weight[..., 0], weight[..., 1]).to(torch.promote_types(torch.complex64, x.dtype))
    low = torch.fft.rfftn(x, dim=tuple(range(-ndim, 0)))[..., :modes]
    for axis in range(-ndim, -1):
        low = torch.cat([low.narrow(axis, 0, modes), low.narrow(axis, shape[axis] - modes + 1, modes - 1)], dim=axis)
    mixed = torch.einsum("bi...,...io->bo...", low, w)
    for axis in range(-ndim, -1):
        gap = mixed.new_zeros([shape[axis] - 2 * modes + 1 if d == mixed.ndim + axis else n for d, n in enumerate(mixed.shape)])
        mixed = torch.cat([mixed.narrow(axis, 0, modes), gap, mixed.narrow(axis, modes, modes - 1)], dim=axis)
    columns = mixed.new_zeros((*mixed.shape[:-1], shape[-1] // 2 + 1 - modes))
    return torch.fft.irfftn(torch.cat([mixed, columns], dim=-1), s=shape, dim=tuple(range(-ndim, 0)))

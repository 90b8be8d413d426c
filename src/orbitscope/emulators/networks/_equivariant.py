"""UNet and ResNet with a symmetry built in."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import Activation, EquivariantConv, Features, FieldNorm, Pool, Upsample, boundaries_of, restrict
from ...symmetry import Grid, Group, Layout, is_lattice
from ._layers import Image, check_channels, check_divisible, check_positive

MAX_FREQUENCY = 2


class EquivariantResNet(nn.Module):
    r"""`ResNet` whose every layer commutes with `group`: residual convolutions at full resolution, [B, C_in, X, Y] -> [B, C_out, X, Y].

    * `channels_in`, `channels_out`: C_in and C_out, each a whole number of frames of `layout`, oldest first.
    * `layout`: the fields of a state, which say how its channels mix.
    * `grid`: sets what lies beyond the edge: periodic axes are circular, walls mirror (all components as they are); None: all circular.
    * `group`: the group, or its word ("d4", "c8", "so2").
    * `width`: number of hidden fields: regular ones for C_n and D_n (n or 2n channels each), for SO(2) and O(2) one invariant, one of
      frequency 1 and one of frequency 2 each (5 channels).
    * `depth`: residual blocks, of two convolutions each.
    * `kernel`: width of the kernels in cells, odd.

    Exact for the elements that map the grid onto itself. Raises `OrbitscopeError` for a group that exchanges axes of different kinds, and
    names the subgroup to take.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid | None = None,
        group: str | Group = "d4",
        width: int = 8,
        depth: int = 4,
        kernel: int = 5,
    ) -> None:
        super().__init__()
        check_positive("equivariant_resnet", width=width, depth=depth, kernel=kernel)
        into, out = ends("equivariant_resnet", channels_in, channels_out, layout, group)
        boundary = edges("equivariant_resnet", grid, into.group)
        fields = hidden(into.group, width)
        self.channels_in = channels_in
        self.lift = EquivariantConv(into, fields, kernel, boundary=boundary)
        self.blocks = nn.Sequential(*(EquivariantBlock(fields, fields, kernel, boundary) for _ in range(depth)))
        self.norm, self.act = FieldNorm(fields), Activation(fields)
        self.head = EquivariantConv(fields, out, 3, boundary=boundary)

    def forward(self, state: Image) -> Image:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        check_channels(state, self.channels_in, "equivariant_resnet")
        return self.head(self.act(self.norm(self.blocks(self.lift(state)))))


class EquivariantUNet(nn.Module):
    r"""`UNet` whose every layer commutes with `group`, [B, C_in, X, Y] -> [B, C_out, X, Y].

    * `channels_in`, `channels_out`, `layout`, `grid`, `group`: as of `EquivariantResNet`.
    * `width`: hidden fields of the finest level; level l has `width` $2^l$. What a hidden field is: see `EquivariantResNet`.
    * `kernels`: width of the kernels of each level in cells, odd, from fine to coarse.
    * `heads`: above 0 the coarsest level attends over all its cells, with so many heads: queries, keys and values are fields, and inner
      products of fields are invariant. 0: no attention.

    Down: an even kernel with stride 2, centred on the coarse cell, plus a pooled skip; up: nearest-neighbour; both keep quarter turns on
    even grids.

    Commutes with shifts by the total stride only, as `UNet`. Raises `OrbitscopeError` unless X and Y are divisible by it.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid | None = None,
        group: str | Group = "d4",
        width: int = 4,
        kernels: tuple[int, ...] = (5, 3, 3),
        heads: int = 4,
    ) -> None:
        super().__init__()
        check_positive("equivariant_unet", width=width)
        if not kernels or any(k < 1 or k % 2 == 0 for k in kernels):
            raise OrbitscopeError(f"equivariant_unet: `kernels` must be odd, one per level from fine to coarse, got {tuple(kernels)}.")
        into, out = ends("equivariant_unet", channels_in, channels_out, layout, group)
        edge = edges("equivariant_unet", grid, into.group)
        self.channels_in, self.stages = channels_in, len(kernels) - 1
        levels = [hidden(into.group, width * 2**level) for level in range(len(kernels))]
        pairs = list(zip(levels, levels[1:], strict=False))
        self.lift = EquivariantConv(into, levels[0], kernels[0], boundary=edge)
        self.down = nn.ModuleList(EquivariantBlock(f, f, k, edge) for f, k in zip(levels[:-1], kernels, strict=False))
        self.coarsen = nn.ModuleList(_Coarsen(a, b, edge) for a, b in pairs)
        self.bottom = EquivariantBlock(levels[-1], levels[-1], kernels[-1], edge)
        self.attend = _FieldAttention(levels[-1], heads) if heads else nn.Identity()
        self.refine = nn.ModuleList(nn.Sequential(EquivariantConv(b, a, 1), Upsample(a)) for a, b in pairs)
        self.up = nn.ModuleList(EquivariantBlock(f + f, f, k, edge) for f, k in zip(levels[:-1], kernels, strict=False))
        self.norm, self.act = FieldNorm(levels[0]), Activation(levels[0])
        self.head = EquivariantConv(levels[0], out, 3, boundary=edge)

    def forward(self, state: Image) -> Image:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        check_channels(state, self.channels_in, "equivariant_unet")
        check_divisible(state, 2**self.stages, "equivariant_unet", f"{self.stages} down-samplings")
        h = self.lift(state)
        skips = []
        for block, coarsen in zip(self.down, self.coarsen, strict=True):
            h = block(h)
            skips.append(h)
            h = coarsen(h)
        h = self.attend(self.bottom(h))
        for level in reversed(range(self.stages)):
            h = self.up[level](torch.cat([self.refine[level](h), skips[level]], dim=1))
        return self.head(self.act(self.norm(h)))


class EquivariantBlock(nn.Module):
    r"""$(\mathrm{skip}(x) + f(x)) / \sqrt 2$ with $f$ = norm, nonlinearity, conv, twice; the skip is a 1x1 conv where the fields differ."""

    def __init__(self, into: Features, out: Features, kernel: int, boundary: str | Sequence[str] = "circular") -> None:
        super().__init__()
        self.first = nn.Sequential(FieldNorm(into), Activation(into), EquivariantConv(into, out, kernel, boundary=boundary))
        self.second = nn.Sequential(FieldNorm(out), Activation(out), EquivariantConv(out, out, kernel, boundary=boundary))
        self.skip = nn.Identity() if into == out else EquivariantConv(into, out, 1)

    def forward(self, x: Image) -> Image:
        return (self.skip(x) + self.second(self.first(x))) / math.sqrt(2)


class _Coarsen(nn.Module):
    """Half the resolution: (strided convolution + pooled skip) / sqrt 2."""

    def __init__(self, into: Features, out: Features, boundary: str | Sequence[str]) -> None:
        super().__init__()
        self.conv = EquivariantConv(into, out, 4, stride=2, boundary=boundary)
        self.skip = nn.Sequential(Pool(into), EquivariantConv(into, out, 1))

    def forward(self, x: Image) -> Image:
        return (self.conv(x) + self.skip(x)) / math.sqrt(2)


class _FieldAttention(nn.Module):
    """Attention over the cells of a small grid, without position embedding; each head holds whole fields."""

    def __init__(self, features: Features, heads: int) -> None:
        super().__init__()
        blocks = features.blocks
        if any(len(numbers) % heads for _, numbers in blocks):
            raise OrbitscopeError(f"heads: must divide the {len(blocks[0][1])} fields of the attention, got {heads}.")
        # Head by head, so that the channels of a head are neighbours.
        words = [w for _ in range(heads) for f, numbers in blocks for w in [f.representation] * (len(numbers) // heads)]
        inner = Features(features.group, words)
        self.heads = heads
        self.norm = FieldNorm(features)
        self.query, self.key, self.value = (EquivariantConv(features, inner, 1) for _ in range(3))
        self.project_out = EquivariantConv(inner, features, 1)

    def forward(self, x: Image) -> Image:
        h = self.norm(x)
        query, key, value = (self._split(layer(h)) for layer in (self.query, self.key, self.value))
        weights = torch.softmax(query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]), dim=-1)
        mixed = (weights @ value).transpose(-1, -2).reshape(x.shape)
        return (x + self.project_out(mixed)) / math.sqrt(2)

    def _split(self, x: Tensor) -> Tensor:
        """[B, heads, cells, channels of a head]."""
        return x.flatten(2).unflatten(1, (self.heads, -1)).transpose(-1, -2)


def hidden(group: Group, fields: int) -> Features:
    """The hidden fields of a group: regular, or the lowest frequencies of a continuous one."""
    if group.sampled:
        return Features(group, [f"irrep:{k}*{fields}" for k in range(MAX_FREQUENCY + 1)])
    return Features(group, [f"regular*{fields}"])


def regular(model: str, group: Group, fields: int) -> Features:
    """The hidden fields of a model that is exact on a lattice only; raises for other groups."""
    if not is_lattice(group):
        raise OrbitscopeError(
            f"{model}: `group` {group.name} turns the cells of a grid between one another; take c4, d4 or a subgroup. C_8 and SO(2) have "
            "equivariant_unet and equivariant_resnet."
        )
    return Features(group, [f"regular*{fields}"])


def ends(
    model: str, channels_in: int, channels_out: int, layout: Layout, group: str | Group, ndim: int | None = 2
) -> tuple[Features, Features]:
    """What goes in and comes out: frames of the layout; `ndim`, where given, is the number of space axes that the model takes."""
    features = []
    for name, channels in (("channels_in", channels_in), ("channels_out", channels_out)):
        if channels < 1 or channels % layout.channels:
            raise OrbitscopeError(f"{model}: `{name}` = {channels} is no number of frames of `layout` ({layout}).")
        features.append(Features.from_layout(layout.stack(channels // layout.channels), group))
    if ndim is not None and features[0].ndim != ndim:
        raise OrbitscopeError(f"{model}: takes two space dimensions; the group {features[0].group.name} has {features[0].ndim}.")
    return features[0], features[1]


def edges(model: str, grid: Grid | None, group: Group) -> str | tuple[str, ...]:
    """What lies beyond the edge of each axis; raises where the group exchanges axes that differ."""
    if grid is None:
        return "circular"
    if grid.centring != "cell":
        raise OrbitscopeError(f"{model}: cell-centred grids only; got {grid}.")
    kept = restrict(group, grid)
    if len(kept) < len(group):
        words = {4: "d2", 2: "c2 or d1", 1: "c1"}.get(len(kept), "a subgroup")
        raise OrbitscopeError(
            f"{model}: `group` {group.name} exchanges the axes of the grid {grid} with extent {grid.extent}, which differ. Its symmetry is "
            f"{', '.join(g.name for g in kept)}: take group={words}."
        )
    return boundaries_of(grid.boundary)

"""ViT with a symmetry built in."""

import torch
import torch.nn.functional as F
from torch import nn

from ..._errors import OrbitscopeError
from ...nn import EquivariantConv, Features, FrameAttention, Pointwise, Unpatch
from ...symmetry import Grid, Group, Layout
from ._equivariant import edges, ends, regular
from ._layers import Image, check_channels, check_divisible, check_positive


class EquivariantViT(nn.Module):
    r"""`ViT` whose every layer commutes with `group`, on a grid of fixed resolution, [B, C_in, X, Y] -> [B, C_out, X, Y].

    Patches come from an equivariant convolution of `patch` + 2 cells with stride `patch`, which sees one cell of every neighbour (one side
    only, as in `ViT`, would be no turn), and go back by its transpose. Tokens hold regular fields and attend once in the frame of every
    element, with a free number per displacement *in that frame* in place of the position embedding (`nn.FrameAttention`): scores summed
    over frames could only tell distances, and an embedding of places would break shifts. So on periodic axes shifts by a patch commute too.

    * `channels_in`, `channels_out`: numbers of channels, whole frames of `layout`, oldest first.
    * `layout`: how the channels of a state mix.
    * `resolution`: cells along both axes.
    * `grid`: where given, sets what lies beyond the edge: periodic axes are circular, walls mirror (all components as they are).
    * `group`: c4, d4 or a subgroup.
    * `width`: hidden fields, |G| channels each.
    * `heads`: of the attention; each is |G| heads, one per frame.
    * `depth`: number of blocks.
    * `patch`: cells per axis.
    * `ratio`: hidden fields of the pointwise networks over `width`.

    Exact for the elements that map the grid onto itself; they must keep `resolution` too. Raises `OrbitscopeError` for other groups, for
    one that exchanges axes of different kinds, and for another resolution or one that `patch` does not divide.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        resolution: tuple[int, int],
        grid: Grid | None = None,
        group: str | Group = "d4",
        width: int = 24,
        heads: int = 2,
        depth: int = 4,
        patch: int = 4,
        ratio: float = 2.0,
    ) -> None:
        super().__init__()
        check_positive("equivariant_vit", width=width, heads=heads, depth=depth, patch=patch)
        into, out = ends("equivariant_vit", channels_in, channels_out, layout, group)
        if resolution[0] % patch or resolution[1] % patch:
            raise OrbitscopeError(
                f"equivariant_vit: `resolution` {tuple(resolution)} must be divisible by `patch` = {patch} along both axes."
            )
        boundary = edges("equivariant_vit", grid, into.group)
        periodic = [boundary == "circular"] * 2 if isinstance(boundary, str) else [b == "circular" for b in boundary]
        self.channels_in, self.patch, self.resolution = channels_in, patch, (int(resolution[0]), int(resolution[1]))
        tokens = (resolution[0] // patch, resolution[1] // patch)
        fields = regular("equivariant_vit", into.group, width)
        self.embed = EquivariantConv(into, fields, patch + 2, stride=patch, boundary=boundary)
        self.blocks = nn.ModuleList(_Block(fields, heads, tokens, periodic, ratio) for _ in range(depth))
        self.norm = TokenNorm(fields)
        self.head = Unpatch(fields, out, patch)

    def forward(self, state: Image) -> Image:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        check_channels(state, self.channels_in, "equivariant_vit")
        check_divisible(state, self.patch, "equivariant_vit", "patch")
        if tuple(state.shape[-2:]) != self.resolution:
            raise OrbitscopeError(
                f"equivariant_vit: built for the grid {self.resolution}, got {tuple(state.shape[-2:])}. "
                "Build it with that `resolution`: the attention has one number per displacement."
            )
        h = self.embed(state)
        for block in self.blocks:
            h = block(h)
        return self.head(self.norm(h))


class TokenNorm(nn.Module):
    r"""`RMSNorm` of each token over its channels: $x \mapsto a_f\, x / \sqrt{\mathrm{mean}(x^2) + \epsilon}$, one gain per field."""

    def __init__(self, features: Features, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.frames = len(features.group)
        self.weight = nn.Parameter(torch.ones(len(features.fields)))
        self.epsilon = epsilon

    def forward(self, x: Image) -> Image:
        """`x` [B, channels, *tokens] -> the same shape."""
        gain = self.weight[:, None].expand(-1, self.frames).reshape(-1, 1, 1)
        return gain * x * torch.rsqrt(x.square().mean(1, keepdim=True) + self.epsilon)


class _Block(nn.Module):
    """Pre-norm attention and pointwise network, each with its skip."""

    def __init__(self, fields: Features, heads: int, tokens: tuple[int, int], periodic: list[bool], ratio: float) -> None:
        super().__init__()
        wide = Features(fields.group, [f"regular*{max(1, int(ratio * len(fields.fields)))}"])
        self.norm_1, self.attention = TokenNorm(fields), FrameAttention(fields, heads, tokens, periodic)
        self.norm_2, self.expand, self.contract = TokenNorm(fields), EquivariantConv(fields, wide, 1), EquivariantConv(wide, fields, 1)
        self.act = Pointwise(wide, F.gelu)

    def forward(self, x: Image) -> Image:
        x = x + self.attention(self.norm_1(x))
        return x + self.contract(self.act(self.expand(self.norm_2(x))))

"""FNO with a symmetry built in."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import EquivariantConv, EquivariantSpectralConv, Pointwise
from ...symmetry import Grid, Group, Layout
from ._equivariant import edges, ends, regular
from ._layers import check_positive

State = Float[Tensor, "batch channel *space"]


class EquivariantFNO(nn.Module):
    r"""`FNO` whose every layer commutes with `group`, [B, C_in, *space] -> [B, C_out, *space]; any resolution of at least 2 `modes` cells.

    Spectral weights are shared over the orbit of a wave vector (`nn.EquivariantSpectralConv`), hidden fields are regular, and inputs and
    outputs are the fields of the layout: vectors turn. In two dimensions, or three with `group` o or oh and a layout of three. Every shift
    commutes with the linear layers, whole cells with the model.

    * `channels_in`, `channels_out`: numbers of channels, whole frames of `layout`, oldest first.
    * `layout`: how the channels of a state mix.
    * `grid`: of the data; only asked whether the group exchanges axes that differ. As in `FNO`, what is beyond one edge is what is at the
      other, also at walls.
    * `group`: c4, d4, o, oh or a subgroup.
    * `width`: hidden fields, |G| channels each.
    * `modes`: wave numbers per axis, counting 0.
    * `depth`: number of spectral layers.

    Exact for the elements that map the grid onto itself. Raises `OrbitscopeError` for other groups, and for one that exchanges axes of
    different kinds, and names the subgroup to take.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        layout: Layout,
        grid: Grid | None = None,
        group: str | Group = "d4",
        width: int = 6,
        modes: int = 6,
        depth: int = 4,
    ) -> None:
        super().__init__()
        check_positive("equivariant_fno", width=width, modes=modes, depth=depth)
        into, out = ends("equivariant_fno", channels_in, channels_out, layout, group, ndim=None)
        edges("equivariant_fno", grid, into.group)
        fields = regular("equivariant_fno", into.group, width)
        wide = fields + fields
        self.into = into
        self.lift = EquivariantConv(into, fields, 1)
        self.spectral = nn.ModuleList(EquivariantSpectralConv(fields, fields, modes) for _ in range(depth))
        self.pointwise = nn.ModuleList(EquivariantConv(fields, fields, 1) for _ in range(depth))
        self.act, self.act_wide = Pointwise(fields, F.gelu), Pointwise(wide, F.gelu)
        self.expand = EquivariantConv(fields, wide, 1)
        self.head = EquivariantConv(wide, out, 1)

    def forward(self, state: State) -> State:
        """Next state (or increment) of each `state` [B, C, *grid] of the batch."""
        if state.ndim != self.into.ndim + 2 or state.shape[1] != self.into.channels:
            raise OrbitscopeError(
                f"equivariant_fno: expected a state [batch, {self.into.channels}, {', '.join('xyz'[: self.into.ndim])}], got shape "
                f"{tuple(state.shape)}. Build the model with the layout of the data, or add the batch axis."
            )
        h = self.lift(state)
        for spectral, pointwise in zip(self.spectral, self.pointwise, strict=True):
            h = h + self.act(spectral(h) + pointwise(h))
        return self.head(self.act_wide(self.expand(h)))

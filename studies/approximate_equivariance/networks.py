"""Networks of the study that orbitscope.emulators has no name for: relaxed but held, without translations, with scale built in."""

import torch
from torch import Tensor, nn

from orbitscope.emulators import EquivariantResNet
from orbitscope.nn import EquivariantConv, RelaxedSteerableConv, ScaleConv, ScaleLift, ScaleProject, relax
from orbitscope.symmetry import Grid, Layout


class PlaceResNet(nn.Module):
    """A ResNet that is told where it is, x and y in -1 .. 1 as two more channels: shifts are not built in."""

    def __init__(self, channels_in: int, channels_out: int, layout: Layout, grid: Grid, width: int, depth: int, kernel: int) -> None:
        super().__init__()
        told = Layout.of(*[f"c{k}" for k in range(channels_in + 2)])
        self.net = EquivariantResNet(channels_in + 2, channels_in + 2, told, grid, "c1", width, depth, kernel)
        # The same as in the others: from the hidden fields to a state.
        into = self.net.head.into
        out = type(into).of("c1", *[f"scalar*{channels_out}"])
        self.net.head = EquivariantConv(into, out, 3, boundary=self.net.head.pad.boundary)
        places = grid.coordinates() / torch.tensor(grid.extent).reshape(2, 1, 1) * 2 - 1
        self.register_buffer("places", places.float()[None], persistent=False)

    def forward(self, state: Tensor) -> Tensor:
        """Next state (or increment) of each state of the batch."""
        return self.net(torch.cat([state, self.places.to(state).expand(len(state), -1, -1, -1)], 1))


class LadderNet(nn.Module):
    r"""Scale built in: lifted to a ladder of scales, `depth` residual convolutions on it, projected to a rate of change.

    The walls become mirrors: the state is continued into a box of twice the side with the normal velocity odd and all else even, which is
    periodic, as `ScaleConv` wants it, and a slip wall's own symmetry. `free` > 0 adds a ResNet of so many channels beside it (a residual
    pathway), whose last layer starts at 0.
    """

    def __init__(
        self, channels_in: int, channels_out: int, layout: Layout, grid: Grid, width: int, depth: int, levels: int, reach: float,
        free: int = 0, kernel: int = 3,
    ) -> None:  # fmt: skip
        super().__init__()
        scales = [2.0**k for k in range(levels)]
        about = {"width": reach * grid.spacing[0], "extent": tuple(2 * e for e in grid.extent)}
        self.lift = ScaleLift(channels_in, width, scales, powers=(0.0, 1.0, 1.0), **about)
        self.convs = nn.ModuleList(ScaleConv(width, width, scales, **about) for _ in range(depth))
        self.project = ScaleProject(width, channels_out, scales, powers=(2.0, 3.0, 3.0), **about)
        self.free = None
        if free:
            self.free = EquivariantResNet(channels_in, channels_out, layout, grid, "c1", free, depth, kernel)
            with torch.no_grad():
                for parameter in self.free.head.parameters():
                    parameter.zero_()

    def forward(self, state: Tensor) -> Tensor:
        """Next state (or increment) of each state of the batch."""
        n = state.shape[-1]
        h = self.lift(mirrored(state))
        for conv in self.convs:
            # Features carry no factor of scale, so that pointwise nonlinearities commute with it.
            h = h + conv(torch.nn.functional.silu(h))
        out = self.project(h)[..., :n, :n]
        return out if self.free is None else out + self.free(state)


def mirrored(state: Tensor) -> Tensor:
    """Smoke and velocity [B, 3, n, n] continued past the right and the upper wall as their mirror images, [B, 3, 2n, 2n]."""
    along_x = state.new_tensor([1.0, -1.0, 1.0]).reshape(1, 3, 1, 1)
    along_y = state.new_tensor([1.0, 1.0, -1.0]).reshape(1, 3, 1, 1)
    wide = torch.cat([state, along_x * state.flip(2)], 2)
    return torch.cat([wide, along_y * wide.flip(3)], 3)


def held_resnet(
    channels_in: int, channels_out: int, layout: Layout, grid: Grid, group: str = "c4", width: int = 8, depth: int = 2, kernel: int = 3
) -> nn.Module:
    """`relaxed_resnet` whose weights of cells stay 1: strict, with as many kernels a layer, and the start, of a relaxed network."""
    made = relax(EquivariantResNet(channels_in, channels_out, layout, grid, group, width, depth, kernel), "steerable", keep=False)
    for layer in made.modules():
        if isinstance(layer, RelaxedSteerableConv):
            layer.shares.requires_grad_(False)
    return made


def place_resnet(
    channels_in: int, channels_out: int, layout: Layout, grid: Grid, width: int = 16, depth: int = 2, kernel: int = 3
) -> nn.Module:
    """`PlaceResNet`, for `build`."""
    return PlaceResNet(channels_in, channels_out, layout, grid, width, depth, kernel)


def ladder(
    channels_in: int, channels_out: int, layout: Layout, grid: Grid, width: int = 8, depth: int = 2, levels: int = 3, reach: float = 1.0,
    free: int = 0,
) -> nn.Module:  # fmt: skip
    """`LadderNet`, for `build`."""
    return LadderNet(channels_in, channels_out, layout, grid, width, depth, levels, reach, free)

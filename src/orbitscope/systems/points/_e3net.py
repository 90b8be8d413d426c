"""Networks on points: E(3)-equivariant, relaxed, and what they are compared with."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...nn import IrrepGate, Irreps, RadialBasis, RelaxedWeights, Surroundings, TensorConv


class E3Net(nn.Module):
    r"""Tensor-product convolutions with gates between them: features of points to features of points, equivariant under E(3).

    * `into`, `out`: irreps of the features of each point, words or `Irreps`.
    * `hidden`: irreps between layers. `layers`: number of convolutions, at least 1.
    * `relaxed`: irreps of the relaxed weights $\theta$; None for the strict network. `shared`: whether all layers have one $\theta$, whose
      size is then identified best; else each has one of its own, end to end in one `RelaxedWeights`. `hold`, `lasso`: stages of their
      training, as of `RelaxedWeights`.
    * `cutoff`: distance beyond which points do not see each other, in the unit of the positions. `radial`: functions of the distance.
    * `degree`: L, of the harmonics. `neighbours`: typical number of points within the cutoff.
    * `periodic`: the state has cells [N, 3, 3] after the features. `masked`: then which points there are, [N, P]; nobody sees the others,
      and their answer is 0. `cases`: above 1, it ends with the number of a case, [N], and each case
      has a $\theta$ of its own. `products`: whether the scalar products of features of one irrep join the input as scalars.
    * `gated`: whether there are gates; without them the network is linear in the features. `highest`: degree of the highest filter that
      relaxed weights make; None: whatever couples, which costs time.

    Called with positions [N, P, 3], features [N, P, into.dim] and, as said, cells and cases; answers [N, P, out.dim]. Positions count by
    their differences alone. Features and answers are in units of their root mean square per irrep (`scale_to`), which no rotation changes.
    With $\theta$ held it is equivariant under the stabiliser of $\theta$; with $\theta$ moved as well (`theta=`), under all of O(3).
    """

    into_scale: Tensor
    out_scale: Tensor

    def __init__(
        self, into: str | Irreps, out: str | Irreps, *, hidden: str | Irreps = "8x0e+8x1o+4x2e", layers: int = 2,
        relaxed: str | Irreps | None = None, shared: bool = True, hold: float = 0.0, lasso: float = 0.0,
        cutoff: float = 3.0, radial: int = 8, degree: int = 2, neighbours: float = 4.0,
        periodic: bool = False, masked: bool = False, cases: int = 1, products: bool = False,
        gated: bool = True, highest: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.into, self.out, self.periodic, self.masked, self.products = Irreps.of(into), Irreps.of(out), periodic, masked, products
        if layers < 1:
            raise OrbitscopeError(f"E3Net: `layers` should be at least 1, got {layers}.")
        weights = None if relaxed is None else Irreps.of(relaxed)
        self.own = 1 if shared else layers  # relaxed weights end to end
        self.relaxed = None if weights is None else RelaxedWeights(Irreps(weights.blocks * self.own), cases, hold=hold, lasso=lasso)
        self.cased = cases > 1
        self.seen = Surroundings(RadialBasis(cutoff, radial), degree, neighbours)
        current = Irreps.of("+".join(filter(None, [f"{_pairs(self.into)}x0e" if products else "", str(self.into)])))
        convs, gates = [], []
        for layer in range(layers):
            last = layer == layers - 1
            gate = IrrepGate(hidden) if gated and not last else nn.Identity()
            target = self.out if last else gate.into if isinstance(gate, IrrepGate) else Irreps.of(hidden)
            convs.append(TensorConv(current, target, self.seen.size, degree=degree, relaxed=weights, highest=highest))
            gates.append(gate)
            current = Irreps.of(hidden)
        self.convs, self.gates = nn.ModuleList(convs), nn.ModuleList(gates)
        self.register_buffer("into_scale", torch.ones(self.into.dim))
        self.register_buffer("out_scale", torch.ones(self.out.dim))

    def forward(self, positions: Tensor, features: Tensor, *rest: Tensor, theta: Tensor | None = None) -> Tensor:
        """The features of the points that follow, in their own unit.

        * `positions`: [N, P, 3]. `features`: [N, P, into.dim]. `rest`: cells [N, 3, 3], which points there are [N, P] and numbers of
          cases [N], where the network has them.
        * `theta`: other relaxed weights [N or 1, dim] than its own; None: its own.
        """
        if len(rest) != self.periodic + self.masked + self.cased:
            parts = (("cells [N, 3, 3]", self.periodic), ("which points there are [N, P]", self.masked), ("cases [N]", self.cased))
            wanted = [w for w, there in parts if there]
            raise OrbitscopeError(
                f"E3Net: after positions and features it takes {' and '.join(wanted) or 'nothing'}, got {len(rest)} more."
            )
        if theta is None and self.relaxed is not None:
            theta = self.relaxed(rest[-1].long() if self.cased else None)
        seen = self.seen(positions, rest[0] if self.periodic else None)
        there = rest[int(self.periodic)].to(features.dtype) if self.masked else None
        if there is not None:
            seen = seen * there[:, None, :, None, None]
        x = features / self.into_scale
        if self.products:
            x = torch.cat([_products(self.into, x), x], -1)
        parts = [None] if theta is None else theta.chunk(self.own, -1)
        for layer, (conv, gate) in enumerate(zip(self.convs, self.gates, strict=True)):
            x = gate(conv(x, seen, parts[layer % len(parts)]))
        return x * self.out_scale if there is None else x * self.out_scale * there[..., None]

    @torch.no_grad()
    def scale_to(self, features: Tensor, answers: Tensor) -> "E3Net":
        """Take the units of the features and of the answers from data, the root mean square of each block of irreps; itself.

        * `features`: [N, P, into.dim]. `answers`: [N, P, out.dim].
        """
        for irreps, scale, values in ((self.into, self.into_scale, features), (self.out, self.out_scale, answers)):
            for _, where in irreps:
                scale[where] = float(values[..., where].double().square().mean().sqrt()) or 1.0
        return self


class CoordinateNet(nn.Module):
    """A plain network on all coordinates of an example at once: it knows no symmetry at all.

    * `inputs`, `outputs`: numbers of one example, all points together. `width`: of two hidden layers of SiLU units.

    Called as `E3Net`; the last layer starts at 0 where `quiet`.

    * `shape`: of an answer, [P, out.dim]. `quiet`: whether it starts as the zero map.
    """

    def __init__(self, inputs: int, shape: tuple[int, ...], width: int = 64, quiet: bool = False) -> None:
        super().__init__()
        self.shape = tuple(shape)
        self.body = nn.Sequential(
            nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, math.prod(shape))
        )
        if quiet:
            last = self.body[-1]
            assert isinstance(last, nn.Linear)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, *state: Tensor) -> Tensor:
        """The answers [N, *shape] for a `state` of any parts, [N, ...] each, flattened and joined."""
        like = next(s for s in state if s.is_floating_point())
        return self.body(torch.cat([s.to(like.dtype).flatten(1) if s.ndim > 1 else s.to(like.dtype)[:, None] for s in state], 1)).unflatten(
            1, self.shape
        )


class ResidualE3Net(nn.Module):
    """A residual pathway: a strict `E3Net` and a plain network on the coordinates that starts at 0, added.

    * `strict`: the equivariant part. `free`: the plain part.

    `penalty()` is the sum of squares of the free weights. Source: Finzi, Benton and Wilson, NeurIPS 2021.
    """

    def __init__(self, strict: E3Net, free: CoordinateNet) -> None:
        super().__init__()
        self.strict, self.free = strict, free

    def forward(self, *state: Tensor) -> Tensor:
        """The sum of both answers, [N, P, out.dim], for the parts of a `state` as `E3Net` takes them."""
        return self.strict(*state) + self.free(*state) * self.strict.out_scale

    def penalty(self) -> Tensor:
        """The sum of squares of the free weights."""
        return torch.stack([p.square().sum() for p in self.free.parameters()]).sum()


def _pairs(irreps: Irreps) -> int:
    counts: dict[str, int] = {}
    for block in irreps.blocks:
        counts[block.name] = counts.get(block.name, 0) + (block.count if block.name != "0e" else 0)
    return sum(n * (n + 1) // 2 for n in counts.values())


def _products(irreps: Irreps, x: Tensor) -> Tensor:
    """The scalar products of all pairs of features of one irrep (0e apart), [..., pairs]."""
    copies: dict[str, list[Tensor]] = {}
    for block, where in irreps:
        if block.name != "0e":
            copies.setdefault(block.name, []).append(x[..., where].unflatten(-1, (block.count, block.size)))
    found = []
    for some in copies.values():
        joined = torch.cat(some, -2)
        n = joined.shape[-2]
        i, j = torch.triu_indices(n, n, device=x.device)
        found.append((joined @ joined.mT)[..., i, j])
    return torch.cat(found, -1)


def built(model: str, about: Mapping[str, Any], options: Mapping[str, Any], points: int) -> nn.Module:
    """A model by name for examples that say how they move.

    * `model`: e3net, relaxed_e3net, coordinate_net or residual_e3net. `about`: their irreps and what parts they have.
    * `options`: of `E3Net`. `points`: number of points of an example.
    """
    periodic, masked, cases = bool(about["periodic"]), bool(about.get("masked", False)), int(about["cases"])
    own = {k: v for k, v in options.items() if k != "width"}
    inputs = points * (3 + Irreps.of(about["into"]).dim) + 9 * periodic + points * masked + (cases > 1)
    plain = CoordinateNet(inputs, (points, Irreps.of(about["out"]).dim), int(options.get("width", 64)), quiet=model == "residual_e3net")
    if model == "coordinate_net":
        return plain
    if model == "relaxed_e3net":
        own = {"relaxed": "0o+1o+1e+2o+2e+3o+3e+4o+4e", "hold": 0.4, "lasso": 2e-2, **own}
    known = {**dict(about.get("network", {})), **own}
    net = E3Net(about["into"], about["out"], periodic=periodic, masked=masked, cases=cases, **known)
    return ResidualE3Net(net, plain) if model == "residual_e3net" else net

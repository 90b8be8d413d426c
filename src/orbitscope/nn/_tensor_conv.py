"""Tensor-product convolution on points, strict or relaxed by weights that are tensors themselves."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..symmetry import coupling
from ._irreps import Irreps

_COPIES = 2.5  # gathering first copies what it gathers more than once: so many times the time for each multiplication (measured)
_FOLDING = 16  # multiplications' worth of every entry of the folded matrix, which is made of few of them and many copies


class _Path(NamedTuple):
    """One way from features over a filter to outputs: positions of the blocks, and the filter's irrep."""

    into: int
    out: int
    degree: int
    odd: bool


class TensorConv(nn.Module):
    r"""Features of points, coupled with the filters that they see: $y_i = \sum_{j b} W_b\, (x_j \otimes F_{ijb})$.

    $$F^{l} = Y^{l} + \sum_{l_1 l_2} \sqrt{\tfrac{2 l + 1}{n_l}}\; C(\theta^{l_1}, Y^{l_2})$$

    * `into`, `out`: irreps of the features, words or `Irreps`. `radial`: number of radial channels b of the surroundings.
    * `degree`: L, of the harmonics Y. `relaxed`: irreps of the relaxed weights $\theta$; None for the strict layer.
    * `highest`: the highest degree of a filter; None: whatever couples `into` with `out`.

    C are the tensors of `coupling`, $n_l$ the number of pairs. The coefficients are fixed at 1 and $\theta^{0e}$ is 1, which is left out,
    so that the size of $\theta$ means something. $\theta = 0$ is exactly the strict layer. For any $\theta$ the layer is equivariant
    under moves of points, features and $\theta$ together, hence, with $\theta$ held, under the stabiliser of $\theta$ alone
    (`symmetry.stabiliser`).

    Called with features [N, P, into.dim], the surroundings [N, P, P, radial, (L + 1)^2] of `Surroundings` and $\theta$ [N or 1,
    relaxed.dim] or None (0). W is dense over copies, paths and radial channels. Raises `OrbitscopeError` where nothing couples.
    Source: Hofgard, Wang, Walters and Smidt, arXiv 2407.20471; with the coefficients of the filter fixed.
    """

    def __init__(
        self, into: str | Irreps, out: str | Irreps, radial: int, *, degree: int = 2, relaxed: str | Irreps | None = None,
        highest: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.into, self.out, self.radial, self.degree = Irreps.of(into), Irreps.of(out), radial, degree
        self.relaxed = None if relaxed is None else Irreps.of(relaxed)
        paths = _paths(self.into, self.out, degree, self.relaxed, highest)
        self.paths = len(paths)
        weights = []
        self._cuts: list[list[int]] = []  # of what comes of each block of the input, by block of the output
        self._rows: list[list[int]] = []  # of the weights of each block of the output, by block of the input
        for i in range(len(self.into.blocks)):
            mine = [[p for p in paths if p.into == i and p.out == o] for o in range(len(self.out.blocks))]
            self.register_buffer(f"mixing{i}", _mixing(self, [p for some in mine for p in some]), persistent=False)
            self._cuts.append([len(some) * b.size for some, b in zip(mine, self.out.blocks, strict=True)])
        for o, block in enumerate(self.out.blocks):
            some = [radial * b.count * sum(p.into == i and p.out == o for p in paths) for i, b in enumerate(self.into.blocks)]
            rows = sum(some)
            self._rows.append(some)
            if not rows:
                raise OrbitscopeError(f"TensorConv: nothing of {self.into} couples to {block} over harmonics up to degree {degree}.")
            weights.append(nn.Parameter(torch.randn(rows, block.count) / math.sqrt(rows)))
        self.weights = nn.ParameterList(weights)
        scalars = self.out.count("0e")
        self.bias = nn.Parameter(torch.zeros(scalars)) if scalars else None
        # Multiplications: of couplings and weights for each point that gathers first, and of folding them into one matrix.
        self._filters = radial * (degree + 1) ** 2
        mixed = sum(b.dim * sum(cuts) for b, cuts in zip(self.into.blocks, self._cuts, strict=True))
        self._coupling = self._filters * mixed + sum(w.numel() * b.size for w, b in zip(weights, self.out.blocks, strict=True))
        self._folding = _FOLDING * self._filters * self.into.dim * self.out.dim

    def forward(self, x: Tensor, seen: Tensor, theta: Tensor | None = None) -> Tensor:
        """The features of every point, coupled with what it sees.

        * `x`: [N, P, into.dim]. `seen`: [N, P, P, radial, (L + 1)^2]. `theta`: [N or 1, relaxed.dim], None for 0.
        """
        return self._biased(self._first_folded(x, seen, theta) if self._folds(x, theta) else self._first_gathered(x, seen, theta))

    def _folds(self, x: Tensor, theta: Tensor | None) -> bool:
        """Whether to fold weights, couplings and relaxed weights into one matrix, from the multiplications that either order takes."""
        if theta is not None and len(theta) > 1:
            return False  # a matrix for each example
        count, points = x.shape[:2]
        folded = count * points * self._filters * (self.into.dim + points) * self.out.dim + self._folding
        gathered = count * points * (self._filters * points * self.into.dim + self._coupling)
        return folded < _COPIES * gathered

    def _first_folded(self, x: Tensor, seen: Tensor, theta: Tensor | None) -> Tensor:
        """Every point makes all that others may see of it, [N, j, (b, y), out.dim]; what they do see is one more product."""
        matrix = torch.cat([self._matrix(i, theta) for i in range(len(self.into.blocks))])
        told = (x.flatten(0, 1) @ matrix).reshape(len(x), -1, self.out.dim)
        return seen.flatten(2) @ told

    def _matrix(self, i: int, theta: Tensor | None) -> Tensor:
        """How one block of the input makes the output, [(copy, component), (b, y, out.dim)]."""
        block, columns = self.into.blocks[i], []
        for o, mixed in enumerate(self._mixed(i, theta)[0].split(self._cuts[i], dim=-1)):
            to = self.out.blocks[o]
            paths = mixed.shape[-1] // to.size
            if not paths:
                columns.append(mixed.new_zeros(block.count, block.size, self.radial, self._filters // self.radial, to.dim))
                continue
            weights = self.weights[o].split(self._rows[o])[i].reshape(self.radial, block.count, paths, to.count)
            coupled = mixed.reshape(-1, paths, to.size).transpose(0, 1).flatten(1)  # [path, (y, component, component of the output)]
            made = weights.transpose(2, 3).reshape(-1, paths) @ coupled
            made = made.reshape(self.radial, block.count, to.count, -1, block.size, to.size)
            columns.append(made.permute(1, 4, 0, 3, 2, 5).flatten(4))
        return torch.cat(columns, -1).flatten(2).flatten(0, 1)

    def _first_gathered(self, x: Tensor, seen: Tensor, theta: Tensor | None) -> Tensor:
        """Every point sums what it sees for each radial channel and harmonic; couplings and weights come after that.

        Large tensors are only ever split along an axis or multiplied as they lie: a slice would make its gradient as large as the whole,
        and each of the other orders would copy what was summed or what was coupled once more.
        """
        count, points = x.shape[:2]
        near = seen.permute(0, 1, 4, 3, 2).flatten(1, 3)  # [N, (i, y, b), j]
        found = [x.new_zeros(count * points * block.size, block.count) for block in self.out.blocks]
        for i, (block, where) in enumerate(self.into):
            of = x[..., where].unflatten(-1, (block.count, block.size)).transpose(-1, -2).flatten(-2)  # [N, j, (component, copy)]
            rows = (near @ of).reshape(count * points, -1, self.radial, block.size, block.count).transpose(2, 3)
            rows = rows.reshape(count * points, -1, self.radial * block.count)  # [(N, i), (y, component), (b, copy)]
            made = torch.bmm(self._coupled(i, theta, count * points), rows)  # [(N, i), (output, component, path), (b, copy)]
            for o, part in enumerate(made.split(self._cuts[i], 1)):
                if part.shape[1]:
                    to = self.out.blocks[o]
                    weights = self.weights[o].split(self._rows[o])[i].reshape(self.radial, block.count, -1, to.count)
                    found[o] = found[o] + part.reshape(len(found[o]), -1) @ weights.permute(2, 0, 1, 3).flatten(0, 2)
        shaped = [y.unflatten(0, (count, points, -1)).transpose(-1, -2).flatten(-2) for y in found]
        return torch.cat(shaped, -1)

    def _coupled(self, i: int, theta: Tensor | None, rows: int) -> Tensor:
        """`_mixed` for each of so many rows (as many to an example), [rows, (output, component, path), (y, component)]."""
        mixed = self._mixed(i, theta)
        blocks = zip(mixed.split(self._cuts[i], -1), self.out.blocks, strict=True)
        turned = torch.cat([m.unflatten(-1, (-1, b.size)).transpose(-1, -2).flatten(-2) for m, b in blocks], -1).transpose(-1, -2)
        return turned.expand(rows, -1, -1) if len(turned) == 1 else turned.repeat_interleave(rows // len(turned), 0)

    def _mixed(self, i: int, theta: Tensor | None) -> Tensor:
        """How harmonics and one block of the input make outputs, [N or 1, (y, component), (output, path, component)]."""
        mixing: Tensor = getattr(self, f"mixing{i}").to(self.weights[0])
        strict = mixing[:1].flatten(1, 2)
        if theta is None or self.relaxed is None:
            return strict
        return strict + (theta @ mixing[1:].flatten(1)).unflatten(1, strict.shape[1:])

    def _biased(self, y: Tensor) -> Tensor:
        if self.bias is None:
            return y
        parts, used = [], 0
        for block, where in self.out:
            part = y[..., where]
            if block.name == "0e":
                part, used = part + self.bias[used : used + block.count], used + block.count
            parts.append(part)
        return torch.cat(parts, -1)

    def extra_repr(self) -> str:
        """Irreps and sizes, for `print`."""
        return f"{self.into} -> {self.out}, relaxed={self.relaxed}, {self.paths} paths, {self.radial} radial channels"


def _paths(into: Irreps, out: Irreps, degree: int, relaxed: Irreps | None, highest: int | None) -> list[_Path]:
    """All filters that couple a block of the input to one of the output: harmonics, and what relaxed weights make of them."""
    found = []
    for i, a in enumerate(into.blocks):
        for o, c in enumerate(out.blocks):
            for n in range(abs(a.degree - c.degree), a.degree + c.degree + 1):
                odd = a.odd != c.odd
                natural = n <= degree and odd == (n % 2 == 1)
                made = relaxed is not None and (highest is None or n <= highest) and _terms(n, odd, degree, relaxed)
                if natural or made:
                    found.append(_Path(i, o, n, odd))
    return found


def _terms(n: int, odd: bool, degree: int, relaxed: Irreps) -> list[tuple[slice, int, int]]:
    """Pairs of a relaxed weight (its components and degree) and a harmonic that couple to the filter."""
    return [
        (where, block.degree, y)
        for block, where in relaxed
        for y in range(degree + 1)
        if (block.odd != (y % 2 == 1)) == odd and abs(block.degree - y) <= n <= block.degree + y
    ]


def _mixing(layer: TensorConv, paths: list[_Path]) -> Tensor:
    """The fixed tensor [1 + relaxed, y, component of the input, (path, component of the output)]; row 0 is the strict layer."""
    harmonics, relaxed = (layer.degree + 1) ** 2, layer.relaxed
    columns = []
    for path in paths:
        filters = torch.zeros(1 + (0 if relaxed is None else relaxed.dim), harmonics, 2 * path.degree + 1, dtype=torch.float64)
        if path.degree <= layer.degree and path.odd == (path.degree % 2 == 1):
            filters[0, path.degree**2 : (path.degree + 1) ** 2] = torch.eye(2 * path.degree + 1, dtype=torch.float64)
        terms = [] if relaxed is None else _terms(path.degree, path.odd, layer.degree, relaxed)
        for where, n, y in terms:
            size = math.sqrt((2 * path.degree + 1) / len(terms))
            filters[1 + where.start : 1 + where.stop, y**2 : (y + 1) ** 2] += size * torch.as_tensor(coupling(n, y, path.degree))
        a, c = layer.into.blocks[path.into], layer.out.blocks[path.out]
        # Harmonics have 2 l + 1 for their square: the coupled vector then has components of size 1 where those of x have.
        joined = torch.as_tensor(coupling(a.degree, path.degree, c.degree)) * math.sqrt(c.size)
        columns.append(torch.einsum("tyf,afc->tyac", filters, joined))
    if not columns:
        return torch.zeros(1 + (0 if relaxed is None else relaxed.dim), harmonics, layer.into.blocks[0].size, 0, dtype=torch.float64)
    return torch.cat(columns, -1)

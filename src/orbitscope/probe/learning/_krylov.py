"""Damped solves with a curvature that is known by its products alone."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Solved(NamedTuple):
    """Solutions [K, p], relative residuals [K], the dimension of the space they were found in, blocks taken."""

    solution: Tensor
    residual: Tensor
    rank: int
    blocks: int


def solve(curvature: Callable[[Tensor], Tensor], right: Tensor, damping: float, tolerance: float, depth: int) -> Solved:
    r"""$(\eta + \lambda) v = g$ for each row g of `right` [K, p], $\eta$ symmetric and positive semi-definite, by `curvature` on rows.

    Galerkin on the block Krylov space span(g, eta g, eta^2 g, ...) with an orthonormal basis kept in float64: block conjugate gradients in
    exact arithmetic, without its loss of orthogonality. The residual is that of the equation itself, computed from the products.
    """
    wanted = right.double()
    norms = wanted.norm(dim=1).clamp_min(torch.finfo(torch.float64).tiny)
    basis, images = wanted.new_zeros(0, wanted.shape[1]), wanted.new_zeros(0, wanted.shape[1])
    solution, left = torch.zeros_like(wanted), wanted
    rank, blocks = 0, 0
    for _ in range(depth):
        fresh = _orthonormal(left / left.norm(dim=1, keepdim=True).clamp_min(1e-300), basis)
        if not len(fresh):
            break
        blocks += 1
        basis = torch.cat([basis, fresh])
        images = torch.cat([images, curvature(fresh.to(right.dtype)).double()])
        projected = basis @ images.T
        projected = (projected + projected.T) / 2 + damping * torch.eye(len(basis), dtype=torch.float64, device=basis.device)
        coefficients = torch.linalg.solve(projected, basis @ wanted.T)
        solution = coefficients.T @ basis
        left = wanted - coefficients.T @ images - damping * solution
        rank = len(basis)
        if float((left.norm(dim=1) / norms).max()) <= tolerance:
            break
    return Solved(solution, left.norm(dim=1) / norms, rank, blocks)


def _orthonormal(rows: Tensor, basis: Tensor, drop: float = 1e-10) -> Tensor:
    """An orthonormal basis of what `rows` (of unit length) add to `basis`; twice, for orthogonality to rounding."""
    for _ in range(2):
        if len(basis):
            rows = rows - (rows @ basis.T) @ basis
        if len(rows):
            _, values, vectors = torch.linalg.svd(rows, full_matrices=False)
            rows = vectors[values > drop]
    return rows

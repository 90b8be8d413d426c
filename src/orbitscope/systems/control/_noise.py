"""White noise of a planner, its orbit under a group, and how a covariance shapes it."""

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._seed import derive


def white_noise(count: int, horizon: int, size: int, rows: int, *, seed: int, call: int, iteration: int) -> Tensor:
    """Independent standard normal numbers [H, rows, count, m], float32, the same for the same (seed, call, iteration).

    * `count`: how many sequences. `horizon`: H, their length. `size`: m, components of an action. `rows`: one for each state, or 1 for
      all. `seed`, `call`, `iteration`: whose numbers they are.

    Row 0 of several is what one row alone would be. Planners of any precision see the same numbers, and float64 ones would take six times
    as long to draw.
    """
    made = []
    for row in range(rows):
        generator = torch.Generator().manual_seed(derive(seed, f"planner noise {iteration} {row}", call))
        made.append(torch.randn(horizon, 1, count, size, generator=generator))
    return made[0] if rows == 1 else torch.cat(made, 1)


def orbit(noise: Tensor, matrices: Tensor) -> Tensor:
    r"""All $\rho(g)\,\varepsilon_k$, [..., K, m] -> [..., K |G|, m]; the copies of one sequence stand next to each other.

    * `noise`: white, [..., K, m]. `matrices`: $\rho(g)$, [|G|, m, m].
    """
    order, size, _ = matrices.shape
    turned = noise @ matrices.permute(2, 0, 1).reshape(size, order * size)
    return turned.reshape(*noise.shape[:-2], noise.shape[-2] * order, size)


class Shape:
    r"""What turns white noise into perturbations: $\varepsilon \mapsto S^{1/2} \varepsilon$ with the *symmetric* square root.

    `Shape.start` makes one of a standard deviation or a covariance, `Shape.fitted` one of samples. With $S^{1/2} = V \Lambda^{1/2} V^T$,
    $(g S g^T)^{1/2} = g S^{1/2} g^T$ for every orthogonal g; a Cholesky factor has no such property.
    """

    def __init__(self, kind: str, root: Tensor) -> None:
        self.kind, self.root = kind, root  # "diagonal" [H|1, B|1, 1, m]; "step" [H|1, B|1, m, m]; "full" [B|1, H m, H m]

    @classmethod
    def start(cls, std: float | ArrayLike, covariance: ArrayLike | None, horizon: int, size: int, dtype: torch.dtype) -> "Shape":
        """Of one number or [m] numbers `std`, or of a `covariance` [m, m] or [H m, H m], for `horizon` and `size` of sequences."""
        if covariance is None:
            each = torch.as_tensor(std, dtype=dtype)
            if each.ndim > 1 or each.numel() not in (1, size) or not bool((each > 0).all() and each.isfinite().all()):
                raise OrbitscopeError(f"Planner: `std` should be one positive number or {size} of them, got {each.tolist()}.")
            return cls("diagonal", each.expand(size).reshape(1, 1, 1, size).clone())
        s = torch.as_tensor(covariance, dtype=torch.float64)
        if s.shape not in ((size, size), (horizon * size, horizon * size)) or not s.isfinite().all():
            raise OrbitscopeError(
                f"Planner: `covariance` should be finite, [{size}, {size}] or [{horizon * size}, {horizon * size}]; got {list(s.shape)}."
            )
        if (s - s.T).abs().max() > 1e-9 * s.abs().max() or torch.linalg.eigvalsh(s).min() <= 0:
            raise OrbitscopeError("Planner: `covariance` should be symmetric and positive definite.")
        root = symmetric_root(s).to(dtype)
        return cls("step", root[None, None]) if len(s) == size and len(s) != horizon * size else cls("full", root[None])

    @classmethod
    def fitted(cls, kind: str, away: Tensor, weights: Tensor, least: float) -> "Shape":
        r"""Of the weighted second moments $\sum_k w_k\, d_k d_k^T$ of samples; standard deviations below `least` become `least`.

        `kind`: "diagonal" (single components), "step" (an [m, m] matrix for each time), "full" (all times together). `away`: d, distances
        from the mean, [H, B, K, m]. `weights`: w, [B, K], of sum 1.
        """
        w = weights[None, :, :, None]
        if kind == "diagonal":
            return cls(kind, (w * away.square()).sum(2, keepdim=True).sqrt().clamp_min(least))
        if kind == "step":
            return cls(kind, symmetric_root((w * away).transpose(-1, -2) @ away, least))
        flat = away.permute(1, 2, 0, 3).flatten(2)  # [B, K, H m]
        return cls(kind, symmetric_root((weights[..., None] * flat).transpose(-1, -2) @ flat, least))

    def __call__(self, noise: Tensor) -> Tensor:
        """`noise` [H, B|1, K, m], white -> perturbations [H, B, K, m]."""
        if self.kind == "diagonal":
            return noise * self.root
        if self.kind == "step":
            return noise @ self.root
        horizon, rows, count, size = noise.shape
        made = noise.permute(1, 2, 0, 3).reshape(rows, count, horizon * size) @ self.root
        return made.unflatten(-1, (horizon, size)).permute(2, 0, 1, 3)

    def precision(self, sequence: Tensor) -> Tensor:
        r"""$S^{-1} u$ of one sequence per state, `sequence` [H, B, m] -> the same shape."""
        if self.kind == "diagonal":
            return sequence / self.root.squeeze(2).square()
        if self.kind == "step":
            root = self.root.expand(len(sequence), sequence.shape[1], -1, -1)
            return torch.linalg.solve(root, torch.linalg.solve(root, sequence[..., None]))[..., 0]
        horizon, rows, size = sequence.shape
        root = self.root.expand(rows, -1, -1)
        flat = torch.linalg.solve(root, torch.linalg.solve(root, sequence.transpose(0, 1).reshape(rows, -1, 1)))
        return flat.reshape(rows, horizon, size).transpose(0, 1)

    def full(self, horizon: int, size: int) -> Tensor:
        """The covariance of a start, [H m, H m], float64: what a group has to leave alone."""
        if self.kind == "full":
            return (self.root[0] @ self.root[0]).double()
        one = self.root[0, 0]
        block = torch.diag(one[0].square()) if self.kind == "diagonal" else one @ one
        return torch.kron(torch.eye(horizon, dtype=torch.float64), block.double().reshape(size, size))


def symmetric_root(matrix: Tensor, least: float = 0.0) -> Tensor:
    r"""$V \max(\Lambda^{1/2}, l)\, V^T$ of symmetric matrices $V \Lambda V^T$.

    * `matrix`: [..., n, n], positive semi-definite. `least`: l, the smallest standard deviation along any direction.
    """
    values, vectors = torch.linalg.eigh(matrix)
    return (vectors * values.clamp_min(0.0).sqrt().clamp_min(least)[..., None, :]) @ vectors.transpose(-1, -2)


def group_matrices(group: Sequence[Any], representation: Any, dtype: torch.dtype) -> Tensor:
    """The matrices of all elements of a `group`, [|G|, m, m], in the precision `dtype`, by what has a `matrix` of an element."""
    return torch.stack([torch.as_tensor(representation.matrix(g).copy(), dtype=dtype) for g in group])

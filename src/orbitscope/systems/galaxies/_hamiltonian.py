"""Many posteriors at once, with gradients: Hamiltonian chains, several of each, that learn the shape of their posterior together."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._seed import derive

_AIM = 0.8  # accepted part that step sizes are set to
_JITTER = 0.2  # part by which a step size varies from move to move, so that no chain comes back to where it was
_FIRST = 0.5  # step size to begin with, in units of the posterior's width
_MEMORY = 0.9  # how much the first acceptance moves the logarithm of a step size
Tell = Callable[[str, float, float], None]


@dataclass(frozen=True, eq=False)
class ManyChains:
    """Chains of D posteriors: `u` [D, C, N, k], the `accepted` part of moves after the warm-up [D] and the `step` size there [D]."""

    u: Tensor
    accepted: Tensor
    step: Tensor


def hamiltonian_chains(
    potential: Callable[[Tensor], Tensor], start: Tensor, scale: Tensor, draws: int, warmup: int, seed: int, *, leaps: int = 8,
    progress: Tell | None = None,
) -> ManyChains:  # fmt: skip
    r"""Hamiltonian Monte Carlo of many posteriors side by side.

    * `potential`: U, minus the log density, [N, k] to [N], each of its own row, differentiable; rows of all chains of the first posterior
      come first. `start`: [D, C, k], C chains of each of D posteriors.
    * `scale`: S of each posterior, [D, k, k], a first guess of a root of its covariance, $S S^T$.
    * `draws`, `warmup`: of each chain, kept and to adapt. `leaps`: of a move, on average; a move has half to one and a half times as many.
    * `seed`: of all moves. `progress`: called with (stage, done, total).

    A move draws $p \sim N(0, 1)$, goes $p \leftarrow p - \tfrac\epsilon2 S^T \nabla U$, $u \leftarrow u + \epsilon S p$,
    $p \leftarrow p - \tfrac\epsilon2 S^T \nabla U$ for some leaps, and is accepted with $\min(1, e^{H - H'})$, $H = U + p^2 / 2$. In the
    warm-up each posterior's $\epsilon$ goes where .8 of its moves are accepted, and after each quarter of it S becomes a root of the
    covariance of all its chains in that quarter, if that has full rank. Where the density is no number a move is refused. Chains of one
    posterior are independent after the warm-up, so that `split_gelman_rubin` says whether they found the same. Raises `OrbitscopeError`
    for sizes out of range.

    Source: Neal, Handbook of Markov Chain Monte Carlo (2011), chapter 5, sections 5.3 and 5.4.
    """
    ensembles, chains, size = start.shape
    for what, value, least in (("draws", draws, 1), ("warmup", warmup, 20), ("leaps", leaps, 2)):
        if value < least:
            raise OrbitscopeError(f"hamiltonian_chains: `{what}` should be at least {least}, got {value}.")
    if scale.shape != (ensembles, size, size):
        raise OrbitscopeError(f"hamiltonian_chains: `scale` should be [{ensembles}, {size}, {size}], got {list(scale.shape)}.")
    g = torch.Generator().manual_seed(derive(seed, "hamiltonian chains"))
    u, step = start.clone(), torch.full((ensembles,), _FIRST, dtype=start.dtype)
    level, slope = _sloped(potential, u)
    learns, since = {warmup * part // 4 for part in (1, 2, 3)}, 0
    seen, kept, accepted = [], [], torch.zeros(ensembles, dtype=start.dtype)
    for move in range(warmup + draws):
        if move in learns:
            scale, since = _learnt(torch.stack(seen[-(warmup // 4) :], 2), scale), 0  # the step is found anew for the new shape
        count = int(torch.randint(max(1, leaps // 2), leaps + leaps // 2 + 1, (), generator=g))
        size_of_move = step[:, None] * (1 + _JITTER * (2 * torch.rand(ensembles, chains, generator=g, dtype=u.dtype) - 1))
        momentum = torch.randn(u.shape, generator=g, dtype=u.dtype)
        new, new_level, new_slope, end = _leapt(potential, u, slope, momentum, scale, size_of_move[..., None], count)
        gain = level - new_level + 0.5 * (momentum.square() - end.square()).sum(-1)
        odds = torch.nan_to_num(gain, nan=-torch.inf).clamp_max(0).exp()
        taken = torch.rand(odds.shape, generator=g, dtype=u.dtype) < odds
        u, slope = (torch.where(taken[..., None], b, a) for a, b in ((u, new), (slope, new_slope)))
        level = torch.where(taken, new_level, level)
        if move < warmup:
            since += 1
            step = step * torch.exp((odds.mean(1) - _AIM) * _MEMORY / since**0.5)
            seen.append(u)
        else:
            accepted += odds.mean(1) / draws
            kept.append(u)
        if progress is not None:
            progress("walk", move + 1, warmup + draws)
    return ManyChains(torch.stack(kept, 2), accepted, step)


def _sloped(potential: Callable[[Tensor], Tensor], u: Tensor) -> tuple[Tensor, Tensor]:
    """The potential [D, C] and its gradient [D, C, k] at u."""
    flat = u.reshape(-1, u.shape[-1]).detach().requires_grad_()
    with torch.enable_grad():
        level = potential(flat)
        (slope,) = torch.autograd.grad(level.sum(), flat)
    return level.detach().reshape(u.shape[:2]), torch.nan_to_num(slope).reshape(u.shape)


def _leapt(
    potential: Callable[[Tensor], Tensor], u: Tensor, slope: Tensor, momentum: Tensor, scale: Tensor, step: Tensor, count: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Place, potential, gradient and momentum after `count` leaps."""
    p, level = momentum - 0.5 * step * (slope @ scale), torch.empty(0)
    for k in range(count):
        u = u + step * (p @ scale.mT)
        level, slope = _sloped(potential, u)
        p = p - (1.0 if k + 1 < count else 0.5) * step * (slope @ scale)
    return u, level, slope, p


def _learnt(seen: Tensor, before: Tensor) -> Tensor:
    """A root of the covariance of the places that were seen, [D, C, N, k]; what it was `before` where they span less than the space."""
    flat = seen.flatten(1, 2)
    gap = flat - flat.mean(1, keepdim=True)
    covariance = gap.mT @ gap / (flat.shape[1] - 1)
    root, failed = torch.linalg.cholesky_ex(covariance)
    return torch.where((failed == 0)[:, None, None], root, before)

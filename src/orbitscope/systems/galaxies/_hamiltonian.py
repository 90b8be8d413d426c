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
_BELIEF = 40.0  # places that the earlier shape counts for
_MEMORY = 0.9  # how much the first acceptance moves the logarithm of a step size
Tell = Callable[[str, float, float], None]
Potential = Callable[[Tensor, Tensor], Tensor]  # of coordinates [N, k] and the number of the posterior of each row [N]


@dataclass(frozen=True, eq=False)
class ManyChains:
    """Chains of D posteriors: `u` [D, C, N, k], the `accepted` part of moves after the warm-up [D] and the `step` size there [D]."""

    u: Tensor
    accepted: Tensor
    step: Tensor


def hamiltonian_chains(
    potential: Potential, start: Tensor, scale: Tensor, draws: int, warmup: int, seed: int, *, length: float = 2.0, most: int = 40,
    progress: Tell | None = None,
) -> ManyChains:  # fmt: skip
    r"""Hamiltonian Monte Carlo of many posteriors side by side.

    * `potential`: U, minus the log density, of coordinates [N, k] and the numbers of the posteriors that these rows belong to [N], to [N];
      differentiable. `start`: [D, C, k], C chains of each of D posteriors.
    * `scale`: S of each posterior, [D, k, k], a first guess of a root of its covariance, $S S^T$.
    * `draws`, `warmup`: of each chain, kept and to adapt. `length`: of the path of a move, in widths of the posterior, on average; a move
      has half to one and a half times as much. `most`: leaps of a move, at most.
    * `seed`: of all moves. `progress`: called with (stage, done, total).

    A move draws $p \sim N(0, 1)$, goes $p \leftarrow p - \tfrac\epsilon2 S^T \nabla U$, $u \leftarrow u + \epsilon S p$,
    $p \leftarrow p - \tfrac\epsilon2 S^T \nabla U$ for some leaps, and is accepted with $\min(1, e^{H - H'})$, $H = U + p^2 / 2$. In the
    warm-up each posterior's $\epsilon$ goes where .8 of its moves are accepted, and after each quarter of it S becomes a root of the
    covariance of all its chains in the later half so far, shrunk towards what it was. Where the density is no number a move is refused.
    Chains of one posterior are independent after the warm-up, so that `split_gelman_rubin` says whether they found the same. Raises
    `OrbitscopeError` for sizes out of range.

    Source: Neal, Handbook of Markov Chain Monte Carlo (2011), chapter 5, sections 5.3 and 5.4.
    """
    ensembles, chains, size = start.shape
    for what, value, least in (("draws", draws, 1), ("warmup", warmup, 20), ("most", most, 2)):
        if value < least:
            raise OrbitscopeError(f"hamiltonian_chains: `{what}` should be at least {least}, got {value}.")
    if scale.shape != (ensembles, size, size):
        raise OrbitscopeError(f"hamiltonian_chains: `scale` should be [{ensembles}, {size}, {size}], got {list(scale.shape)}.")
    g = torch.Generator().manual_seed(derive(seed, "hamiltonian chains"))
    u, step = start.clone(), torch.full((ensembles,), _FIRST, dtype=start.dtype)
    level, slope = _sloped(potential, u, torch.arange(ensembles))
    learns, since = {warmup * part // 4 for part in (1, 2, 3)}, 0
    seen, kept, accepted = [], [], torch.zeros(ensembles, dtype=start.dtype)
    for move in range(warmup + draws):
        if move in learns:
            scale, since = _learnt(torch.stack(seen[len(seen) // 2 :], 2), scale), 0  # the step is found anew for the new shape
        path = length * (0.5 + torch.rand(ensembles, generator=g, dtype=u.dtype))
        count = (path / step).ceil().clamp(2, most).long()
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


def _sloped(potential: Potential, u: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """The potential [D, C] and its gradient [D, C, k] at u, of the posteriors with the numbers `which` [D]."""
    flat = u.reshape(-1, u.shape[-1]).detach().requires_grad_()
    with torch.enable_grad():
        level = potential(flat, which.repeat_interleave(u.shape[1]))
        (slope,) = torch.autograd.grad(level.sum(), flat)
    return level.detach().reshape(u.shape[:2]), torch.nan_to_num(slope).reshape(u.shape)


def _leapt(
    potential: Potential, u: Tensor, slope: Tensor, momentum: Tensor, scale: Tensor, step: Tensor, count: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Place, potential, gradient and momentum after `count` leaps, [D] of them: posteriors that have made theirs are asked no more."""
    u, slope, level = u.clone(), slope.clone(), u.new_empty(u.shape[:2])
    p = momentum - 0.5 * step * (slope @ scale)
    for k in range(int(count.max())):
        on = (count > k).nonzero()[:, 0]
        u[on] = u[on] + step[on] * (p[on] @ scale[on].mT)
        level[on], slope[on] = _sloped(potential, u[on], on)
        part = torch.where(count[on] == k + 1, 0.5, 1.0).to(u)[:, None, None]
        p[on] = p[on] - part * step[on] * (slope[on] @ scale[on])
    return u, level, slope, p


def _learnt(seen: Tensor, before: Tensor) -> Tensor:
    """A root of the covariance of the places that were seen, [D, C, N, k], shrunk towards what it was `before`, as if that were known from
    some places more: places that follow each other are not independent, and few."""
    flat = seen.flatten(1, 2)
    gap = flat - flat.mean(1, keepdim=True)
    covariance = (gap.mT @ gap + _BELIEF * before @ before.mT) / (flat.shape[1] + _BELIEF)
    return torch.linalg.cholesky(covariance)

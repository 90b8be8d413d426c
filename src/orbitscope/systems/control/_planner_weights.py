"""From costs of sequences to their weights: a softmax, elites, or both."""

import torch
from torch import Tensor

# Costs closer than so many units of rounding are one: a symmetric state has pairs that rounding alone would order.
_TIES = 4096.0


def weights_of(costs: Tensor, *, elites: int | None, temperature: float) -> Tensor:
    r"""Weights of sequences by their `costs` [B, K]; rows sum to 1.

    $$w_k \propto e_k \exp(-(J_k - \min_j J_j) / \lambda)$$

    * `elites`: how many of the lowest costs count, $e_k$ = 1 for those and 0 for others; None: all do. Sequences that tie for the last
      place share it, so that the order in which they stand does not matter.
    * `temperature`: $\lambda$, in the unit of the costs; infinite: elites count alike.

    Infinite costs have weight 0; a row must have a finite one.
    """
    costs = costs.double()
    soft = temperature < float("inf")
    weights = torch.exp((costs.amin(1, keepdim=True) - costs) / temperature) if soft else costs.isfinite().double()
    if elites is not None and elites < costs.shape[1]:
        weights = weights * _elite(costs, elites)
    return weights / weights.sum(1, keepdim=True)


def _elite(costs: Tensor, elites: int) -> Tensor:
    """1 below the place of the last elite, a share of what is left for those that tie for it, 0 above."""
    last = costs.kthvalue(elites, dim=1, keepdim=True).values
    size = costs.abs().where(costs.isfinite(), 0.0).amax(1, keepdim=True)
    tie = _TIES * torch.finfo(torch.float64).eps * size
    below, tied = costs < last - tie, (costs - last).abs() <= tie
    left = elites - below.sum(1, keepdim=True)
    return below + tied * (left / tied.sum(1, keepdim=True).clamp_min(1))

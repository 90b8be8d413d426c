"""The relaxed weights of a network on points: tensors that start at 0, and how they are trained."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ._irreps import Irreps, breaking_irreps

#: Part of all steps over which the penalty grows from 0: weights that are needed have left 0 by then.
RAMP = 0.15


class RelaxedWeights(nn.Module):
    r"""The relaxed weights $\theta$ of a network: a direct sum of irreps of O(3), 0 at the start; $\theta^{0e} = 1$ is understood.

    * `irreps`: words or `Irreps` without 0e; None: all up to degree 4.
    * `cases`: number of such vectors: one for all examples, or one for each of several shapes or amplitudes that share all other weights.

    * `hold`: part of all steps of a training, from its start, in which $\theta$ stays 0: the strict network learns what it can.
    * `lasso`: weight of $\sum_l |\theta^l|$ after that, in units of the loss; it sets irreps that are not needed to exactly 0. 0: none.
    * `refit`: from this part of all steps on there is no such penalty; what it has set to 0 stays so, the rest is free.

    `theta` [cases, irreps.dim]. `hold` and `lasso` work where `training.fit` trains (it calls `after_step`). An optimiser that treats its
    components one by one, as Adam does, turns rounding errors into steps of full size and so breaks symmetries that the data keep;
    `shared_moment` tells `training.BlockAdamW` to give each vector one second moment.
    """

    shared_moment: ClassVar[dict[str, int]] = {"theta": 1}

    kept: Tensor

    def __init__(
        self, irreps: str | Irreps | None = None, cases: int = 1, *, hold: float = 0.0, lasso: float = 0.0, refit: float = 0.75
    ) -> None:
        super().__init__()
        self.irreps = breaking_irreps() if irreps is None else Irreps.of(irreps)
        if self.irreps.count("0e") or cases < 1:
            raise OrbitscopeError(f"RelaxedWeights: `irreps` without 0e and `cases` from 1 up, got {self.irreps} and {cases}.")
        if not 0 <= hold <= refit <= 1 or not lasso >= 0:
            raise OrbitscopeError(f"RelaxedWeights: 0 <= `hold` <= `refit` <= 1 and `lasso` at least 0, got {hold}, {refit} and {lasso}.")
        self.hold, self.lasso, self.refit = hold, lasso, refit
        self.theta = nn.Parameter(torch.zeros(cases, self.irreps.dim))
        self.register_buffer("kept", torch.ones(cases, self.irreps.dim))

    @property
    def cases(self) -> int:
        """Number of vectors."""
        return len(self.theta)

    def forward(self, case: Tensor | None = None) -> Tensor:
        """The weights of each example by the number of its `case` [N], [N, dim]; without numbers those of the first, [1, dim]."""
        return self.theta[:1] if case is None else self.theta[case]

    def by_irrep(self, case: int = 0) -> dict[str, Tensor]:
        """Irrep -> its components, of one `case`; copies of an irrep are joined end to end."""
        found: dict[str, Tensor] = {}
        for block, where in self.irreps:
            part = self.theta.detach()[case, where]
            found[block.name] = torch.cat([found[block.name], part]) if block.name in found else part
        return found

    @torch.no_grad()
    def set(self, tensors: Mapping[str, Tensor], case: int = 0) -> None:
        """Set the components of some irreps, the rest to 0.

        * `tensors`: irrep -> components. `case`: of which vector.
        """
        self.theta[case] = 0.0
        for block, where in self.irreps:
            if block.name in tensors:
                self.theta[case, where] = tensors[block.name].to(self.theta)

    def penalty(self) -> Tensor:
        r"""$|\theta|^2$ over all cases: isotropic, so that it prefers no direction."""
        return self.theta.square().sum()

    @torch.no_grad()
    def tighten(self) -> None:
        """No relaxed weights."""
        self.theta.zero_()

    @torch.no_grad()
    def after_step(self, done: float, optimiser: torch.optim.Optimizer) -> None:
        """What the stages ask for after a step of `optimiser` (AdamW): hold, penalise, or keep at 0.

        * `done`: part of all steps of the training that is done, above 0 and at most 1.
        """
        state: dict[str, Any] = optimiser.state.get(self.theta, {})
        if done <= self.hold:
            self.theta.zero_()
            for value in state.values():  # moments of gradients that were not followed say nothing
                value.zero_()
        elif self.lasso and done <= self.refit and state:
            group = optimiser.param_groups[0]
            moment = state["exp_avg_sq"].mean(-1, keepdim=True) / (1 - group["betas"][1] ** float(state["step"]))
            weight = self.lasso * min(1.0, (done - self.hold) / RAMP)
            shrink(self.theta, self.irreps, group["lr"] * weight / (moment.sqrt() + group["eps"]))
            self.kept.copy_(present(self.theta, self.irreps))
        elif self.lasso:
            self.theta.mul_(self.kept)


@torch.no_grad()
def shrink(theta: Tensor, irreps: Irreps, threshold: Tensor) -> None:
    r"""The proximal step of $\sum_l |\theta^l|$, in place: every irrep shorter by `threshold`, those that are shorter than it 0.

    * `theta`: [..., irreps.dim]. `irreps`: of it. `threshold`: [..., 1], the rate over the metric times the weight of the penalty.

    One number for all components of an irrep, so the step turns with $\theta$ as a whole.
    """
    for _, where in irreps:
        length = theta[..., where].norm(dim=-1, keepdim=True)
        theta[..., where] *= (1 - threshold / length.clamp_min(torch.finfo(theta.dtype).tiny)).clamp_min(0)


@torch.no_grad()
def present(theta: Tensor, irreps: Irreps) -> Tensor:
    """1 in the components of irreps that are not all 0, else 0; as `theta` [..., irreps.dim].

    * `irreps`: of it.
    """
    found = torch.zeros_like(theta)
    for _, where in irreps:
        found[..., where] = (theta[..., where].norm(dim=-1, keepdim=True) > 0).to(theta)
    return found

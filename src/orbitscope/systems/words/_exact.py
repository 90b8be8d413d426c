"""From matrices that nearly obey the relations of a group to matrices that obey them."""

import copy

import torch
from torch import nn

from ..._errors import OrbitscopeError
from ...symmetry import FromMatrices
from ._matrixnet import MatrixNet

_ROUNDS = 20


def exact_representation(net: MatrixNet, tolerance: float = 1e-10) -> FromMatrices:
    r"""The representation near what a `MatrixNet` has learnt: $\sum_{l = r} \|M_l - M_r\|^2$ is minimised from its matrices, in float64.

    * `net`: not changed; its matrices stay of their kind (reflections stay reflections). The head is not asked, so answers may change.
    * `tolerance`: largest relative error of a relation that is left.

    Layers and probes take the result as any other `Representation`. Raises `OrbitscopeError` where the errors stay above `tolerance`:
    training should come nearer first, or the kind of matrices may not hold the group.
    """
    mine = copy.deepcopy(net).double()
    numbers = [p for p in mine.generators.parameters() if p.requires_grad]
    if numbers:
        _solve(mine, numbers, tolerance)
    errors = mine.relation_errors()
    worst = max(errors, key=lambda k: errors[k], default=None)
    if worst is not None and errors[worst] > tolerance:
        raise OrbitscopeError(
            f"exact_representation: the relation {worst} is still broken by {errors[worst]:.1e}, above `tolerance` = {tolerance:g}. Train "
            "`net` longer or with a `relation_weight`, or take another `kind` of matrices."
        )
    return mine.representation()


def _solve(net: MatrixNet, numbers: list[nn.Parameter], tolerance: float) -> None:
    search = torch.optim.LBFGS(
        numbers, max_iter=100, history_size=30, line_search_fn="strong_wolfe", tolerance_grad=0.0, tolerance_change=0.0
    )  # fmt: skip

    def loss() -> torch.Tensor:
        search.zero_grad()
        found = net.broken(net.matrices()).square().sum()
        found.backward()
        return found

    with torch.enable_grad():
        for _ in range(_ROUNDS):
            search.step(loss)  # pyright: ignore[reportArgumentType]  # LBFGS calls it and wants a tensor
            if max(net.relation_errors().values()) <= tolerance / 10:
                return

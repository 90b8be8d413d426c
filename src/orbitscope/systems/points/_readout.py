"""What a network on points has broken: sizes in the answer, and errors with the relaxed weights held and moved."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ...data import Examples
from ...nn import RelaxedWeights, order_parameters, relaxed_weights
from ...probe import influence
from ...symmetry import PartsAction, Symmetry, orthogonal
from ._about import described, input_action, irreps_action, moved_weights


class WithWeights(nn.Module):
    """A relaxed network whose relaxed weights are one more part of its state, [N, 1, dim]: equivariant under all of O(3).

    * `network`: called with `theta=`, as `E3Net` is.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *state: Tensor) -> Tensor:
        """The answer [N, P, out.dim] for the parts of a `state` as the network takes them, with the relaxed weights [N, 1, dim] last."""
        return self.network(*state[:-1], theta=state[-1][:, 0])


def with_weights(model: nn.Module, examples: Examples, symmetry: Symmetry) -> tuple[nn.Module, Examples, Symmetry]:
    """The network, its examples and a symmetry of them with the relaxed weights moved as well: what an instrument takes.

    * `model`: has one `RelaxedWeights`. `examples`: on points. `symmetry`: of the same, with the relaxed weights held.
    """
    weights, x = relaxed_weights(model), examples.x
    assert isinstance(x, tuple) and isinstance(symmetry.input, PartsAction)
    case = x[-1] if weights.cases > 1 else None
    moved = PartsAction(*symmetry.input.actions, irreps_action(str(weights.irreps), "theta"))
    state = moved_weights(x, weights(case).detach())
    data = Examples(state, examples.y, examples.unit, examples.slot, examples.name, examples.about)
    return WithWeights(model), data, Symmetry(symmetry.group, moved, symmetry.output, name=f"{symmetry.name}, weights moved")


@torch.no_grad()
def equivariance_gaps(model: nn.Module, x: Sequence[Tensor], symmetry: Symmetry, elements: Sequence[Any]) -> np.ndarray:
    r"""$\|f(g x) - g f(x)\| / \|f(x)\|$ of each element, root of the mean square over examples.

    * `model`, `x`: the map and its states. `symmetry`: how they move. `elements`: which.
    """
    plain = model(*x)
    size = float(plain.square().sum())
    found = [float((model(*symmetry.input(g, tuple(x))) - symmetry.output(g, plain)).square().sum()) / size for g in elements]
    return np.sqrt(np.array(found))


def responses(model: nn.Module, x: Sequence[Tensor]) -> dict[str, Tensor]:
    r"""Irrep -> what the answer owes to it, $\theta^l \cdot \partial f / \partial \theta^l$ at the states `x`, [N, P, out].

    By one forward derivative each. The product of weight and derivative does not change where a weight grows and what multiplies it
    shrinks, so it is in the unit of the answer and compares networks; where f is linear in the relaxed weights they add up to what the
    strict network lacks.

    * `model`: has one `RelaxedWeights`. `x`: parts of the states.
    """
    weights = relaxed_weights(model)
    theta = weights(x[-1].long() if weights.cases > 1 else None).detach()
    found: dict[str, Tensor] = {}
    for block, where in weights.irreps:
        along = torch.zeros_like(theta)
        along[:, where] = theta[:, where]
        change = torch.func.jvp(lambda t: model(*x, theta=t), (theta,), (along,))[1]
        found[block.name] = (found[block.name] + change if block.name in found else change).detach()
    return found


def reading(model: nn.Module, examples: Examples, *, elements: int = 8, tolerance: float = 1e-2, seed: int = 0) -> xr.Dataset:
    r"""`order_parameters`, with what each irrep does to the answer, and the error under O(3) with the relaxed weights held and moved.

    * `model`: a relaxed network on points. `examples`: at which it is looked at.
    * `elements`: how many of O(3) beside the identity. `tolerance`: of `stabiliser`. `seed`: of the elements.

    `response` [irrep]: root mean square of `responses` over that of the answer. `held`, `moved` [element]: equivariance error; the first is
    the learnt breaking, the second rounding. `turned` [element]: how much the answer at the moved state changes when the weights alone are
    moved, $\|f(g x, \theta) - f(g x, g \theta)\| / \|f\|$; it equals `held` to rounding, so nothing else is broken. `coherence_held`,
    `coherence_moved`: `influence` of an example on its moved copy over that on itself (euclidean, median and least over elements; 4
    examples), NaN for fewer than two units.
    """
    found, x = order_parameters(model, tolerance), examples.x
    assert isinstance(x, tuple)
    like = next(model.parameters())
    x = tuple(part.to(like.dtype) if part.is_floating_point() else part for part in x)
    y = examples.y
    assert isinstance(y, Tensor)
    data = Examples(x, y.to(like.dtype), examples.unit, examples.slot, examples.name, examples.about)
    with torch.no_grad():
        size = float(model(*x).square().mean().sqrt()) or 1.0
    owed = responses(model, x)
    response = [float(owed[str(name)].square().mean().sqrt()) / size for name in found["irrep"].values]
    said, group = described(examples), orthogonal(3)
    symmetry = Symmetry(group, input_action(said), irreps_action(said["out"], "answer"))
    chosen = group.probes(elements + 1, seed)[1:]
    free, states, joint = with_weights(model, data, symmetry)
    assert isinstance(states.x, tuple)
    units = {"units": "1"}
    coherent = [_coherences(m, d, s, seed) for m, d, s in ((model, data, symmetry), (free, states, joint))]
    return found.assign(
        turned=(
            "element",
            _turned(free, states, joint, chosen),
            {"long_name": "change of the answer by moving the weights alone", **units},
        ),
        coherence_held=((), float(np.median(coherent[0])), {"long_name": "coherence with the moved copy, relaxed weights held", **units}),
        coherence_moved=((), float(np.min(coherent[1])), {"long_name": "the same, relaxed weights moved too", **units}),
        response=("irrep", np.array(response), {"long_name": "what the answer owes to the irrep, over the answer", **units}),
        held=("element", equivariance_gaps(model, x, symmetry, chosen), {"long_name": "equivariance error, relaxed weights held", **units}),
        moved=("element", equivariance_gaps(free, states.x, joint, chosen), {"long_name": "the same, relaxed weights moved too", **units}),
    ).assign_coords(element=[g.name for g in chosen])


@torch.no_grad()
def _turned(free: nn.Module, states: Examples, joint: Symmetry, elements: Sequence[Any]) -> np.ndarray:
    x = states.x
    assert isinstance(x, tuple)
    size, found = float(free(*x).square().sum()), []
    for g in elements:
        moved = joint.input(g, x)
        found.append(float((free(*moved[:-1], x[-1]) - free(*moved)).square().sum()) / size)
    return np.sqrt(np.array(found))


def _coherences(model: nn.Module, data: Examples, symmetry: Symmetry, seed: int) -> np.ndarray:
    """Median coherence of each element, the identity apart."""
    if len(data.units) < 2:
        return np.array([np.nan])
    found = influence(model, data, symmetry, metric="euclidean", trajectories=min(4, len(data.units)), times=1, seed=seed)
    return found["response"].values[1:]


def is_relaxed(model: nn.Module) -> bool:
    """Whether a network has relaxed weights.

    * `model`: the network.
    """
    return any(isinstance(m, RelaxedWeights) for m in model.modules())

"""Order parameters: what the relaxed weights of a network have broken, and what is left."""

import json

import numpy as np
import xarray as xr
from torch import nn

from .._errors import OrbitscopeError
from ..symmetry import stabiliser
from ._relaxed_weights import RelaxedWeights


def relaxed_weights(model: nn.Module) -> RelaxedWeights:
    """The relaxed weights of a network on points; raises `OrbitscopeError` where it has none, or several.

    * `model`: the network.
    """
    found = [m for m in model.modules() if isinstance(m, RelaxedWeights)]
    if len(found) != 1:
        raise OrbitscopeError(f"relaxed_weights: {type(model).__name__} should have one RelaxedWeights, it has {len(found)}.")
    return found[0]


def order_parameters(model: nn.Module, tolerance: float = 1e-2) -> xr.Dataset:
    r"""The relaxed weights of `model` as order parameters, by case: how much of which irrep, and which group is left.

    * `model`: has one `RelaxedWeights`.
    * `tolerance`: of `symmetry.stabiliser`, relative to $\|\theta\|$.

    `size` [case, irrep]: $|\theta^l|$, in units of $\theta^{0e} = 1$. `theta` [case, component]: the components, by "irrep:m". `allowed`
    [case, irrep]: the number of components that the group left over allows, by counting its invariants. `forbidden` [case, irrep]: the
    length of what lies outside of those. The attributes name the group of each case by its Schoenflies symbol, with its axes and the
    infinitesimal rotations in it. Sizes depend on the weights beside them: they compare cases of one network, not networks. Weights below
    1e-9 in total count as 0. Raises `OrbitscopeError` for a model without relaxed weights.
    """
    weights = relaxed_weights(model)
    names = list(dict.fromkeys(b.name for b in weights.irreps.blocks))
    components = [f"{b.name}:{m}" for b in weights.irreps.blocks for _ in range(b.count) for m in range(-b.degree, b.degree + 1)]
    size, allowed, forbidden, about = [], [], [], []
    for case in range(weights.cases):
        tensors = {name: v.double().cpu().numpy() for name, v in weights.by_irrep(case).items()}
        total = float(np.sqrt(sum(float(v @ v) for v in tensors.values())))
        group = stabiliser(tensors if total > 1e-9 else {}, tolerance)
        free = {name: group.invariants(name) for name in names}
        size.append([float(np.linalg.norm(tensors[name])) for name in names])
        allowed.append([len(free[name]) for name in names])
        forbidden.append([_outside(tensors[name], free[name]) for name in names])
        about.append({
            "group": group.name, "axes": [[n, [round(float(c), 6) for c in axis]] for n, axis in group.axes],
            "continuous": len(group.algebra), "error": group.error, "tolerance": group.tolerance,
        })  # fmt: skip
    case = ("case", "irrep")
    variables = {
        "size": (case, np.array(size), {"long_name": "length of the relaxed weight, theta(0e) = 1", "units": "1"}),
        "allowed": (case, np.array(allowed), {"long_name": "number of components that the group left over allows"}),
        "forbidden": (case, np.array(forbidden), {"long_name": "length of the components that it forbids", "units": "1"}),
        "theta": (("case", "component"), weights.theta.detach().double().cpu().numpy(), {"long_name": "relaxed weights", "units": "1"}),
    }
    said = {"model": type(model).__name__, "tolerance": tolerance, "groups": json.dumps(about)}
    return xr.Dataset(variables, {"irrep": names, "component": components}, said)


def _outside(values: np.ndarray, rows: np.ndarray) -> float:
    """Length of what is outside of the span of orthonormal rows; of several copies side by side, all together."""
    copies = values.reshape(-1, rows.shape[1] if rows.size else len(values))
    return float(np.linalg.norm(copies - copies @ rows.T @ rows)) if rows.size else float(np.linalg.norm(values))

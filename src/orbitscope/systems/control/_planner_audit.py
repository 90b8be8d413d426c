"""Do a planner's decisions turn with the world? Measured, element by element."""

from collections.abc import Sequence
from typing import Any

import torch
import xarray as xr
from torch import Tensor

from ..._errors import OrbitscopeError
from ..._expect import expect, shown
from ..._seed import derive
from ...symmetry import Symmetry
from ._planner import Planner


def decision_errors(
    planner: Planner, states: Tensor, symmetry: Symmetry, *, warm: bool = True, calls: Sequence[int] = (0, 1)
) -> xr.Dataset:
    r"""How far decisions are from turning with the world, $|\pi(g s; g \bar a) - g\,\pi(s; \bar a)|$, for all elements of a finite group.

    * `planner`: with a group or without. `states`: [B, n]. `symmetry`: how states and actions move. `warm`: whether each state has a random
      warm start, in the actions' set and moved with the state; False: zeros. `calls`: numbers of the noise, one decision each.

    The dataset has `error` over (call, element, state), in the unit of actions, with the seed's noise the same in both worlds; the scale of
    actions, their root mean square over states and calls, is `scale`. Raises `OrbitscopeError` for an infinite group.
    """
    expect(planner, Planner, "decision_errors: `planner`", "a Planner")
    symmetry = getattr(symmetry, "policy", symmetry)
    expect(symmetry, Symmetry, "decision_errors: `symmetry`", "a Symmetry of states and actions")
    states = torch.as_tensor(states, dtype=planner.dtype)
    if states.ndim != 2 or len(states) == 0:
        raise OrbitscopeError(f"decision_errors: `states` should be [B, n], got {shown(states)}.")
    if not symmetry.group.finite:
        raise OrbitscopeError(f"decision_errors: {symmetry.group.name} is infinite; take a finite one, for example 'so2/16'.")
    errors, sizes = [], []
    for call in calls:
        mean = warm_start(planner, len(states), call) if warm else None
        base = planner.plan(states, mean, call).action
        sizes.append(base.square().sum(-1))
        errors.append([_gap(planner, states, symmetry, g, mean, call, base) for g in symmetry.group])
    values = torch.stack([torch.stack(e) for e in errors]).double().numpy()
    names = [g.name for g in symmetry.group]
    found = xr.Dataset({"error": (("call", "element", "state"), values)}, coords={"call": list(calls), "element": names})
    found["scale"] = float(torch.stack(sizes).mean().sqrt())
    found.error.attrs = {"long_name": "decision-equivariance error", "units": "unit of actions"}
    return found.assign_attrs(
        group=symmetry.group.name, planner=planner.method, own_group=planner.turning.name if planner.turning else "none"
    )


def warm_start(planner: Planner, rows: int, call: int) -> Tensor:
    """Random sequences of actions [`rows`, H, m] in the set of a `planner`, normal of standard deviation 1/3, by its seed and `call`."""
    generator = torch.Generator().manual_seed(derive(planner.seed, "planner warm start", call))
    drawn = torch.randn(rows, planner.horizon, planner.actions.size, generator=generator, dtype=torch.float64) / 3
    return planner.actions.project(drawn.to(planner.dtype))


def _gap(planner: Planner, states: Tensor, symmetry: Symmetry, g: Any, mean: Tensor | None, call: int, base: Tensor) -> Tensor:
    moved = None if mean is None else symmetry.output(g, mean.flatten(0, 1)).unflatten(0, mean.shape[:2])
    turned = planner.plan(symmetry.input(g, states), moved, call).action
    return (turned - symmetry.output(g, base)).norm(dim=-1)

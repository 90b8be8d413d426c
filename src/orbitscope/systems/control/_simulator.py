"""A simulator as the model of a planner: any environment whose state can be read and set."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..._errors import OrbitscopeError


class SimulatorModel:
    """The steps of an environment as the `dynamics` and `running_cost` of a `Planner`: state by state, with the simulator itself.

    * `env`: a gymnasium environment with `get_state()` and `set_state(state)` that is deterministic given its state, such as those that
      come by name; `Planner(model.step, model.cost, env.action_space)` plans on it.

    The cost is minus the reward. A decision takes K H steps of the simulator (iterations times), one after the other. Raises
    `OrbitscopeError` where the environment has no such methods.
    """

    def __init__(self, env: Any) -> None:
        self.env = getattr(env, "unwrapped", env)
        if not all(callable(getattr(self.env, name, None)) for name in ("get_state", "set_state", "step")):
            raise OrbitscopeError(
                f"SimulatorModel: {type(self.env).__name__} has no get_state() and set_state(state), so it cannot be asked what would "
                "follow. Write both (all that decides what follows), or plan on a model of your own: Planner(dynamics, running_cost, ...)."
            )
        self.steps = 0
        self._last: tuple[Tensor, Tensor] | None = None

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """The next states [N, n] of `states` [N, n] under `actions` [N, m]."""
        following, rewards = np.empty(states.shape), np.empty(len(states))
        for i, (state, action) in enumerate(zip(states.double().numpy(), actions.double().numpy(), strict=True)):
            self.env.set_state(state)
            rewards[i] = self.env.step(action)[1]
            following[i] = self.env.get_state()
        self.steps += len(states)
        found = torch.as_tensor(following, dtype=states.dtype)
        self._last = found, torch.as_tensor(-rewards, dtype=states.dtype)
        return found

    def cost(self, states: Tensor, actions: Tensor) -> Tensor:
        """Minus the reward [N] of `states` that `step` has just returned for `actions`."""
        if self._last is None or self._last[0] is not states:
            raise OrbitscopeError("SimulatorModel: `cost` is known of the states that `step` returned last; ask in that order.")
        return self._last[1]

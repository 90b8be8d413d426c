"""What an environment returns and is given: one that does not do what its spaces say is named here, before a library trips over it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError


def require_observation(env: Any, seen: Any, what: str, who: str) -> None:
    """Raise `OrbitscopeError` unless `seen`, which `what` ("`step`") of `env` returned, has the shape of its observation space."""
    if np.shape(seen) != env.observation_space.shape:
        name, came = getattr(env, "name", type(env).__name__), "None" if seen is None else list(np.shape(seen))
        raise OrbitscopeError(
            f"{who}: {what} of {name} should return an observation of shape {list(env.observation_space.shape)}, as its space says, and "
            f"returned {came}. Mend the environment or its space."
        )


def checked_state(env: Any, state: Any) -> NDArray[np.float64]:
    """`state` as [n] in float64; raises `OrbitscopeError` unless it has as many finite numbers as `get_state` of `env` gives."""
    given, known = np.asarray(state, dtype=np.float64), env.get_state()
    if given.shape != known.shape or not np.isfinite(given).all():
        raise OrbitscopeError(
            f"{env.name}: `state` should be {known.size} finite numbers, as of `get_state`, got shape {list(given.shape)}."
        )
    return given

"""An environment that is looked at while an agent learns in it."""

from typing import Any

import gymnasium

from ._env_checks import require_observation


def looked_at(env: Any) -> Any:
    """`env` in a `CheckedEnv`, where it is one of gymnasium: others are left to who reads them."""
    return CheckedEnv(env) if isinstance(env, gymnasium.Env) else env


class CheckedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment whose observations are looked at, for a training: raises `OrbitscopeError` where they are wrong."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """As of the environment."""
        seen, info = self.env.reset(seed=seed, options=options)
        require_observation(self.env, seen, "`reset`", "learn")
        return seen, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """As of the environment."""
        seen, reward, terminated, truncated, info = self.env.step(action)
        require_observation(self.env, seen, "`step`", "learn")
        return seen, reward, terminated, truncated, info

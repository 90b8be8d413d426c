"""Two series of daily returns as a gymnasium environment: look back, take a position, earn after costs."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ..._expect import expect, expect_number
from ._market import Market, index_market
from ._trading import COST, UNIT
from ._trading_symmetry import LENGTH, WINDOW

Array = NDArray[np.float64]
PER_CENT = 100.0


class TradingEnv(gymnasium.Env[Array, NDArray[np.float32]]):
    r"""A year of daily positions in some series, from a day that is drawn; the reward is `net_returns` in per cent of the capital.

    * `market`: returns of m series; None: `index_market()`. Hand over the days of learning alone, or the agent sees what it is judged on.
    * `window`: past days that are observed. `length`: days of an episode, which ends truncated. `cost`: of a trade.
    * `render_mode`: None alone; a market has no picture.

    An observation is the returns of the last `window` days in per cent, oldest first, and the position held, [m window + m]; an action is
    the next position, m numbers from -1 to 1. An action is taken before its return is seen. Raises `OrbitscopeError` for a market of
    fewer than `window` + 2 days, and for an action of another shape or with NaN; an episode is shortened where days do not suffice.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  # as gymnasium declares it
    name = "trading"

    def __init__(
        self,
        market: Market | None = None,
        *,
        window: int = WINDOW,
        length: int = LENGTH,
        cost: float = COST,
        render_mode: str | None = None,
    ) -> None:
        for what, value in (("window", window), ("length", length)):
            expect_number(value, f"TradingEnv: `{what}`", whole=True)
            if value < 1:
                raise OrbitscopeError(f"TradingEnv: `{what}` should be at least 1, got {value}.")
        expect_number(cost, "TradingEnv: `cost`")
        if not 0 <= cost < 1:
            raise OrbitscopeError(f"TradingEnv: `cost` should be a fraction from 0 to 1, such as 0.0005, got {cost}.")
        if render_mode is not None:
            raise OrbitscopeError(f"TradingEnv: there is nothing to draw, so `render_mode` should be None, got {render_mode!r}.")
        market = index_market() if market is None else market
        expect(market, Market, "TradingEnv: `market`", "a Market (Market.of_prices makes one)")
        if len(market) < window + 2:
            raise OrbitscopeError(
                f"TradingEnv: `market` has {len(market)} days, and a window of {window} needs at least {window + 2}. Give more days or a "
                "shorter window."
            )
        self.market, self.window, self.cost, self.render_mode = market, window, float(cost), render_mode
        self.length = min(length, len(market) - window)
        self.series = market.returns.shape[1]
        self.action_space = Box(-1.0, 1.0, (self.series,), np.float32)
        self.observation_space = Box(-np.inf, np.inf, (self.series * (window + 1),), np.float64)
        self.path, self.held, self.clock = market.returns[: window + self.length], np.zeros(self.series), 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """A new episode without a position; the same `seed` gives the same first day, `options={"row": k}` that row of the days."""
        super().reset(seed=seed)
        last = len(self.market) - self.window - self.length
        row = int(self.np_random.integers(last + 1))
        if options and "row" in options:
            row = int(options["row"]) - self.window
            if not 0 <= row <= last:
                raise OrbitscopeError(
                    f"TradingEnv: row should lie from {self.window} to {last + self.window}, so that a window lies before and an episode "
                    f"behind it; got {options['row']}."
                )
        self.path = self.market.returns[row : row + self.window + self.length]
        self.held, self.clock = np.zeros(self.series), 0
        return self._seen(), {"day": str(self.market.days[row + self.window])}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Take the position `action` [m] for the next day; cut to the box."""
        given = np.asarray(action, dtype=np.float64)
        if given.shape != (self.series,) or not np.isfinite(given).all():
            raise OrbitscopeError(f"trading: `action` should be {self.series} finite numbers, got {given.tolist()}.")
        if self.clock >= self.length:
            raise OrbitscopeError(f"trading: the episode has ended after {self.length} days. Call reset() first.")
        target = given.clip(-1, 1)
        gain = float(target @ self.path[self.window + self.clock] / self.series)
        paid = float(self.cost * np.abs(target - self.held).mean())
        self.held, self.clock = target, self.clock + 1
        about = {"gain": gain, "cost": paid}
        return self._seen(), PER_CENT * (gain - paid), False, self.clock >= self.length, about

    def _seen(self) -> Array:
        past = self.path[self.clock : self.clock + self.window]
        return np.concatenate([past.ravel() / UNIT, self.held])

    def get_state(self) -> Array:
        """All returns of the episode in per cent, also to come, the position, and the days that are over, [(window + length + 1) m + 1]."""
        return np.concatenate([self.path.ravel() / UNIT, self.held, [float(self.clock)]])

    def set_state(self, state: Any) -> Array:
        """Put the episode into `state`, whose returns need not be those of the market; days are cut to the episode. What is seen there."""
        given, days = np.asarray(state, dtype=np.float64), self.window + self.length
        if given.shape != ((days + 1) * self.series + 1,) or not np.isfinite(given).all():
            raise OrbitscopeError(f"trading: `state` should be {(days + 1) * self.series + 1} finite numbers, got shape {given.shape}.")
        self.path = given[: days * self.series].reshape(days, self.series) * UNIT
        self.held, self.clock = given[days * self.series : -1].copy(), int(np.clip(round(given[-1]), 0, self.length))
        return self._seen()


if "orbitscope/trading-v0" not in gymnasium.registry:
    gymnasium.register("orbitscope/trading-v0", entry_point=f"{__name__}:TradingEnv", order_enforce=False)

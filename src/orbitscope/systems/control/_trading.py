"""What a trader of daily returns earns after costs, the symmetries of that account, and networks that choose positions."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ..._expect import checked_settings
from ..._seed import derive
from ...nn import relaxation_penalty
from ...symmetry import FieldAction, Group, Layout, Symmetry, Values
from ._agent_networks import Head, NetworkPlan, Trunk

Array = NDArray[np.float64]
COST = 5e-4
"""Cost of a trade, as a fraction of what is bought or sold."""
UNIT = 0.01
"""Returns are shown to networks in this unit, one per cent: the same for all series, or the exchange of two would be broken."""


def net_returns(returns: Tensor, positions: Tensor, cost: float = COST, before: Tensor | None = None) -> Tensor:
    r"""What each day earns after costs, as a fraction of the capital, [..., days].

    $$n_t = \frac1m \sum_i \big(a_{t,i}\, r_{t,i} - c\, |a_{t,i} - a_{t-1,i}|\big)$$

    * `returns` [..., days, m]: simple returns of m series. `positions` [..., days, m]: $a_t$ in [-1, 1], chosen *before* $r_t$ was known,
      1 is an m-th of the capital.
    * `cost`: c. `before` [..., m]: the position before the first day; None: nothing is held.

    Gains are not invested again. Where it fails: keeping a position while prices move is free, as are borrowed shares and cash.
    """
    if positions.shape[-2:] != returns.shape[-2:]:
        raise OrbitscopeError(f"net_returns: `positions` should be {tuple(returns.shape)} as `returns` are, got {tuple(positions.shape)}.")
    start = torch.zeros_like(positions[..., :1, :]) if before is None else before[..., None, :].expand_as(positions[..., :1, :])
    traded = torch.cat([start, positions], -2).diff(dim=-2).abs()
    return (positions * returns - cost * traded).mean(-1)


def past_windows(returns: ArrayLike, window: int) -> Array:
    """The `window` returns before each day from day `window` on, oldest first and series within days, [days - window, window m].

    * `returns` [days, m]: simple returns. Row k is known before the return of day k + `window`.

    Raises `OrbitscopeError` where there is no day behind a whole window.
    """
    given = np.asarray(returns, dtype=np.float64)
    if given.ndim != 2 or window < 1 or len(given) <= window:
        raise OrbitscopeError(
            f"past_windows: `returns` should be [days, series] with more than `window` = {window} days, got shape {given.shape}. Give a "
            "longer series or a shorter window."
        )
    seen = np.lib.stride_tricks.sliding_window_view(given, window, axis=0)[:-1]  # [days - window, m, window]
    return np.ascontiguousarray(seen.transpose(0, 2, 1)).reshape(len(seen), -1)


@checked_settings
@dataclass(frozen=True)
class TradingConfig:
    """Settings of a `TradingPolicy` and of how it is fitted.

    * `policy`: one of `ARMS`. `window`: days that are looked back. `width`, `depth`: of hidden layers.
    * `steps`, `learning_rate`, `weight_decay`: of Adam, every step on all days. `aversion`: to variance. `cost`: of a trade.
    * `penalty`: on what relaxed layers have broken. `noise`: on inputs in a fit, as a part of their size. `seed`: of weights and noise.
    """

    policy: str = "exact"
    window: int = 20
    width: int = 16
    depth: int = 1
    steps: int = 100
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    aversion: float = 4.0
    cost: float = COST
    penalty: float = 0.0
    noise: float = 0.0
    seed: int = 0


class TradingPolicy(nn.Module):
    r"""Positions in [-1, 1] of the past returns of two series, $a = \tanh f(r_{t-w}, ..., r_{t-1})$.

    * `group`: of `market_group`, finite; what is built in, or by what the copies of "augmented" are moved. `config`: settings.

    An exact policy under "reflection" has no opinion of its own: f(-r) = -f(r), so that it cannot hold on to a market that rises on the
    whole. `symmetry` is what it would be exact under. Raises `OrbitscopeError` for an unknown policy and for an infinite group.
    """

    def __init__(self, group: Group, config: TradingConfig | None = None) -> None:
        super().__init__()
        self.group, self.config = group, config or TradingConfig()
        c = self.config
        seen, held = Layout.of(f"returns:vector*{c.window}"), Layout.of("position:vector")
        self.symmetry = Symmetry(group, FieldAction(seen, Values()), FieldAction(held, Values()))
        plan = NetworkPlan(c.policy, c.width, c.depth)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(c.seed, "trading policy"))
            self.trunk = Trunk(plan, group, seen, nn.Tanh)
            self.head = Head(self.trunk, held)

    def forward(self, windows: Tensor) -> Tensor:
        """Positions [N, 2] after `windows` [N, 2 window] in units of `UNIT`."""
        return torch.tanh(self.head(self.trunk(windows)))

    @torch.no_grad()
    def positions(self, returns: ArrayLike) -> Array:
        """The position for each day of `returns` [days, 2] from day `window` on, [days - window, 2], of the days before it alone."""
        windows = torch.as_tensor(past_windows(returns, self.config.window) / UNIT, dtype=torch.get_default_dtype())
        return self(windows).double().numpy()

    def fit(self, returns: ArrayLike) -> list[float]:
        r"""Climb the mean net return less `aversion` / 2 times its variance, in place; the climb, a number a step, per year.

        * `returns` [days, 2]: simple returns of the days that may be seen, in order.

        Raises `OrbitscopeError` for a series of fewer than twice the window.
        """
        c, given = self.config, np.asarray(returns, dtype=np.float64)
        if len(given) < 2 * c.window:
            raise OrbitscopeError(f"TradingPolicy: `returns` hold {len(given)} days, fewer than two windows of {c.window}. Give more days.")
        if not np.isfinite(given).all():
            raise OrbitscopeError("TradingPolicy: `returns` hold NaN or infinite values. Drop those days.")
        x = torch.as_tensor(past_windows(given, c.window) / UNIT, dtype=torch.get_default_dtype())
        r = torch.as_tensor(given[c.window :], dtype=torch.get_default_dtype())
        optimiser = torch.optim.AdamW(self.parameters(), lr=c.learning_rate, weight_decay=c.weight_decay)
        generator = torch.Generator().manual_seed(derive(c.seed, "trading noise"))
        climbed = []
        for _ in range(c.steps):
            seen, earned = self._moved(x, r, generator)
            if c.noise:
                seen = seen + c.noise * x.std() * torch.randn(x.shape, generator=generator)
            net = net_returns(earned, self(seen), c.cost)
            score = 252 * (net.mean() - c.aversion / 2 * net.var())
            optimiser.zero_grad()
            loss = -score + (c.penalty * relaxation_penalty(self) if c.penalty else 0.0)
            loss.backward()
            optimiser.step()
            climbed.append(float(score.detach()))
        return climbed

    def _moved(self, x: Tensor, r: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Of the augmented arm the whole history as one element shows it."""
        if self.config.policy != "augmented":
            return x, r
        elements = self.group.probes(None, 0)
        g = elements[int(torch.randint(len(elements), (1,), generator=generator))]
        return self.symmetry.input(g, x), self.symmetry.output(g, r)

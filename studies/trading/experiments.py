"""What the study measures: symmetries of the returns and of the account, rules without learning, fitted policies walked forward."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from market_symmetry import account, distribution, marks, price_scale

from orbitscope import Examples
from orbitscope.probe import equivariance
from orbitscope.systems.control import (
    Market,
    TradingConfig,
    TradingPolicy,
    index_market,
    market_group,
    net_returns,
    past_windows,
    walk_forward,
)

Rows = dict[str, list[dict[str, Any]]]
RULES = ("flat", "buy and hold", "momentum", "reversal")


def symmetry(settings: Any, label: dict[str, Any]) -> Rows:
    """Of the account (exact or not), of the distribution of returns (p-values), and what breaks it (numbers with intervals)."""
    market = index_market()
    scale = [{"scale": c, "difference": d} for c, d in price_scale(market).items()]
    return {
        "account": account(market, settings.window), "scale": scale, "distribution": distribution(market, settings.block),
        "marks": marks(market, settings.block, settings.resamples), "market": [about(market)],
    }  # fmt: skip


def about(market: Market) -> dict[str, Any]:
    """The data in one row."""
    return {
        "days": len(market), "first": str(market.days[0]), "last": str(market.days[-1]), "series": ", ".join(market.names),
        "correlation": float(np.corrcoef(market.returns.T)[0, 1]),
    }  # fmt: skip


def judged(market: Market, settings: Any) -> slice:
    """The rows of the days that are judged."""
    folds = walk_forward(market, settings.first, settings.last)
    return slice(folds[0].cut, folds[-1].end)


def rules(settings: Any, label: dict[str, Any]) -> Rows:
    """Nothing is fitted: flat, an equal part in each series for good, with and against the mean of the window."""
    market = index_market()
    rows = judged(market, settings)
    past = past_windows(market.returns, settings.window).reshape(-1, settings.window, 2)[rows.start - settings.window :][
        : rows.stop - rows.start
    ]
    trend = np.sign(past.mean(1))
    made = {"flat": np.zeros_like(trend), "buy and hold": np.ones_like(trend), "momentum": trend, "reversal": -trend}
    tables: Rows = {"months": [], "earned": []}
    for name in RULES:
        earned(market, rows, made[name], settings, tables, {"rule": name})
    return tables


def policy(settings: Any, label: dict[str, Any]) -> Rows:
    """One arm, one seed: fitted on all days before each year, judged on that year; its departures from the symmetries there."""
    market = index_market()
    arm, _, group = label["arm"].partition("-")
    config = TradingConfig(
        policy=arm, window=settings.window, width=settings.width, steps=settings.steps, learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay, aversion=settings.aversion, cost=settings.cost, noise=settings.noise,
        penalty=settings.penalty if arm in ("relaxed", "residual") else 0.0, seed=label["seed"],
    )  # fmt: skip
    held, seen_score, errors = [], [], []
    rows = judged(market, settings)
    for fold in walk_forward(market, settings.first, settings.last):
        made = TradingPolicy(market_group(group or "reflection*swap"), config)
        made.fit(market.returns[: fold.cut])
        held.append(made.positions(market.returns[fold.cut - settings.window : fold.end]))
        learnt = made.positions(market.returns[: fold.cut])
        seen_score.append(_yearly(market.returns[settings.window : fold.cut], learnt, settings.cost))
        errors.append(departures(made, market, fold.cut, fold.end))
    tables: Rows = {"months": [], "earned": []}
    weights = sum(p.numel() for p in TradingPolicy(market_group(group or "reflection*swap"), config).parameters())
    mean = pd.DataFrame(errors).mean()
    more = {"in_sample": float(np.mean(seen_score)), "parameters": weights, **{k: float(v) for k, v in mean.items()}}
    earned(market, rows, np.concatenate(held), settings, tables, more)
    return tables


def departures(made: TradingPolicy, market: Market, cut: int, end: int) -> dict[str, float]:
    """How far positions are from turning with long/short and with the exchange: `probe`'s commutator on the judged days."""
    c = made.config
    x = torch.as_tensor(past_windows(market.returns[cut - c.window : end], c.window)[::5] / 0.01, dtype=torch.get_default_dtype())
    whole = TradingPolicy(market_group("reflection*swap"), c).symmetry
    with torch.no_grad():
        found = equivariance(made.eval(), Examples(x, made(x)), whole, trajectories=None, batch=4096)
    median = found["commutator"].median("transition")
    return {f"error_{name}": float(median.sel(element=g)) for name, g in (("reflection", "r2"), ("swap", "sr"))}


def earned(market: Market, rows: slice, positions: np.ndarray, settings: Any, tables: Rows, more: dict[str, Any]) -> None:
    """Add the net return of every month, and a row of what it was over all, at the cost that was learnt with and at others."""
    returns, months = market.returns[rows], market.days[rows].astype("datetime64[M]")
    for cost in (settings.cost, *settings.other_costs):
        net = daily(returns, positions, cost)
        name = {k: v for k, v in more.items() if k == "rule"}
        if cost == settings.cost:
            by_month = pd.Series(net).groupby(months).sum()
            tables["months"] += [{**name, "month": str(m)[:7], "net": float(v)} for m, v in by_month.items()]
        wealth = np.cumsum(net)
        traded = float(np.abs(np.diff(positions, axis=0, prepend=0)).mean(1).sum() * 252 / len(net))
        fell = float((np.maximum.accumulate(np.append(0.0, wealth))[1:] - wealth).max())
        tables["earned"].append(
            {
                **more,
                "at_cost": cost,
                "net": float(net.mean() * 252),
                "risk": float(net.std() * np.sqrt(252)),
                "fell": fell,
                "turnover": traded,
                "long": float(positions.mean()),
            }  # fmt: skip
        )


def daily(returns: np.ndarray, positions: np.ndarray, cost: float) -> np.ndarray:
    """Net returns of all days, as fractions of the capital."""
    return net_returns(torch.as_tensor(returns), torch.as_tensor(positions, dtype=torch.float64), cost).numpy()


def _yearly(returns: np.ndarray, positions: np.ndarray, cost: float) -> float:
    return float(daily(returns, positions, cost).mean() * 252)

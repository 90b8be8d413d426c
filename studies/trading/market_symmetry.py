"""Which symmetries two series of returns have: the account exactly, the distribution by a test, and the numbers that break it."""

from typing import Any

import numpy as np
import torch

from orbitscope import Examples, FieldAction, Layout, Symmetry, Values
from orbitscope.probe import audit
from orbitscope.symmetry import parse_group
from orbitscope.systems.control import Market, TradingEnv, audit_environment, trading_symmetry

SQUARE = {
    "r2": "long for short", "sr": "one series for the other", "sr3": "long for short, and one series for the other",
    "s": "sign of the first series alone", "sr2": "sign of the second series alone", "r": "a quarter turn", "r3": "a quarter turn",
}  # fmt: skip
PAIRS = {"late for early": "shift", "backwards in time": "reversal"}


def price_scale(market: Market) -> dict[float, float]:
    """Factor of all prices -> largest relative change of a growth factor 1 + r, which should be that of rounding."""
    prices = np.cumprod(np.vstack([np.ones(market.returns.shape[1]), 1 + market.returns]), axis=0)
    days = np.append(market.days[0] - np.timedelta64(1, "D"), market.days)
    plain, found = Market.of_prices(prices, days, market.names).returns, {}
    for factor in (0.01, 3.0, 1234.5):
        scaled = Market.of_prices(factor * prices, days, market.names).returns
        found[factor] = float(np.abs((scaled - plain) / (1 + plain)).max())
    return found


def account(market: Market, window: int) -> list[dict[str, Any]]:
    """What a position earns, by paired steps of the environment."""
    env = TradingEnv(market, window=window, length=60)
    table = audit_environment(env, trading_symmetry("d4", window=window, length=60), episodes=16, horizon=20)
    return [
        {
            "element": g, "reward": float(table.reward_epsilon.sel(element=g)), "step": float(table.transition_epsilon.sel(element=g)),
            "verdict": str(table.verdict.sel(element=g).values),
        }
        for g in table.element.values.tolist()
    ]  # fmt: skip


def blocks_of(market: Market, days: int) -> np.ndarray:
    """Consecutive blocks of so many days, [blocks, days, 2], of returns in units of one root mean square for all."""
    count = len(market) // days
    return (market.returns[-count * days :] / np.sqrt(np.square(market.returns).mean())).reshape(count, days, 2)


def statistics(blocks: np.ndarray) -> np.ndarray:
    """Of every block: mean, mean cube, leverage r_t |r_{t+1}|^2 (vectors), and mean r r^T (a tensor), [blocks, 10]."""
    size = np.square(blocks).sum(-1, keepdims=True)
    parts = [blocks.mean(1), (blocks**3).mean(1), (blocks[:, :-1] * size[:, 1:]).mean(1)]
    return np.concatenate([*parts, np.einsum("ndi,ndj->nij", blocks, blocks).reshape(len(blocks), 4) / blocks.shape[1]], 1)


def distribution(market: Market, days: int) -> list[dict[str, Any]]:
    """p-values of "moved blocks have the same distribution", of the group of the square and of two moves in time."""
    blocks = blocks_of(market, days)
    layout = Layout.of("mean:vector", "cube:vector", "leverage:vector", "product:tensor")
    rows = _tested(statistics(blocks), layout, parse_group("d4"), SQUARE, len(blocks))
    swap = parse_group("c2")
    early, late = np.array_split(blocks[len(blocks) % 2 :], 2)
    for name, first, second in (("late for early", early, late), ("backwards in time", blocks, blocks[:, ::-1])):
        a, b = statistics(first), statistics(second)
        both = np.stack([a, b], -1).reshape(len(a), -1)
        fields = Layout.of(f"statistic:regular(c2)*{a.shape[1]}")
        rows += _tested(both, fields, swap, {"r": name}, len(a))
    return rows


def _tested(x: np.ndarray, layout: Layout, group: Any, names: dict[str, str], count: int) -> list[dict[str, Any]]:
    moved = FieldAction(layout, Values())
    examples = Examples(torch.as_tensor(x), torch.as_tensor(x))
    table = audit(examples, Symmetry(group, moved, moved), samples=count, permutations=4999, seed=0)
    return [
        {
            "element": g, "move": names[g], "blocks": count, "p": float(table.p_value.sel(element=g)),
            "p_alone": float(table.p_value_raw.sel(element=g)), "verdict": str(table.verdict.sel(element=g).values),
        }
        for g in table.element.values.tolist() if g in names
    ]  # fmt: skip


def marks(market: Market, block: int, resamples: int) -> list[dict[str, Any]]:
    """Numbers that a symmetry would make 0, with intervals of a stationary block bootstrap."""
    from arch.bootstrap import StationaryBootstrap

    rows = []
    for name, (of, broken) in MARKS.items():
        draw = StationaryBootstrap(block, market.returns, seed=0)
        low, high = np.ravel(draw.conf_int(of, resamples, method="percentile"))
        rows.append(
            {"mark": name, "breaks": broken, "value": float(np.ravel(of(market.returns))[0]), "low": float(low), "high": float(high)}
        )
    return rows


def _drift(r: np.ndarray) -> float:
    return 252 * float(r.mean())


def _ups(r: np.ndarray) -> float:
    return float((r > 0).mean() - (r < 0).mean())


def _skew(r: np.ndarray) -> float:
    return float((((r - r.mean(0)) / r.std(0)) ** 3).mean())


def _leverage(r: np.ndarray) -> float:
    return float(np.mean([np.corrcoef(r[:-1, i], np.abs(r[1:, i]))[0, 1] for i in range(r.shape[1])]))


def _backward(r: np.ndarray) -> float:
    return _leverage(r) - _leverage(r[::-1])


def _gap(r: np.ndarray) -> float:
    return 252 * float(r[:, 1].mean() - r[:, 0].mean())


def _risk(r: np.ndarray) -> float:
    return float(np.log(r[:, 1].std() / r[:, 0].std()))


MARKS = {
    "mean return, per year": (_drift, "long for short"),
    "P(up) - P(down)": (_ups, "long for short"),
    "skewness": (_skew, "long for short"),
    "leverage: correlation of a return with the size of the next": (_leverage, "long for short"),
    "leverage, less that of time reversed": (_backward, "backwards in time"),
    "mean return of the second less that of the first, per year": (_gap, "one series for the other"),
    "logarithm of the ratio of their risks": (_risk, "one series for the other"),
}

"""systems/control trading: what is earned, by a slow loop; symmetries of the account; no look into the future; clean environments."""

import builtins
import warnings
from typing import Any, cast

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env as gymnasium_check
from hypothesis import given
from hypothesis import strategies as st
from stable_baselines3.common.env_checker import check_env

from orbitscope import OrbitscopeError
from orbitscope.probe import equivariance
from orbitscope.systems import of_environment
from orbitscope.systems.control import (
    ARMS,
    EnvSymmetry,
    Market,
    TradingConfig,
    TradingEnv,
    TradingPolicy,
    audit_environment,
    environment,
    environments,
    index_market,
    market_group,
    net_returns,
    past_windows,
    trading_symmetry,
    walk_forward,
)

SQUARE = trading_symmetry("d4", window=4, length=10)


def market(days=400, seed=0, series=2):
    """Made-up returns of one per cent a day, from 2000 on."""
    r = 0.01 * np.random.default_rng(seed).normal(size=(days, series))
    return Market(r, np.datetime64("2000-01-01") + np.arange(days), tuple(f"s{i}" for i in range(series)))


@given(st.integers(0, 2**31), st.integers(1, 3), st.floats(0, 0.01))
def test_net_returns_are_those_of_a_loop(seed, series, cost):
    rng = np.random.default_rng(seed)
    r, a = 0.02 * rng.normal(size=(12, series)), rng.uniform(-1, 1, (12, series))
    held, slow = np.zeros(series), []
    for day in range(12):
        earned = 0.0
        for i in range(series):
            earned += (a[day, i] * r[day, i] - cost * abs(a[day, i] - held[i])) / series
        held = a[day]
        slow.append(earned)
    assert np.abs(net_returns(torch.as_tensor(r), torch.as_tensor(a), cost).numpy() - slow).max() < 1e-15
    late = net_returns(torch.as_tensor(r[5:]), torch.as_tensor(a[5:]), cost, before=torch.as_tensor(a[4]))
    assert np.abs(late.numpy() - slow[5:]).max() < 1e-15


@given(st.integers(0, 2**31), st.sampled_from([g.name for g in market_group("d4")]))
def test_the_account_has_the_symmetry_of_the_square(seed, name):
    rng, g = np.random.default_rng(seed), SQUARE.group[name]
    r, a = 0.02 * rng.normal(size=(10, 2)), rng.uniform(-1, 1, (10, 2))
    plain = net_returns(torch.as_tensor(r), torch.as_tensor(a))
    moved = net_returns(torch.as_tensor(SQUARE.act(g, r)), torch.as_tensor(SQUARE.act(g, a)))
    assert float((plain - moved).abs().max()) < 1e-15


def test_the_audit_finds_the_environment_exact_and_names_a_wrong_declaration():
    env = TradingEnv(market(), window=4, length=10)
    table = audit_environment(env, SQUARE, episodes=6, horizon=5)
    assert table.attrs["verdict"] == "exact" and len(table.element) == 8
    held = EnvSymmetry(
        market_group("swap"), ("returns:vector*4", "held:vector"), "position:scalar*2", ("returns:vector*14", "held:vector", "clock")
    )
    assert audit_environment(env, held, episodes=6, horizon=5).attrs["verdict"] != "exact"


def test_prices_in_another_unit_are_the_same_market():
    prices = np.exp(0.01 * np.random.default_rng(0).normal(size=(50, 2)).cumsum(0))
    days = np.datetime64("2000-01-01") + np.arange(50)
    one, other = (Market.of_prices(c * prices, days, ("a", "b")) for c in (1.0, 137.3))
    assert len(one) == 49 and one.days[0] == days[1]
    assert np.abs(one.returns - other.returns).max() < 1e-15
    assert np.abs(one.returns - np.diff(prices, axis=0) / prices[:-1]).max() < 1e-15


def test_the_groups_of_a_market():
    sizes = {words: len(market_group(words).elements) for words in ("reflection", "swap", "reflection*swap", "d4")}
    assert sizes == {"reflection": 2, "swap": 2, "reflection*swap": 4, "d4": 8}
    for words in sizes:
        market_group(words).check()
    s = trading_symmetry("reflection*swap")
    assert s.act(s.group["sr"], [0.1, 0.9]).tolist() == pytest.approx([0.9, 0.1])
    assert s.act(s.group["r2"], [0.1, 0.9]).tolist() == pytest.approx([-0.1, -0.9])


def test_windows_are_of_the_past_alone():
    r = np.arange(12.0).reshape(6, 2)
    assert past_windows(r, 2).tolist() == [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [6, 7, 8, 9]]
    with pytest.raises(OrbitscopeError, match=r"past_windows: `returns`.*longer series or a shorter window"):
        past_windows(r, 6)


def test_the_future_changes_nothing_before_it():
    now, later = market(), market(seed=1)
    mixed = Market(np.vstack([now.returns[:300], later.returns[300:]]), now.days, now.names)
    config = TradingConfig(policy="plain", window=5, width=4, steps=3)
    policies = []
    for m in (now, mixed):
        policies.append(TradingPolicy(market_group("reflection*swap"), config))
        policies[-1].fit(m.returns[: walk_forward(now, 2001, 2001)[0].cut][:300])
    assert all(torch.equal(a, b) for a, b in zip(policies[0].parameters(), policies[1].parameters(), strict=True))
    one, other = (policies[0].positions(m.returns) for m in (now, mixed))
    assert np.array_equal(one[: 301 - 5], other[: 301 - 5]) and not np.array_equal(one[301 - 5 :], other[301 - 5 :])


def test_the_environment_pays_what_the_account_says_and_shows_no_return_before_its_day():
    made, rng = market(), np.random.default_rng(0)
    env = TradingEnv(made, window=6, length=15, cost=1e-3)
    seen, about = env.reset(seed=3)
    row = int(np.flatnonzero(made.days == np.datetime64(about["day"]))[0])
    actions, rewards = rng.uniform(-1, 1, (15, 2)), []
    for k, action in enumerate(actions):
        assert np.allclose(seen[:12], made.returns[row + k - 6 : row + k].ravel() / 0.01, atol=1e-12)
        seen, reward, ended, cut, _ = env.step(action)
        rewards.append(reward)
        assert not ended and cut == (k == 14) and np.array_equal(seen[12:], action)
    slow = net_returns(torch.as_tensor(made.returns[row : row + 15]), torch.as_tensor(actions), 1e-3)
    assert np.abs(100 * slow.numpy() - rewards).max() < 1e-13
    with pytest.raises(OrbitscopeError, match="the episode has ended after 15 days"):
        env.step(actions[0])
    assert env.reset(options={"row": 6})[1]["day"] == "2000-01-07"
    with pytest.raises(OrbitscopeError, match="row should lie from 6 to 385"):
        env.reset(options={"row": 386})


@pytest.mark.parametrize("series", [1, 2, 3])
def test_checkers_of_others_find_nothing(series):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(infinity|float64|spec).*")  # returns have no bounds
        check_env(TradingEnv(market(series=series)))
        gymnasium_check(TradingEnv(market(series=series)), skip_render_check=True)


@pytest.mark.parametrize("arm", ARMS)
def test_policies_are_as_symmetric_as_their_name_says(arm):
    from orbitscope import Examples

    made = TradingPolicy(market_group("reflection*swap"), TradingConfig(policy=arm, window=3, width=8, steps=5, noise=0.5)).double()
    x = torch.randn(6, 6, dtype=torch.float64)
    error = equivariance(made.eval(), Examples(x, made(x).detach()), made.symmetry)["commutator"].sel(element=["r2", "sr", "sr3"]).max()
    assert (float(error) < 1e-12) == (arm not in ("plain", "augmented"))
    climbed = made.float().fit(market(60).returns)
    assert len(climbed) == 5 and np.isfinite(climbed).all() and climbed[-1] != climbed[0]


def test_an_exact_policy_stays_exact_and_a_relaxed_one_leaves():
    left = {}
    for arm in ("exact", "relaxed", "residual"):
        made = TradingPolicy(market_group("swap"), TradingConfig(policy=arm, window=3, width=8, steps=40, learning_rate=0.02, cost=0.0))
        r = market(200).returns + np.array([0.01, -0.01])  # the first rises, the second falls
        made.fit(r)
        swapped = made.positions(r[:, ::-1])[:, ::-1]
        left[arm] = float(np.abs(swapped - made.positions(r)).max())
    assert left["exact"] < 1e-5 < 3e-4 < min(left["relaxed"], left["residual"])


def test_fits_are_repeatable_and_climb():
    r = market(200).returns + 0.01  # everything rises
    config = TradingConfig(policy="plain", window=3, width=8, steps=60, learning_rate=0.02)
    first, second = (TradingPolicy(market_group("reflection*swap"), config) for _ in range(2))
    assert first.fit(r) == second.fit(r)
    assert first.positions(r).mean() > 0.5


def test_walks_forward_do_not_overlap():
    m = market(1200)
    folds = walk_forward(m, 2001, 2003)
    assert [f.name for f in folds] == ["2001", "2002", "2003"]
    for a, b in zip(folds, folds[1:], strict=False):
        assert a.end == b.cut
    assert m.days[folds[0].cut] == np.datetime64("2001-01-01")
    for years, words in (
        ((2000, 2001), "too few to learn from"),
        ((2001, 2009), "no day lies in 2004"),
        ((2002, 2001), "`last` should not"),
    ):
        with pytest.raises(OrbitscopeError, match=words):
            walk_forward(m, *years)
    assert len(m.between("2001-01-01", "2001-12-31")) == 365


def test_the_shipped_series():
    m = index_market()
    assert m.names == ("S&P 500", "NASDAQ") and len(m) == 5030 and str(m.days[-1]) == "2018-12-31"
    assert 0.85 < float(np.asarray(np.corrcoef(m.returns.T))[0, 1]) < 0.92
    env = environment("trading")
    assert env.reset(seed=0)[0].shape == (42,)


def test_the_command_line_knows_every_environment_by_name():
    assert {of_environment(name) for name in environments()} == {"control"}
    assert of_environment("trade") is None


def test_wrong_markets_are_named():
    days = np.datetime64("2000-01-01") + np.arange(30)
    good = 0.01 * np.random.default_rng(0).normal(size=(30, 2))
    hole, bad = good.copy(), cast(Any, good)
    hole[3, 1] = np.nan
    for made, words in (
        (lambda: Market(hole, days, ("a", "b")), "1 NaN or infinite values, the first on 2000-01-04 in b"),
        (lambda: Market(good, days[::-1], ("a", "b")), "`days` should rise"),
        (lambda: Market(good, days, ("a",)), r"should be \[days, series\]"),
        (lambda: Market(good - 2, days, ("a", "b")), "a loss of everything"),
        (lambda: Market.of_prices(good, days, ("a", "b")), "should lie above 0"),
        (lambda: Market.of_prices(good[:1], days[:1], ("a", "b")), "at least two days"),
        (lambda: TradingEnv(Market(good, days, ("a", "b")), window=29), "30 days, and a window of 29 needs at least 31"),
        (lambda: TradingEnv(Market(good, days, ("a", "b")), cost=5.0), "`cost` should be a fraction"),
        (lambda: TradingEnv(bad), "`market` should be a Market"),
        (lambda: TradingEnv(Market(good, days, ("a", "b")), render_mode="human"), "nothing to draw"),
        (lambda: TradingPolicy(market_group("reflection*swap"), TradingConfig(policy="odd")), "policy: should be one of"),
        (lambda: TradingPolicy(market_group("reflection*swap")).fit(good), "fewer than two windows of 20"),
        (lambda: TradingPolicy(market_group("reflection*swap"), TradingConfig(window=2)).fit(hole), "NaN or infinite"),
        (lambda: cast(Any, TradingConfig)(windows=3), "Did you mean `window`"),
        (lambda: market_group("mirror"), "mirror"),
        (lambda: net_returns(torch.zeros(3, 2), torch.zeros(2, 2)), "`positions` should be"),
    ):
        with pytest.raises(OrbitscopeError, match=words):
            made()
    env = TradingEnv(Market(good, days, ("a", "b")), window=4)
    env.reset(seed=0)
    for action in ([0.1], [np.nan, 0.0]):
        with pytest.raises(OrbitscopeError, match="`action` should be 2 finite numbers"):
            env.step(action)
    with pytest.raises(OrbitscopeError, match="`state` should be"):
        env.set_state([1.0])


def test_without_arch_the_error_names_the_package(monkeypatch):
    usual = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] == "arch":
            raise ModuleNotFoundError("No module named 'arch'", name="arch")
        return usual(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(OrbitscopeError, match="pip install arch"):
        environment("trading")

"""systems/control/_planner: decisions turn with the world to rounding, each condition is needed, loops give the same, bad input."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.symmetry import FieldAction, Layout, Symmetry, Values, parse_group
from orbitscope.systems.control import BoxActions, DiscActions, Planner, balls, decision_errors
from orbitscope.systems.control._noise import Shape, orbit, symmetric_root, white_noise
from orbitscope.systems.control._planner_weights import weights_of

BAR = 1e-12
WORLDS = {"d4": "ball2d", "d8": "ball2d", "so2/16": "ball2d", "o": "ball3d", "oh": "ball3d", "c3": "balls2d-2"}


def world(group, box=False):
    """A world, its symmetry, actions."""
    b = balls(WORLDS[group])
    return b, b.symmetry(group), BoxActions([-1] * b.size, [1] * b.size) if box else b.actions


def start(b, rows, seed=0):
    """States in motion."""
    made = b.start(torch.Generator().manual_seed(seed), rows)
    made[:, b.size : 2 * b.size] = torch.randn(rows, b.size, generator=torch.Generator().manual_seed(seed + 1), dtype=torch.float64)
    return made


def planner(b, symmetry, actions, method="mppi", **kwargs):
    order = 1 if symmetry is None else len(symmetry.group)
    usual = {
        "horizon": 4,
        "samples": 6 * order,
        "symmetry": symmetry,
        **({} if method == "mppi" else {"elites": max(4, 2 * order), "iterations": 3}),
    }
    return Planner(b.step, b.cost, actions, method=method, **{**usual, **({"temperature": 0.2} if method != "cem" else {}), **kwargs})


@settings(max_examples=5, deadline=None)
@given(st.data())
@pytest.mark.parametrize("group", WORLDS)
@pytest.mark.parametrize("method", ["mppi", "cem", "mixture"])
def test_decisions_turn_with_the_world(group, method, data):
    b, symmetry, actions = world(group)
    number = st.floats(-2, 2, allow_subnormal=False)
    states = torch.tensor(
        data.draw(st.lists(st.lists(number, min_size=3 * b.size, max_size=3 * b.size), min_size=1, max_size=2)), dtype=torch.float64
    )
    refit = data.draw(st.sampled_from(["step", "full", "none"])) if method != "mppi" else "none"
    p = planner(
        b, symmetry, actions, method, refit=refit, seed=data.draw(st.integers(0, 99)), momentum=data.draw(st.sampled_from([0.0, 0.1]))
    )
    found = decision_errors(p, states, symmetry, calls=(0,))
    assert float(found.error.max()) <= BAR


@pytest.mark.parametrize("method", ["mppi", "cem", "mixture"])
@pytest.mark.parametrize("group", ["d4", "oh"])
def test_in_a_box_that_the_group_keeps(group, method):
    b, symmetry, box = world(group, box=True)
    b = type(b)(ndim=b.ndim, force=4.0)
    step = lambda s, a: b.step(s, a / math.sqrt(b.ndim))  # noqa: E731  # corners of the box stay within the disc
    p = Planner(step, b.cost, box, method=method, horizon=4, samples=96, symmetry=symmetry, std=1.5,
                elites=None if method == "mppi" else 40, control_cost=0.3, temperature=0.3,
                refit="diagonal" if method != "mppi" else None)  # fmt: skip
    found = decision_errors(p, start(b, 3), symmetry)
    assert float(found.error.max()) <= BAR < 1e-3 < float(found.scale)


@pytest.mark.parametrize("method", ["mppi", "cem", "mixture"])
@pytest.mark.parametrize("angle", [0.0, math.pi / 8, math.pi / 2])
def test_a_state_that_an_element_leaves_alone(method, angle):
    """All costs tie in pairs that only rounding orders; a cut between elites must not."""
    b, symmetry, actions = world("d8")
    c, s = math.cos(angle), math.sin(angle)
    on_mirror = torch.tensor([[c, s, -c, -s, 0.5 * c, 0.5 * s]], dtype=torch.float64)
    p = planner(b, symmetry, actions, method, **({} if method == "mppi" else {"elites": 21}))  # 21 cuts through a pair
    found = decision_errors(p, on_mirror, symmetry, warm=False, calls=(0, 1, 2, 3))
    assert float(found.error.max()) <= BAR
    decided = p.plan(on_mirror).action[0]
    assert abs(float(decided @ torch.tensor([-s, c], dtype=torch.float64))) <= BAR  # it stays on the mirror
    assert float(decided.norm()) > 1e-3


def test_an_episode_and_the_episode_in_a_turned_world():
    """Warm starts are moved with the state all by themselves."""
    b, symmetry, actions = world("d8")
    g = symmetry.group["sr3"]
    state = start(b, 2)
    turned = symmetry.input(g, state)
    here, there = (planner(b, symmetry, actions, "mixture") for _ in range(2))
    for _ in range(6):
        a, moved = here.command(state), there.command(turned)
        assert float((moved - symmetry.output(g, a)).abs().max()) < BAR * 100  # states differ by rounding after a step
        state, turned = b.step(state, a), b.step(turned, moved)


# Each condition broken on purpose: the error is of the size of the action.


class AfterShaping(Planner):
    """Copies of noise that has been shaped already: the obvious way."""

    def _samples(self, center, shape, call, iteration):
        assert self.turning is not None and self._matrices is not None
        order = len(self.turning)
        drawn = white_noise(
            self.samples // order, self.horizon, self.actions.size, 1, seed=self.seed, call=call, iteration=iteration
        ).double()
        return self.actions.project(center[:, :, None] + orbit(shape(drawn), self._matrices))


class WithCholesky(Planner):
    """A root that is not symmetric."""

    def _samples(self, center, shape, call, iteration):
        root = shape.root if shape.kind == "step" else torch.diag_embed(shape.root[:, :, 0])
        factor = torch.linalg.cholesky(root @ root.transpose(-1, -2))
        return self.actions.project(center[:, :, None] + self._noise(1, call, iteration) @ factor.transpose(-1, -2))


def broken(kind, group, actions=None, **kwargs):
    b, symmetry, disc = world(group)
    p = kind(b.step, b.cost, actions or disc, method="mixture", horizon=4, samples=32, elites=12, iterations=3, temperature=0.3,
             symmetry=symmetry, std=1.5, checks=False, **kwargs)  # fmt: skip
    return float(decision_errors(p, start(b, 6), symmetry).error.max())


def test_without_a_group_decisions_do_not_turn():
    b, symmetry, actions = world("d4")
    assert float(decision_errors(planner(b, None, actions, samples=64), start(b, 6), symmetry).error.max()) > 0.05


def test_condition_1_the_warm_start_moves_with_the_state():
    b, symmetry, actions = world("d4")
    p, states, g = planner(b, symmetry, actions), start(b, 4), symmetry.group["r"]
    mean = actions.project(torch.randn(4, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    gap = p.plan(symmetry.input(g, states), mean).action - symmetry.output(g, p.plan(states, mean).action)
    assert float(gap.norm(dim=-1).max()) > 0.05


def test_condition_2_white_noise_and_a_symmetric_root():
    assert broken(Planner, "d4") <= BAR
    assert broken(AfterShaping, "d4") > 1e-3
    assert broken(WithCholesky, "d4") > 1e-3


def test_condition_3_the_group_leaves_the_actions_alone():
    assert broken(Planner, "d8", BoxActions([-0.7, -0.7], [0.7, 0.7])) > 1e-3
    assert broken(Planner, "d8", DiscActions(0.7)) <= BAR


def test_condition_4_the_covariance_moves_with_the_group():
    assert broken(Planner, "d8", refit="diagonal") > 1e-3
    assert broken(Planner, "d8", refit="full") <= BAR
    assert broken(Planner, "d8", covariance=[[1.0, 0.0], [0.0, 0.2]]) > 1e-3


# Loops that say the formulas once more.


@pytest.mark.parametrize("kwargs", [
    {}, {"control_cost": 0.5, "covariance": [[1.0, 0.3], [0.3, 0.5]], "symmetry": None, "discount": 0.9},
    {"method": "cem"}, {"method": "mixture", "refit": "full", "momentum": 0.2},
    {"method": "mixture", "refit": "diagonal", "shared_noise": False},
])  # fmt: skip
def test_the_same_by_loops(kwargs):
    b, symmetry, actions = world("d4")
    value = lambda s: s.square().sum(-1)  # noqa: E731
    p = planner(b, kwargs.pop("symmetry", symmetry), actions, kwargs.pop("method", "mppi"), terminal_value=value, least_std=0.1, **kwargs)
    states = start(b, 2)
    mean = actions.project(torch.randn(2, p.horizon, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64))
    found = p.plan(states, mean, call=5)
    for row in range(2):
        sequence, costs, weights = _by_loops(p, b, states[row], mean[row], row, 5)
        assert np.abs(found.sequence[row].numpy() - sequence).max() < 1e-10
        assert np.abs(found.costs[row].numpy() - costs).max() < 1e-10 and np.abs(found.weights[row].numpy() - weights).max() < 1e-10


def _by_loops(p, b, state, mean, row, call):
    start_covariance = p.shape.full(p.horizon, 2).numpy()
    covariance, mean, costs, weights = start_covariance, mean.numpy().ravel(), np.zeros(0), np.zeros(0)
    matrices = [np.eye(2)] if p.turning is None else list(p.turning.matrices.numpy())
    for iteration in range(p.iterations):
        rows = 1 if p.shared_noise else 2
        drawn = white_noise(p.samples // len(matrices), p.horizon, 2, rows, seed=p.seed, call=call, iteration=iteration)[
            :, row if rows > 1 else 0
        ]
        values, vectors = np.linalg.eigh(covariance)
        root = vectors @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T
        sequences, costs = [], []
        for k in range(drawn.shape[1]):
            for m in matrices:
                white = np.concatenate([m @ drawn[t, k].numpy() for t in range(p.horizon)])
                u = (mean + root @ white).reshape(p.horizon, 2)
                u = np.array([a * min(1.0, 1.0 / np.linalg.norm(a)) for a in u])
                now, cost = state[None], 0.0
                for t, a in enumerate(u):
                    now = b.step(now, torch.tensor(a)[None])
                    cost += p.discount**t * float(b.cost(now, torch.tensor(a)[None]))
                cost += p.discount**p.horizon * float(now.square().sum()) + p.control_cost * mean @ np.linalg.inv(start_covariance) @ (
                    u.ravel() - mean
                )
                sequences.append(u.ravel())
                costs.append(cost)
        sequences, costs = np.array(sequences), np.array(costs)
        weights = np.exp(-(costs - costs.min()) / p.temperature) if np.isfinite(p.temperature) else np.ones(len(costs))
        if p.elites is not None:
            weights[np.argsort(costs)[p.elites :]] = 0.0
        weights = weights / weights.sum()
        center = weights @ sequences
        if p.refit != "none":
            covariance = sum(w * np.outer(u - center, u - center) for w, u in zip(weights, sequences, strict=True))
            if p.refit != "full":  # single times, or single components
                size = 1 if p.refit == "diagonal" else 2
                covariance = covariance * np.kron(np.eye(2 * p.horizon // size), np.ones((size, size)))
            values, vectors = np.linalg.eigh(covariance)
            covariance = vectors @ np.diag(np.maximum(values, p.least_std**2)) @ vectors.T
        mean = p.momentum * mean + (1 - p.momentum) * center
    return mean.reshape(p.horizon, 2), costs, weights


def test_weights_share_the_last_place_between_ties():
    costs = torch.tensor([[3.0, 1.0, 2.0, 2.0 + 1e-15, 9.0], [1.0, torch.inf, 2.0, 3.0, 4.0]], dtype=torch.float64)
    found = weights_of(costs, elites=2, temperature=float("inf"))
    assert torch.allclose(found[0], torch.tensor([0, 0.5, 0.25, 0.25, 0], dtype=torch.float64))
    assert found[1].tolist() == [0.5, 0.0, 0.5, 0.0, 0.0]
    soft = weights_of(costs, elites=None, temperature=0.5)
    assert float((soft[0] - torch.softmax(-costs[0] / 0.5, 0)).abs().max()) < 1e-15 and float(soft[1, 1]) == 0.0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_the_symmetric_root_moves_with_every_rotation(seed, rank):
    rng = np.random.default_rng(seed)
    a, turn = rng.normal(size=(4, rank)), np.linalg.qr(rng.normal(size=(4, 4)))[0]
    s, g = torch.as_tensor(a @ a.T), torch.as_tensor(turn)
    root = symmetric_root(s, 0.05)
    assert float((symmetric_root(g @ s @ g.T, 0.05) - g @ root @ g.T).abs().max()) < 1e-9  # a root near 0 loses half of the digits
    assert torch.linalg.eigvalsh(root).min() > 0.05 - 1e-9


def test_what_stands_beside_a_state_does_not_matter_and_noise_goes_on():
    b, symmetry, actions = world("d4")
    p, states = planner(b, symmetry, actions, "mixture"), start(b, 3)
    together = p.plan(states).action
    for row in range(3):
        assert float((p.plan(states[row]).action - together[row]).abs().max()) < 1e-12
    own = planner(b, symmetry, actions, "mixture", shared_noise=False)
    same = states[:1].expand(3, -1)
    assert float((own.plan(same).action[1] - own.plan(same).action[2]).abs().max()) > 1e-4
    first, second = p.command(states[0]), p.command(states[0])
    assert float((first - second).abs().max()) > 1e-4
    p.reset()
    assert torch.equal(p.command(states[0]), first)


def test_proposals_are_asked_in_every_turned_world():
    b, symmetry, actions = world("d4")
    lopsided = lambda s: (s[:, None, None, :2] * torch.tensor([1.0, -0.3], dtype=s.dtype)).expand(-1, 3, 4, -1)  # noqa: E731
    p = planner(b, symmetry, actions, "mixture", proposals=lopsided)
    assert float(decision_errors(p, start(b, 3), symmetry).error.max()) <= BAR
    assert p.plan(start(b, 3)).costs.shape == (3, 48 + 3 * 8)
    plain = planner(b, None, actions, "mixture", proposals=lopsided)
    assert plain.plan(start(b, 3)).costs.shape == (3, 6 + 3)


def test_it_plans():
    """A ball comes to its target, in a box and in a disc, by all methods."""
    b, symmetry, actions = world("d4")
    for method in ("mppi", "cem", "mixture"):
        p = Planner(b.step, b.cost, actions, method=method, horizon=12, samples=64, symmetry=symmetry,
                    elites=None if method == "mppi" else 16, temperature=0.05 if method != "cem" else None)  # fmt: skip
        state = torch.tensor([0.5, 0.5, 0.0, 0.0, -0.3, 0.1], dtype=torch.float64)
        for _ in range(40):
            state = b.step(state[None], p.command(state)[None])[0]
        assert float((state[:2] - state[4:]).norm()) < 0.15, method


def test_groups_in_words_and_precision():
    b, symmetry, actions = world("d4")
    p = Planner(b.step, b.cost, actions, horizon=4, samples=64, group="d4", action="vector", dtype=torch.float32)
    assert p.plan(start(b, 2)).action.dtype == torch.float32
    assert float(decision_errors(p, start(b, 4), symmetry).error.max()) < 1e-5
    swaps = Planner(
        balls("balls2d-2").step, balls("balls2d-2").cost, DiscActions(1.0, count=2), horizon=2, samples=8, group="d4", action="vector*2"
    )
    assert swaps.turning is not None and swaps.turning.matrices.shape == (8, 4, 4)


STEP = balls("ball2d").step
COST = balls("ball2d").cost


@pytest.mark.parametrize(("words", "kwargs"), [
    ("multiple of 8", {"samples": 100, "group": "d4", "action": "vector"}),
    ("Take 104", {"samples": 101, "group": "d4", "action": "vector"}),
    (r"does not leave `actions`.*DiscActions\(1, size=2\)", {"group": "d8", "action": "vector", "actions": BoxActions([-1, -1], [1, 1])}),
    ("does not leave `actions`", {"group": "d4", "action": "vector", "actions": BoxActions([-1, -1], [1, 2])}),
    ("how does D4 move an action", {"group": "d4"}),
    ("'vector\\*2'", {"group": "d4", "action": "vector*3"}),
    ("is infinite", {"group": "so3", "action": "vector", "actions": DiscActions(1.0, size=3)}),
    ("give components that it mixes one `std`", {"group": "d4", "action": "vector", "std": [1.0, 0.5]}),
    ("refit='step'", {"group": "d8", "action": "vector", "refit": "diagonal"}),
    ("`method`", {"method": "ilqr"}), ("`horizon`", {"horizon": 0}), ("`elites`", {"method": "cem", "elites": 10**6}),
    ("`refit`", {"refit": "all"}), ("`temperature`", {"temperature": 0.0}), ("`actions` should be", {"actions": 3}),
    ("`std` should be", {"std": -1.0}), ("`covariance` should be", {"covariance": np.eye(3)}),
    ("positive definite", {"covariance": -np.eye(2)}),
    ("need a `symmetry`", {"group": "d4", "action": "vector", "proposals": lambda s: s}),
])  # fmt: skip
def test_settings_that_do_not_fit(words, kwargs):
    with pytest.raises(OrbitscopeError, match=words):
        Planner(STEP, COST, **{"actions": DiscActions(1.0), "samples": 64, "horizon": 4, **kwargs})


@pytest.mark.parametrize(("words", "step", "cost", "state"), [
    ("`running_cost` gave NaN for .* at step 0 of 4", STEP, lambda s, a: torch.sqrt(s[:, 0] - 1e9), torch.zeros(6)),
    ("`dynamics` gave NaN", lambda s, a: s * torch.nan, COST, torch.zeros(6)),
    ("infinite cost", STEP, lambda s, a: torch.full((len(s),), torch.inf), torch.zeros(6)),
    (r"`running_cost` should return costs \[64\]", STEP, lambda s, a: s[:, :1], torch.zeros(6)),
    (r"`dynamics` should return next states \[64, 6\]", lambda s, a: s[:, :4], COST, torch.zeros(6)),
    ("`state` should be", STEP, COST, torch.zeros(2, 2, 6)), ("`state` should be finite", STEP, COST, torch.full((6,), torch.nan)),
    ("`state` should be finite", STEP, lambda s, a: torch.exp(-s[:, 0].square()), torch.full((6,), torch.inf)),
])  # fmt: skip
def test_functions_and_states_that_do_not_fit(words, step, cost, state):
    p = Planner(step, cost, DiscActions(1.0), samples=64, horizon=4)
    with pytest.raises(OrbitscopeError, match=words):
        p.command(state)


def test_large_numbers_are_finite_though_their_sum_is_not():
    p = Planner(lambda s, a: s, lambda s, a: a.square().sum(1), DiscActions(1.0), samples=64, horizon=4)
    assert bool(p.command(torch.full((6,), 1e308, dtype=torch.float64)).isfinite().all())


def test_other_mistakes():
    p = Planner(STEP, COST, DiscActions(1.0), samples=64, horizon=4)
    p.command(torch.zeros(2, 6))
    with pytest.raises(OrbitscopeError, match="2 states and now has 3"):
        p.command(torch.zeros(3, 6))
    with pytest.raises(OrbitscopeError, match="`mean` should be"):
        p.plan(torch.zeros(2, 6), torch.zeros(2, 5, 2))
    with pytest.raises(OrbitscopeError, match="`terminal_value` gave NaN"):
        Planner(STEP, COST, DiscActions(1.0), samples=64, horizon=4, terminal_value=lambda s: s[:, 0] * torch.nan).plan(torch.zeros(6))
    with pytest.raises(OrbitscopeError, match="`proposals` should return"):
        Planner(STEP, COST, DiscActions(1.0), samples=64, horizon=4, proposals=lambda s: s).plan(torch.zeros(6))
    shifted = Symmetry(parse_group("se2"), FieldAction(Layout.of("p:point"), Values()), FieldAction(Layout.of("p:point"), Values()))
    with pytest.raises(OrbitscopeError, match="is infinite"):
        decision_errors(p, torch.zeros(1, 6), shifted)
    with pytest.raises(OrbitscopeError, match="positive"):
        DiscActions(0.0)
    with pytest.raises(OrbitscopeError, match="low below high"):
        BoxActions([1.0], [0.0])


def test_shapes_of_a_start():
    noise = torch.randn(5, 1, 7, 2, dtype=torch.float64)
    s = np.array([[1.0, 0.4], [0.4, 0.8]])
    step, full = (Shape.start(1.0, c, 5, 2, torch.float64) for c in (s, np.kron(np.eye(5), s)))
    assert float((step(noise) - full(noise)).abs().max()) < 1e-12
    sequence = torch.randn(5, 3, 2, dtype=torch.float64)
    for shape in (step, full):
        assert float((shape.precision(sequence) - sequence @ torch.linalg.inv(torch.as_tensor(s))).abs().max()) < 1e-12
    assert (
        float((Shape.start([1.0, 2.0], None, 5, 2, torch.float64).precision(sequence)[..., 1] - sequence[..., 1] / 4).abs().max()) < 1e-12
    )


def test_a_model_that_takes_derivatives():
    """A Hamiltonian, say; without the word for it the message says it."""

    def step(states, actions):
        with torch.enable_grad():
            q = states.detach().requires_grad_()
            slope = torch.autograd.grad(q.square().sum(), q)[0]
        return states - 0.1 * slope + actions

    kwargs: dict[str, Any] = {"samples": 64, "horizon": 3}
    cost = lambda s, a: s.square().sum(-1)  # noqa: E731
    action = Planner(step, cost, DiscActions(1.0), differentiates=True, **kwargs).command(torch.ones(2))
    assert float(action.sum()) < 0
    with pytest.raises(OrbitscopeError, match="differentiates=True"):
        Planner(step, cost, DiscActions(1.0), **kwargs).command(torch.ones(2))

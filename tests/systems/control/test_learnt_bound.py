"""The asymmetry of values that were learnt, against the exact bound of a small process and on trained agents."""

import gymnasium
import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.systems.control import Agent, EnvSymmetry, FiniteProcess, environment, learnt_bound, symmetry_of, value_bound
from orbitscope.systems.control._learnt_bound import bound_of
from orbitscope.systems.control._pairs import stepped

PLACES, MOVES = np.arange(-3.0, 4.0), np.array([-1.0, 0.0, 1.0])


class Row(gymnasium.Env):
    """Places -3 .. 3 in a row: a step left, none, or right. The right side pays more by `bonus`; a slope carries right from place 1."""

    def __init__(self, bonus=0.0, slope=False):
        self.observation_space = gymnasium.spaces.Box(-3, 3, (1,), np.float64)
        self.action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float32)
        self.bonus, self.slope, self.at = bonus, slope, np.zeros(1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = self.np_random.integers(-3, 4, 1).astype(float)
        return self.at.copy(), {}

    def step(self, action):
        reward = float(abs(self.at[0]) + self.bonus * (self.at[0] > 0))
        move = np.rint(np.asarray(action, float))
        self.at = np.clip(self.at + (1 if self.slope and self.at[0] == 1 else move), -3, 3)
        return self.at.copy(), reward, False, False, {}

    def get_state(self):
        return self.at.copy()

    def set_state(self, state):
        self.at = np.array(state, dtype=float)
        return self.at.copy()


@pytest.mark.parametrize(("bonus", "slope"), [(0.0, False), (0.3, False), (0.0, True), (0.2, True)])
def test_with_exact_values_it_is_the_bound_of_the_finite_process(bonus, slope):
    """All states and actions of a row, with its exact Q: every number is that of `value_bound`."""
    env, discount = Row(bonus, slope), 0.8
    symmetry = EnvSymmetry("d1", observation="at:pseudoscalar", action="move:pseudoscalar", state="at:pseudoscalar")
    states, actions = (x.ravel()[:, None] for x in np.meshgrid(PLACES, MOVES, indexing="ij"))
    steps = stepped(env, states, actions)
    place = np.rint(steps.after[:, 0]).astype(int) + 3
    chances = np.eye(len(PLACES))[place].reshape(len(PLACES), len(MOVES), -1)
    process = FiniteProcess(steps.reward.reshape(len(PLACES), -1), chances, discount)
    q = process.values()
    size = np.sqrt(np.square(states).mean())
    exact = value_bound(process, [[6 - s for s in range(7)]], [[2, 1, 0]], np.abs(PLACES[:, None] - PLACES) / size)

    def quality(o, a):
        return q[np.rint(o[:, 0]).astype(int) + 3, np.rint(a[:, 0]).astype(int) + 1]

    found = bound_of(env, symmetry, steps, quality, lambda o: q[np.rint(o[:, 0]).astype(int) + 3].max(1), discount)
    for name in ("reward_epsilon", "step_epsilon", "regularity", "asymmetry", "bound"):
        assert getattr(found, name) == pytest.approx(getattr(exact, name), abs=1e-10), name
    assert found.asymmetry <= found.own_bound + 1e-10 <= found.bound + 2e-10
    assert found.mean_asymmetry <= found.asymmetry <= found.span
    assert (found.asymmetry > 0.01) == (bonus > 0 or slope)


@pytest.mark.parametrize("policy", ["exact", "plain"])
def test_of_agents(policy):
    """An exact critic has no asymmetry however broken the world; a plain one has some even where the bound is 0: error of learning."""
    options = {"batch_size": 8, "learning_starts": 20}
    agent = Agent(environment("cartpole", repeat=8), policy=policy, width=8, options=options, symmetry=symmetry_of("cartpole")).learn(60)
    before = torch.random.get_rng_state()
    still = learnt_bound(agent, episodes=2, length=4)
    tilted = learnt_bound(agent, environment("cartpole+gravity=0.2", repeat=8), episodes=2, length=4)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert still.bound == still.step_epsilon == 0.0 < tilted.own_epsilon and tilted.step_epsilon > 0.01 and tilted.bound > tilted.own_bound
    assert max(still.asymmetry, tilted.asymmetry) < 1e-5 if policy == "exact" else min(still.asymmetry, tilted.asymmetry) > 1e-3
    assert learnt_bound(agent, episodes=2, length=4) == still


def test_what_has_no_bound():
    made = Agent("pendulum", agent="ppo", width=4, options={"n_steps": 10, "batch_size": 5})
    with pytest.raises(OrbitscopeError, match="PPO learns none"):
        learnt_bound(made)

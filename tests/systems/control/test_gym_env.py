"""Walkers of gymnasium: gymnasium's own rewards and observations in another order, the ant's legs, a hopper without symmetry."""

import gymnasium
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.symmetry import parse_group
from orbitscope.systems import of_environment
from orbitscope.systems.control import GymEnv, audit_environment, environment, register_environment, symmetry_of
from orbitscope.systems.control._gym_tasks import Corners


def test_corners_are_a_representation_of_the_square():
    group = parse_group("d4", ndim=2)
    assert Corners().homomorphism_error(list(group)) == 0.0
    corners = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], float)
    for g in group:
        assert np.array_equal(Corners().matrix(g) @ (corners @ g.matrix.T), corners)  # number by number where its corner goes


@pytest.mark.parametrize(("name", "repeat"), [("ant", 1), ("hopper", 3), ("walker2d", 2)])
def test_rewards_and_numbers_are_those_of_gymnasium(name, repeat):
    env, id = environment(name, repeat=repeat), GymEnv(name).declared.id
    other = gymnasium.make(id, **({"include_cfrc_ext_in_observation": False} if name == "ant" else {})).unwrapped
    rng = np.random.default_rng(0)
    env.reset(seed=3)
    other.set_state(env.physics.data.qpos.copy(), env.physics.data.qvel.copy())  # pyright: ignore[reportAttributeAccessIssue]
    env.set_state(env.get_state())
    for _ in range(4):
        action = rng.uniform(-1, 1, env.action_space.shape)
        seen, reward, *_ = env.step(action)
        motors = action if name != "ant" else (action.reshape(2, 4) * [[1] * 4, [1, -1, -1, 1]]).T[[3, 0, 1, 2]].ravel()
        found = [other.step(motors) for _ in range(repeat)]
        assert reward == pytest.approx(sum(float(f[1]) for f in found), rel=1e-9)
        shown = found[-1][0]
        if name == "ant":  # height, quaternion, joints by leg, velocities
            turned = Rotation.from_quat(shown[1:5], scalar_first=True).as_matrix().ravel()
            joints, rates = shown[5:13].reshape(4, 2).T * [[1], [1]], shown[19:27].reshape(4, 2).T
            bent = np.array([1, -1, -1, 1])
            shown = np.concatenate([shown[:1], turned, joints[0], bent * joints[1], shown[13:19], rates[0], bent * rates[1]])
        assert np.abs(seen - shown).max() < 1e-9


def test_an_ant_has_all_of_d4_and_an_unequal_leg_takes_it_away():
    env, symmetry = environment("ant"), symmetry_of("ant")
    exact = audit_environment(env, symmetry, episodes=4, length=3, horizon=10)
    assert exact.sizes["element"] == 8 and exact.attrs["verdict"] == "exact" and float(exact["transition_epsilon"].max()) < 1e-9
    lame = audit_environment(environment("ant+gain=0.5@4"), symmetry, episodes=2, length=2, horizon=10)
    words = dict(zip(lame["element"].values.tolist(), lame["verdict"].values.tolist(), strict=True))
    # The first leg's ankle is weak: what leaves that leg where it is stays exact.
    kept = [g.name for g in symmetry.group if Corners().matrix(g)[0, 0] == 1]
    assert len(kept) == 2 and all((words[name] == "exact") == (name in kept) for name in words)


def test_a_hopper_has_none_and_the_audit_says_what_a_mirror_breaks(capsys):
    assert symmetry_of("hopper").group.name == "C1"
    assert main(["audit", "hopper", "--group", "d1", "--samples", "8"]) == 1
    said = capsys.readouterr().out
    assert "hopper, D1: not a symmetry" in said and "it is the environment that breaks it" in said


def test_episodes_end_where_gymnasium_says():
    env = environment("hopper")
    env.reset(seed=0)
    state = env.get_state()
    state[1] = 0.2  # it lies on the floor
    env.set_state(state)
    assert env.step(np.zeros(3))[2]
    ids = gymnasium.make("orbitscope/ant-v0", repeat=500)
    assert ids.reset(seed=1)[0].shape == (32,) and np.array_equal(ids.reset(seed=1)[0], ids.reset(seed=1)[0])


def test_what_is_refused():
    env = environment("ant")
    env.reset(seed=0)
    for action in (np.zeros(7), np.full(8, np.nan)):
        with pytest.raises(OrbitscopeError, match="ant: `action` should be 8 finite numbers"):
            env.step(action)
    with pytest.raises(OrbitscopeError, match="`name` should be one of ant"):
        GymEnv("humanoid")
    with pytest.raises(OrbitscopeError, match="`repeat`"):
        environment("ant", repeat=0)
    with pytest.raises(OrbitscopeError, match="`render_mode`"):
        environment("ant", render_mode="human")
    with pytest.raises(OrbitscopeError, match="comes with the library"):
        register_environment("ant", GymEnv, symmetry_of("ant"))
    with pytest.raises(OrbitscopeError, match="nothing is declared"):
        symmetry_of("ant", "d8")
    assert of_environment("ant+gain=0.3") == of_environment("balls2d-2") == "control"

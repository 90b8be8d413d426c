"""Pictures as observations: the mirror of a scene, measured; encoders that have it; agents and replay on them; bad input."""

import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_for_agents

from orbitscope import OrbitscopeError
from orbitscope.symmetry import Grid, GridAction, Layout
from orbitscope.systems.control import (
    Agent,
    EnvSymmetry,
    Flat,
    Head,
    NetworkPlan,
    PictureTrunk,
    PixelEnv,
    SymmetricReplayBuffer,
    agent_asymmetry,
    audit_environment,
    environment,
    environment_spec,
    pixel_symmetry,
)

SMALL = pixel_symmetry(size=16)
MIRROR = SMALL.group["s"]


def bare(**options):
    return environment("cartpole_pixels-bare", size=16, **options)


def test_pictures_without_floor_and_sky_have_the_mirror_and_the_suites_have_not():
    """Without them a pixel on an edge may fall to either side, by rounding; the floor's chequers are another picture."""
    found = {}
    for name in ("cartpole_pixels-bare", "cartpole_pixels"):
        table = audit_environment(environment(name, size=16), SMALL, episodes=1, length=2, horizon=1)
        assert table["observation"].values.tolist() == ["picture"] and float(table["transition_epsilon"].max()) == 0.0
        found[name] = float(table["observation_share"].max())
    assert found["cartpole_pixels-bare"] < 0.2 and found["cartpole_pixels"] > 0.5


def test_a_picture_shows_right_on_the_right_and_up_above():
    env = bare()
    env.set_state(np.array([0.8, 0.0, 0.0, 0.0]))
    right, empty = env.set_state(np.array([0.8, 0.0, 0.0, 0.0]))[0], env.set_state(np.array([9.0, 0.0, 0.0, 0.0]))[0]
    columns, rows = np.nonzero(np.abs(right - empty) > 0.05)
    assert columns.mean() > 8 and rows.max() > 8  # the cart right of the middle, its pole upright
    hanging = env.set_state(np.array([0.8, np.pi, 0.0, 0.0]))[0]
    assert np.nonzero(np.abs(hanging - empty) > 0.05)[1].min() < rows.min()


def test_the_environment_passes_gymnasiums_check_and_shows_two_times():
    env = bare(repeat=8)
    check_env(env, skip_render_check=True)
    check_for_agents(env, warn=False)
    env.set_state(np.array([0.0, 1.0, 0.0, 3.0]))
    seen, *_ = env.step(np.array([1.0]))
    assert seen.shape == (2, 16, 16) and seen.dtype == np.float32 and not np.array_equal(seen[0], seen[1])
    state = env.get_state()
    assert np.array_equal(env.set_state(state)[1], seen[1])  # a picture is a function of the state
    pictures = environment_spec("cartpole_pixels").symmetry.observation
    assert isinstance(pictures, GridAction) and pictures.grid.shape == (32, 32)


def test_flat_pictures_move_as_pictures():
    action = GridAction(Layout.of("a", "b:pseudoscalar"), Grid.square(4))
    x = torch.randn(3, 2, 4, 4, dtype=torch.float64)
    matrix = torch.tensor(Flat(action).matrix(MIRROR))
    assert torch.equal(x.flatten(1) @ matrix.T, action(MIRROR, x).flatten(1))


@pytest.mark.parametrize("arm", ["plain", "exact", "relaxed", "residual"])
def test_encoders_have_the_mirror_at_the_start(arm):
    """Policy and critic against the definition, in float64; a step away from it shows."""
    torch.manual_seed(0)
    x = torch.rand(4, 2, 16, 16, dtype=torch.float64)
    for critic in (False, True):
        trunk = PictureTrunk(NetworkPlan(arm, width=8), SMALL, critic=critic, act=torch.nn.Tanh)
        head = Head(trunk, Layout.of("value") if critic else SMALL.layout("action"))
        net = torch.nn.Sequential(trunk, head).double()
        act = torch.rand(4, 1, dtype=torch.float64)
        sides = [(x, act), (SMALL.observation(MIRROR, x), -act)] if critic else [(x,), (SMALL.observation(MIRROR, x),)]
        with torch.no_grad():
            here, there = (net(torch.cat([s.flatten(1) for s in side], 1)) for side in sides)
            gap = float((there - (here if critic else -here)).abs().max())
            assert gap < 1e-12 if arm != "plain" else gap > 1e-4
            if arm in ("relaxed", "residual"):
                for name, p in net.named_parameters():
                    if "shares" in name or "free" in name:
                        p.add_(0.3 * torch.randn_like(p))
                here, there = (net(torch.cat([s.flatten(1) for s in side], 1)) for side in sides)
                assert float((there - (here if critic else -here)).abs().max()) > 1e-4


def test_an_agent_learns_from_pictures_and_replays_moved_ones(tmp_path):
    options = {"batch_size": 4, "learning_starts": 4, "buffer_size": 64}
    env = bare()
    made = Agent(env, SMALL, policy="exact", width=8, options=options).learn(8)
    assert float(agent_asymmetry(made, episodes=3, length=2, every=1)["gap"].max()) < 1e-5
    seen = env.reset(seed=1)[0]
    made.save(tmp_path / "seen")
    assert np.array_equal(Agent.load(tmp_path / "seen", env, SMALL).predict(seen)[0], made.predict(seen)[0])
    augmented = Agent(env, SMALL, policy="augmented", width=8, options=options).learn(8)
    buffer = augmented.model.replay_buffer
    assert isinstance(buffer, SymmetricReplayBuffer)
    buffer.observations[3, 0] = np.random.default_rng(0).random((2, 16, 16))
    np.random.seed(0)
    picked = np.array([3] * 12)
    drawn = buffer._get_samples(picked).observations
    kept = torch.as_tensor(buffer.observations[3, 0])
    same = [torch.equal(d, kept) for d in drawn]
    moved = [torch.equal(d, SMALL.observation(MIRROR, kept[None])[0]) for d in drawn]
    assert all(a or b for a, b in zip(same, moved, strict=True)) and any(same) and not all(same)


def test_what_does_not_fit(monkeypatch):
    with pytest.raises(OrbitscopeError, match="multiple of 8"):
        PixelEnv(size=12)
    with pytest.raises(OrbitscopeError, match="should be even"):
        PixelEnv(repeat=3)
    with pytest.raises(OrbitscopeError, match="no symmetry of pictures"):
        PixelEnv("walker")
    env = bare()
    with pytest.raises(OrbitscopeError, match=r"declares pictures \(2, 32, 32\)"):
        Agent(env, pixel_symmetry())
    with pytest.raises(OrbitscopeError, match="no encoder of pictures"):
        Agent(env, SMALL, policy="gated")
    odd = EnvSymmetry("d1", GridAction(Layout.of("grey"), Grid.square(12), frames=2), "force:pseudoscalar")
    with pytest.raises(OrbitscopeError, match="edges that 8 divide"):
        PictureTrunk(NetworkPlan("exact"), odd)

    def fails(*args, **kwargs):
        raise AttributeError("'NoneType' object has no attribute 'glGetError'")

    monkeypatch.setattr(env.physics, "render", fails)
    with pytest.raises(OrbitscopeError, match="MuJoCo cannot draw here.*MUJOCO_GL=egl"):
        env.reset(seed=0)

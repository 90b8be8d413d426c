"""Recordings: keyframes by the published rule, files that lose nothing, replay, pictures, the command line."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import xarray as xr

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.data import load_examples
from orbitscope.systems import of_file
from orbitscope.systems.manipulation import (
    SYSTEM,
    Episode,
    Scene,
    decisions,
    demonstrate,
    keyframes,
    read_episodes,
    record,
    replay,
    task,
)
from orbitscope.systems.manipulation._poses import pose

SMALL = {"pixels": 16}


@pytest.mark.parametrize("name", ["lift", "place", "button", "drawer", "peg", "ring"])
def test_the_rule_finds_the_keyframes_of_the_script(name):
    episode = demonstrate(Scene(task(name)), 5)
    found = keyframes(episode)
    assert len(found) == len(episode.scripted) and found[-1] == len(episode)
    for a, b in zip(found, episode.scripted, strict=True):
        assert np.abs(episode.hand[a] - episode.hand[b]).max() < 0.03, "the same pose, perhaps a few steps earlier"
        assert episode.open[a] == episode.open[b]
    assert len(keyframes(episode, merge=False)) >= len(found)


def made(told: list[int], speed: list[float]) -> Episode:
    """An episode with told fingers and speeds, whose hand is elsewhere at every step."""
    n = len(told)
    hand = np.zeros((n, 12))
    hand[:, 0], hand[:, [3, 7, 11]] = np.arange(n), 1.0
    moves = np.zeros((n - 1, 7))
    wide = np.stack([np.array(speed), np.zeros(n)], 1)
    return Episode("lift", 0, pose(np.zeros(3)), True, moves, hand, np.zeros(n), np.array(told, float), wide, np.zeros((n, 1, 12)),
                   np.zeros((n, 0)))  # fmt: skip


def test_the_rule_by_hand():
    # Moves, a stop at 4 (and none for the next four frames), fingers at 12, end at 15.
    speed = [1.0] * 4 + [0.0] * 3 + [1.0] * 9
    told = [1] * 12 + [0] * 4
    assert keyframes(made(told, speed)).tolist() == [4, 12, 15]
    assert keyframes(made(told, [1.0] * 16)).tolist() == [12, 15]
    assert keyframes(made([1] * 14 + [0] * 2, [1.0] * 16)).tolist() == [15], "one at the last step but one is left out"
    assert keyframes(made([1] * 16, [0.0] * 16)).tolist() == [2, 7, 12, 15], "a refractory time of four frames"
    assert decisions(made(told, speed)) == [(0, 4), (4, 12), (12, 15)]
    with pytest.raises(OrbitscopeError, match="no steps, so there is no keyframe"):
        keyframes(made([1], [0.0]))


def test_a_file_holds_examples_and_episodes_and_replays(tmp_path):
    file = record("peg", tmp_path / "demos.nc", count=3, seed=4, settings=SMALL)
    assert not (tmp_path / "demos.nc.parts").exists() and of_file(file) == "manipulation"
    examples, episodes = load_examples(file), read_episodes(file)
    assert len(episodes) == 3 and [e.seed for e in episodes] == [4, 5, 6] and examples.about["scenario"] == "manipulation.peg"
    assert len(examples) == sum(len(decisions(e)) for e in episodes) and list(examples.units) == [0, 1, 2]
    points, colours, mask, hand, told = examples.x
    goal, then, _ = examples.y
    assert points.shape == colours.shape == (*mask.shape, 3) and hand.shape == goal.shape == (len(examples), 12)
    assert told.shape == then.shape == (len(examples), 1) and bool((points[mask == 0] == 0).all())
    first, last = decisions(episodes[1])[0]
    row = int(np.flatnonzero(examples.unit == 1)[0])
    assert torch.allclose(hand[row].double(), torch.tensor(episodes[1].hand[first]), atol=1e-6)
    assert torch.allclose(goal[row].double(), torch.tensor(episodes[1].hand[last]), atol=1e-6)
    again = replay(Scene(task("peg")), episodes[2])
    assert again.success and np.abs(again.hand - episodes[2].hand).max() < 1e-6
    memory = SYSTEM.scenario("manipulation.peg").make(1, 4, None, **{**SYSTEM.scenario("manipulation.peg").parameters, **SMALL})
    assert torch.equal(memory.x[3], examples.take(examples.unit == 0).x[3])


def test_an_interruption_loses_no_episode(tmp_path):
    whole = record("reach", tmp_path / "whole.nc", count=3, settings=SMALL)
    done: list[float] = []

    def stop(stage: str, k: float, total: float) -> None:
        done.append(k)
        if k == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record("reach", tmp_path / "demos.nc", count=3, settings=SMALL, progress=stop)
    parts = tmp_path / "demos.nc.parts"
    assert len(list(parts.glob("episode-*.nc"))) == 2 and not (tmp_path / "demos.nc").exists()
    marked = parts / "episode-00000.nc"
    stamp = marked.stat().st_mtime_ns
    with pytest.raises(OrbitscopeError, match="parts of another recording"):
        record("reach", tmp_path / "demos.nc", count=3, seed=9, settings=SMALL)
    seen = []
    file = record("reach", tmp_path / "demos.nc", count=3, settings=SMALL,
                  progress=lambda *_: seen.append(marked.stat().st_mtime_ns))  # fmt: skip
    assert seen == [stamp] * 3, "what was there was not made again"
    one, other = load_examples(whole), load_examples(file)
    assert all(torch.equal(a, b) for a, b in zip((*one.x, *one.y), (*other.x, *other.y), strict=True))


def test_failed_episodes_are_kept_but_nothing_is_learnt_from_them(tmp_path, monkeypatch):
    from orbitscope.systems.manipulation import _files

    real = demonstrate
    monkeypatch.setattr(
        _files, "demonstrate", lambda scene, seed, **more: dataclasses.replace(real(scene, seed, **more), success=seed != 1)
    )  # fmt: skip
    file = record("reach", tmp_path / "demos.nc", count=3, settings=SMALL)
    assert [e.success for e in read_episodes(file)] == [True, False, True] and set(load_examples(file).unit) == {0, 2}
    with pytest.raises(OrbitscopeError, match="no episode succeeded"):
        record("reach", tmp_path / "none.nc", count=1, seed=1, settings=SMALL)


def test_pictures_and_the_command_line(tmp_path, capsys):
    file, sheet, film = tmp_path / "d.nc", tmp_path / "s.png", tmp_path / "m.gif"
    words = ["simulate", "manipulation.reach", "--trajectories", "2", "--out", str(file), "--initial", "pixels=16"]
    assert main(words) == 0 and main(words) == 2 and "exists" in capsys.readouterr().err
    assert main(["view", str(file), "--out", str(sheet), "--animation", str(film), "--trajectory", "1"]) == 0
    assert sheet.stat().st_size > 5000 and film.read_bytes()[:6] == b"GIF89a"
    assert main(["view", str(file), "--animation", str(tmp_path / "n.gif"), "--trajectory", "7"]) == 2
    assert "no episode 7" in capsys.readouterr().err
    assert main(["simulate", "manipulation.pegs", "--out", str(tmp_path / "p.nc")]) == 2 and "manipulation.peg" in capsys.readouterr().err
    assert main(["scenarios", "manipulation.drawer", "--json"]) == 0
    assert "drawer" in json.dumps(json.loads(capsys.readouterr().out))


def test_wrong_recordings_are_said(tmp_path):
    with pytest.raises(OrbitscopeError, match="no setting 'pixel'. Known: pixels"):
        record("reach", tmp_path / "d.nc", count=1, settings={"pixel": 3})
    with pytest.raises(OrbitscopeError, match="`voxel` should be between"):
        record("reach", tmp_path / "d.nc", count=1, settings={"voxel": 5})
    with pytest.raises(OrbitscopeError, match="written as NetCDF"):
        record("reach", tmp_path / "d.npz", count=1)
    with pytest.raises(OrbitscopeError, match="at least 1 episode"):
        record("reach", tmp_path / "d.nc", count=0)
    with pytest.raises(OrbitscopeError, match="there is no file"):
        read_episodes(tmp_path / "d.nc")
    other = tmp_path / "other.nc"
    xr.Dataset({"a": ("b", [1.0])}).to_netcdf(other, engine="h5netcdf")
    with pytest.raises(OrbitscopeError, match="holds no recorded episodes"):
        read_episodes(other)
    other.write_bytes(b"nothing")
    with pytest.raises(OrbitscopeError, match="cannot be read"):
        read_episodes(other)

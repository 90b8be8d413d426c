"""Splits: disjoint, complete, never empty, the same everywhere."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.data import WINDOWS, Trajectories, load, save, split_indices, split_windows


@given(st.integers(3, 200), st.integers(0, 2**40), st.sampled_from([(0.65, 0.05, 0.3), (0.998, 0.001, 0.001), (1 / 3, 1 / 3, 1 / 3)]))
def test_properties(n: int, seed: int, fractions: tuple[float, ...]) -> None:
    parts = split_indices(n, fractions, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(n))
    assert all(len(p) > 0 and (np.diff(p) > 0).all() for p in parts)
    assert all(abs(len(p) - f * n) <= 2 for p, f in zip(parts, fractions, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(parts, split_indices(n, fractions, seed), strict=True))


def test_frozen_result() -> None:
    """A number that must never change: a split belongs to a published result."""
    assert [p.tolist() for p in split_indices(8, (0.5, 0.25, 0.25), 0)] == [[0, 2, 4, 7], [1, 5], [3, 6]]


def test_zero_fractions_and_seeds() -> None:
    assert [len(p) for p in split_indices(10, (1.0, 0.0), 0)] == [10, 0]
    a, b = split_indices(50, seed=0)[0], split_indices(50, seed=1)[0]
    assert not np.array_equal(a, b)
    assert [len(p) for p in split_indices(100)] == [65, 5, 30]


@pytest.mark.parametrize("fractions", [(0.5, 0.6), (1.2, -0.2), (), (float("nan"), 1.0)])
def test_bad_fractions(fractions: tuple[float, ...]) -> None:
    with pytest.raises(OrbitscopeError, match="add to 1"):
        split_indices(10, fractions)


def test_too_few(flow: Trajectories) -> None:
    with pytest.raises(OrbitscopeError, match="at least 3 trajectories, got 2"):
        flow[:2].split()
    with pytest.raises(OrbitscopeError, match="`seed`"):
        flow.split(seed=-1)
    train, validation, test = flow.split(seed=4)
    assert (len(train), len(validation), len(test)) == (4, 1, 2)


def test_the_official_split_of_pdegym() -> None:
    train, validation, test = split_indices(1000, "pdegym")
    assert (train[0], train[-1], validation[0], validation[-1], test[0], test[-1]) == (0, 639, 640, 759, 760, 999)
    with pytest.raises(OrbitscopeError, match="last 240 .* 120 .* got 360"):
        split_indices(360, "pdegym")
    with pytest.raises(OrbitscopeError, match="'pdegym'"):
        split_indices(1000, "poseidon")


def test_the_official_split_of_trajectories() -> None:
    import torch

    from orbitscope.symmetry import Grid, Layout

    values = torch.arange(362.0)[:, None, None, None, None].expand(362, 2, 1, 1, 1)
    data = Trajectories(values, Layout.of("a"), Grid.square(1), 0.1)
    train, validation, test = data.split("pdegym")
    assert [p.values[:, 0, 0, 0, 0].tolist() for p in (train, validation, test)] == [
        [0.0, 1.0], list(map(float, range(2, 122))), list(map(float, range(122, 362))),
    ]  # fmt: skip


@pytest.fixture
def series() -> Trajectories:
    """Two series of 40 states, each the number of its time."""
    import torch

    from orbitscope.symmetry import Grid, Layout

    values = torch.arange(40.0)[None, :, None, None, None].expand(2, 40, 1, 4, 4).clone()
    values[1] += 100
    return Trajectories(values, Layout.of("q"), Grid.square(4), 0.1)


def numbers(data: Trajectories) -> list[list[float]]:
    return data.tensor()[:, :, 0, 0, 0].tolist()


def test_a_split_in_time_leaves_a_gap(series: Trajectories) -> None:
    parts = [numbers(p)[1] for p in series.split_times((0.5, 0.2, 0.3), gap=2)]
    assert [(p[0], p[-1]) for p in parts] == [(100, 117), (120, 126), (129, 139)]
    with pytest.raises(OrbitscopeError, match="no room for 3 parts"):
        series.split_times(gap=20)


def test_windows_hold_every_transition_once_whether_in_memory_or_on_disk(series: Trajectories, tmp_path: Path) -> None:
    import torch

    lazy = load(save(series, tmp_path / "s.nc"))
    for length, every in ((5, None), (4, 2), (3, 5)):
        cut = series.windows(length, every)
        assert torch.equal(lazy.windows(length, every).tensor(), cut.tensor()) and lazy.windows(length, every).lazy
        assert torch.equal(lazy.windows(length, every).values[[5, 0, 4], :, 0], cut.values[[5, 0, 4], :, 0])
    pairs = [(a, b) for w in numbers(series.windows(5)[:9]) for a, b in zip(w, w[1:], strict=False)]
    assert pairs == [(float(t), t + 1.0) for t in range(36)]
    with pytest.raises(OrbitscopeError, match="length"):
        series.windows(41)


@pytest.mark.parametrize(("length", "every"), [(2, 1), (5, None), (4, 2), (3, 5), (6, 6)])
def test_parts_of_windows_do_not_touch(series: Trajectories, length: int, every: int | None) -> None:
    data = series.windows(length, every)
    parts = [data[index] for index in split_windows(data.provenance[WINDOWS], len(data), (0.6, 0.1, 0.3))]
    seen = [sorted({v for row in numbers(p) for v in row}) for p in parts]
    for a, b in ((0, 1), (1, 2)):
        assert all(min(abs(x - y) for y in seen[b]) > 1 for x in seen[a])
    assert all(any(v >= 100 for v in s) and any(v < 100 for v in s) for s in seen)  # every series is in every part

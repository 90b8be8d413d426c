"""Trajectories: the same answers in memory and on disk, against plain tensor indexing."""

from pathlib import Path

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.data import Trajectories, load, save
from orbitscope.symmetry import Grid, GridAction, Layout, dihedral


@pytest.fixture(params=["memory", "lazy"])
def pair(request: pytest.FixtureRequest, rich: Trajectories, tmp_path: Path) -> tuple[Trajectories, torch.Tensor]:
    """The data under test, and its values as a plain tensor."""
    assert isinstance(rich.values, torch.Tensor)
    return (rich if request.param == "memory" else load(save(rich, tmp_path / "rich.nc"))), rich.values


KEYS = [slice(1, 4), slice(None, None, 2), slice(4, None, -1), [4, 1, 1], [-1], torch.tensor([0, 5]), np.array([2]), []]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_subsets(pair: tuple[Trajectories, torch.Tensor], key: object) -> None:
    data, values = pair
    index = np.arange(6)[key if isinstance(key, slice) else np.asarray(key, dtype=int)]
    part = data[key]  # type: ignore[index]
    assert part.lazy == data.lazy and len(part) == part.trajectories == len(index)
    assert torch.equal(part.tensor(), values[torch.from_numpy(index.copy())])


def test_masks_integers_and_iteration(pair: tuple[Trajectories, torch.Tensor]) -> None:
    data, values = pair
    mask = np.array([True, False, True, False, False, True])
    assert torch.equal(data[mask].tensor(), values[torch.from_numpy(mask)])
    assert torch.equal(data[-1].tensor(), values[-1:])
    assert [torch.equal(one.tensor()[0], v) for one, v in zip(data, values, strict=True)] == [True] * 6
    assert torch.equal(data[[5, 3, 1]][[2, 0]].tensor(), values[[1, 5]])


def test_state_and_pairs(pair: tuple[Trajectories, torch.Tensor]) -> None:
    data, values = pair
    assert torch.equal(data.state(4, -1), values[4, -1])
    i, t = torch.tensor([5, 0, 5, 2, 0]), torch.tensor([1, 0, 0, 1, 0])
    x, y = data.pairs(i, t)
    assert torch.equal(x, values[i, t]) and torch.equal(y, values[i, t + 1])
    x, y = data.pairs([3], [0], lead=2)
    assert torch.equal(y, values[[3], [2]])
    assert data.pairs([], [])[0].shape == (0, *values.shape[2:])
    with pytest.raises(OrbitscopeError, match="lead 1"):
        data.pairs([0], [2])
    with pytest.raises(OrbitscopeError, match="same length"):
        data.pairs([0, 1], [0])
    with pytest.raises(OrbitscopeError, match="6 is out of range"):
        data.pairs([6], [0])


def test_select_and_shape(pair: tuple[Trajectories, torch.Tensor]) -> None:
    data, values = pair
    part = data.select(["u", "p"])
    assert part.layout.channel_names == ("u_x", "u_y", "p") and part.lazy == data.lazy
    assert torch.equal(part.tensor(), values[:, :, [2, 3, 0]])
    assert torch.equal(part.select("p")[[1]].tensor(), values[[1]][:, :, [0]])
    assert (data.shape, data.trajectories, data.times, data.channels) == (tuple(values.shape), 6, 3, 10)
    with pytest.raises(OrbitscopeError, match="no field is called 'v'"):
        data.select("v")


def test_swapped_components_are_a_wrong_convention(pair: tuple[Trajectories, torch.Tensor]) -> None:
    """The swap is what the reflection across the diagonal does to components, without moving points and without a pseudo sign."""
    data, values = pair
    swapped = data.swap_components()
    assert torch.equal(swapped.tensor(), values[:, :, [0, 1, 3, 2, 5, 4, 9, 8, 7, 6]])
    assert swapped.layout == data.layout and torch.equal(data.tensor(), values)
    assert swapped.provenance["components_swapped"] is True and "on purpose" in swapped.notes[-1]
    back = swapped.swap_components()
    assert torch.equal(back.tensor(), values) and back.provenance["components_swapped"] is False


def test_swap_hides_exactly_the_four_elements_known(flow: Trajectories) -> None:
    """On swapped data the declared action still equals the true one on {e, r2, sr, sr3} and on nothing else."""
    action = GridAction(flow.layout, flow.grid)
    swapped = flow.swap_components()
    same = []
    for element in dihedral(4):
        moved_then_swapped = flow.replace(values=action(element, flow.tensor())).swap_components().tensor()
        if torch.equal(action(element, swapped.tensor()), moved_then_swapped):
            same.append(element.name)
    assert set(same) == {"e", "r2", "sr", "sr3"}


def test_blocks_cover_everything_once(pair: tuple[Trajectories, torch.Tensor]) -> None:
    data, values = pair
    state = values[0, 0].numel() * 4
    for limit in (1, state, 2 * state, 7 * state, 10**9):
        seen = torch.full_like(values, float("nan"))
        for i, t, block in data.blocks(limit):
            target = seen[i : i + block.shape[0], t : t + block.shape[1]]
            assert torch.isnan(target).all() and block.numel() * 4 <= max(limit, state)
            target.copy_(block)
        assert torch.equal(seen, values)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_check_finite_names_the_place(rich: Trajectories, value: float) -> None:
    assert rich.check_finite() is rich
    values = rich.tensor().clone()
    values[4, 1, 3, 5, 2] = value
    with pytest.raises(OrbitscopeError, match=rf"'u_y' is {value} at trajectory 4, time 1, cell \(5, 2\)"):
        rich.replace(values=values).check_finite()


def test_what_does_not_fit_is_refused(flow: Trajectories) -> None:
    values = flow.tensor()
    with pytest.raises(OrbitscopeError, match="5 axes, got shape"):
        flow.replace(values=values[0])
    with pytest.raises(OrbitscopeError, match=r"2 channels .* declares 4: density"):
        flow.replace(layout=Layout.of("density", "momentum:vector", "energy"))
    with pytest.raises(OrbitscopeError, match="`grid` says"):
        flow.replace(grid=Grid.square(9))
    with pytest.raises(OrbitscopeError, match="`dt` must be"):
        flow.replace(dt=0.0)
    with pytest.raises(OrbitscopeError, match="floating point"):
        flow.replace(values=values.long())
    with pytest.raises(OrbitscopeError, match="3 space dimensions"):
        flow.replace(layout=Layout.of("velocity:vector", ndim=3))


def test_text(flow: Trajectories, tmp_path: Path) -> None:
    lazy = load(save(flow, tmp_path / "flow.nc"))
    assert "lazy" in repr(lazy) and "velocity:vector" in repr(lazy) and "in memory" in repr(lazy.load())
    text = lazy.describe()
    for part in ("velocity_x [1]", "8 x 8 periodic", "flow.nc", "navier-stokes", "note", "vector component 0 points along"):
        assert part in text


def test_tensor_refuses_what_exceeds_memory(flow: Trajectories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = load(save(flow, tmp_path / "flow.nc"))
    monkeypatch.setattr("os.sysconf", lambda name: {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1}[name])
    with pytest.raises(OrbitscopeError, match=r"17.5 KiB do not fit .*data\[:100\]"):
        lazy.tensor()

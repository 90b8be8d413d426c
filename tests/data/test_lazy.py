"""Lazy reading: right values for any index, few bytes, safe across processes."""

import multiprocessing
import os
import pickle
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.data import LazyArray, Trajectories, load, save
from orbitscope.data._lazy import runs


@given(st.lists(st.integers(0, 12), max_size=12))
def test_runs_rebuild_the_index(index: list[int]) -> None:
    rebuilt = np.full(len(index), -1)
    for to, source in runs(index):
        rebuilt[to] = np.arange(13)[source]
    assert rebuilt.tolist() == index


axis_key = st.one_of(
    st.integers(-4, 3), st.slices(4), st.lists(st.integers(-4, 3), min_size=1, max_size=5), st.just(slice(None))
)  # every axis below has length 4


@settings(max_examples=80, deadline=None)
@given(keys=st.lists(axis_key, min_size=1, max_size=5), last=st.booleans())
def test_indexing_equals_numpy(lazy_euler: LazyArray, keys: list[object], last: bool) -> None:
    if sum(isinstance(k, list) for k in keys) > 1:
        keys = [0 if isinstance(k, list) else k for k in keys]
    reference, key = lazy_euler.tensor().numpy(), (*((Ellipsis,) if last else ()), *keys)
    # numpy puts a list's axis first when an integer stands apart from it, so its reference takes the axes one at a time
    expected = reference
    full: list[object] = [slice(None)] * (5 - len(keys)) + keys if last else keys + [slice(None)] * (5 - len(keys))
    for axis in reversed(range(5)):
        expected = expected[(slice(None),) * axis + (full[axis],)]  # type: ignore[index]
    found = lazy_euler[key]
    assert tuple(found.shape) == expected.shape and np.array_equal(found.numpy(), expected)


@pytest.fixture(scope="module")
def lazy_euler(tmp_path_factory: pytest.TempPathFactory) -> LazyArray:
    """A 4 x 4 x 4 x 4 x 4 array that goes through the 5 -> 4 channel conversion."""
    path = tmp_path_factory.mktemp("lazy") / "euler.nc"
    with h5py.File(path, "w") as file:
        file["data"] = np.random.default_rng(0).uniform(0.5, 1.5, (4, 4, 5, 4, 4)).astype(np.float32)
    values = load(path).values
    assert isinstance(values, LazyArray)
    return values


def test_refused_indices(lazy_euler: LazyArray) -> None:
    with pytest.raises(OrbitscopeError, match="one list of indices at a time"):
        lazy_euler[[0, 1], [0, 1]]
    with pytest.raises(OrbitscopeError, match="out of range"):
        lazy_euler[4]
    with pytest.raises(OrbitscopeError, match="6 indices"):
        lazy_euler[0, 0, 0, 0, 0, 0]
    with pytest.raises(OrbitscopeError, match="expected an integer"):
        lazy_euler["a"]


def test_a_huge_file_costs_what_is_read(tmp_path: Path) -> None:
    """8 GiB of Euler data (sparse: nothing is allocated) are opened, split, sampled, in a few MiB."""
    path = tmp_path / "huge.nc"
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (1250, 21, 5, 128, 128), "f4", chunks=(1, 4, 5, 128, 128))
    os.truncate(path, 2**24)  # as sparse as it is: a file a thousand times smaller than its data is taken for damaged
    frame = 128 * 128 * 4
    tracemalloc.start()
    data = load(path)
    train, _, _ = data.split()
    x, _ = train.swap_components().pairs([5, 800, 5], [3, 19, 4])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert data.nbytes > 6e9 and x.shape == (3, 4, 128, 128)
    assert peak < 20e6
    handle = data.values.source.handle  # type: ignore[union-attr]
    assert handle.bytes_read == 5 * 5 * frame  # three frames of one trajectory and two of the other, five stored channels
    before = handle.bytes_read
    _ = data.select("density").values[7, 3]
    assert handle.bytes_read - before == frame


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_pickle_and_fork(euler: Trajectories, tmp_path: Path) -> None:
    lazy = load(save(euler, tmp_path / "euler.nc"))[[3, 1]]
    expected = lazy.tensor()
    again = pickle.loads(pickle.dumps(lazy.values))
    assert torch.equal(again[...], expected)
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    worker = context.Process(target=lambda: queue.put(bool(torch.equal(lazy.values[...], expected))))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0 and queue.get()


def test_a_file_exchanged_behind_our_back(euler: Trajectories, tmp_path: Path) -> None:
    lazy = load(save(euler, tmp_path / "euler.nc"))
    stale = pickle.loads(pickle.dumps(lazy.values))
    save(euler[:2], tmp_path / "euler.nc", force=True)
    with pytest.raises(OrbitscopeError, match="changed or vanished"):
        stale[0]
    assert lazy.tensor().shape[0] == 5  # the open file is still the old one

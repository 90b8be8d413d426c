"""Streaming: the same batches whatever reads them, every transition once, resumed at any batch."""

from pathlib import Path

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope._seed import permutation
from orbitscope.data import Stream, Trajectories, load, save
from orbitscope.symmetry import Grid, Layout


@pytest.fixture
def stored(tmp_path: Path) -> Trajectories:
    """A lazy file of 9 x 5 states that know their numbers."""
    number = torch.arange(45.0).reshape(9, 5, 1, 1, 1)
    values = torch.cat([number, number.sin()], 2).expand(9, 5, 2, 4, 6).contiguous()
    return load(save(Trajectories(values, Layout.of("n", "s"), Grid((4, 6), (1.0, 1.0), ("periodic",) * 2), 0.1), tmp_path / "a.nc"))


def plain(stream: Stream, epoch: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The obvious way: everything in memory, one state after the other."""
    values, times = stream.data.tensor(), stream.data.times - stream.lead
    found = []
    for index in stream.batches(epoch):
        rows = [(int(n) // times, int(n) % times) for n in index]
        found.append((torch.stack([values[i, t] for i, t in rows]), torch.stack([values[i, t + stream.lead] for i, t in rows])))
    return found


def same(a: list[tuple[torch.Tensor, torch.Tensor]], b: list[tuple[torch.Tensor, torch.Tensor]]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, u) and torch.equal(y, v) for (x, y), (u, v) in zip(a, b, strict=True))


@pytest.mark.parametrize("shuffle", ["transitions", "trajectories", "none"])
@pytest.mark.parametrize("lead", [1, 2])
def test_workers_change_nothing_and_every_transition_comes_once(stored: Trajectories, shuffle, lead: int) -> None:
    expected = None
    for workers in (0, 1, 2):
        stream = Stream(stored, batch=4, seed=3, shuffle=shuffle, lead=lead, buffer=3, workers=workers)
        found = list(stream.epoch(1))
        expected = expected or plain(stream, 1)
        assert same(found, expected) and len(found) == len(stream)
    assert expected is not None
    numbers = torch.cat([x[:, 0, 0, 0] for x, _ in expected])
    assert sorted(numbers.tolist()) == [float(5 * i + t) for i in range(9) for t in range(5 - lead)]
    assert all(torch.equal(y[:, 0, 0, 0], x[:, 0, 0, 0] + lead) for x, y in expected)


@pytest.mark.parametrize("shuffle", ["transitions", "trajectories"])
def test_it_goes_on_at_any_batch_bit_for_bit(stored: Trajectories, shuffle) -> None:
    stream = Stream(stored, batch=4, seed=1, shuffle=shuffle, buffer=2, workers=0)
    whole = list(stream.epoch(2))
    for start in range(len(stream) + 1):
        assert same(list(stream.epoch(2, start)), whole[start:])
    assert same(list(Stream(stored, batch=4, seed=1, shuffle=shuffle, buffer=2, workers=2).epoch(2, 3)), whole[3:])


def test_epochs_and_seeds_differ_and_blocks_stay_together(stored: Trajectories) -> None:
    stream = Stream(stored, batch=4, seed=1)
    orders = [torch.cat(s.batches(e)).tolist() for s, e in ((stream, 0), (stream, 1), (Stream(stored, batch=4, seed=2), 0))]
    assert len({tuple(o) for o in orders}) == 3
    blocks = torch.cat(Stream(stored, batch=4, shuffle="trajectories", buffer=3).batches()) // 4
    assert [len(set(b.tolist())) for b in blocks.split(12)] == [3, 3, 3]
    assert not torch.equal(blocks.sort().values, blocks)


def test_each_stored_byte_is_read_about_once_when_trajectories_are_shuffled(tmp_path: Path) -> None:
    data = Trajectories(torch.randn(12, 5, 1, 8, 8), Layout.of("a"), Grid.square(8), 0.1)
    read = {}
    for shuffle in ("transitions", "trajectories"):
        lazy = load(save(data, tmp_path / f"{shuffle}.nc"))
        handle = lazy.values.source.handle  # pyright: ignore
        before = handle.bytes_read
        list(Stream(lazy, batch=4, shuffle=shuffle, buffer=4, workers=0).epoch())
        read[shuffle] = (handle.bytes_read - before) / data.nbytes
    assert read["trajectories"] <= 1.0 and read["transitions"] > 1.3


def test_the_global_random_state_is_left_alone(stored: Trajectories) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    list(Stream(stored, workers=2, batch=8).epoch())
    assert torch.equal(before, torch.get_rng_state())


def test_the_order_is_that_of_the_training_and_never_changes() -> None:
    assert permutation(6, 0, "shuffle").tolist() == [int(k) for k in np.argsort(_words(6), kind="stable")]


def _words(n: int) -> np.ndarray:
    import zlib

    return np.random.Philox(np.random.SeedSequence((0, zlib.crc32(b"shuffle"), 0))).random_raw(n)


def test_a_caller_may_stop_in_the_middle(stored: Trajectories) -> None:
    for workers in (0, 2):
        batches = Stream(stored, batch=2, workers=workers).epoch()
        next(batches)
        del batches


def test_damage_found_by_a_worker_is_told_in_the_caller(tmp_path: Path, stored: Trajectories) -> None:
    path = stored.values.source.path  # pyright: ignore
    with path.open("r+b") as stream:  # cut the file short behind the back of the loader
        stream.truncate(3000)
    for workers in (0, 2):
        with pytest.raises(OrbitscopeError, match=r"^data: .*a\.nc"):
            list(Stream(stored, batch=45, workers=workers).epoch())


@pytest.mark.parametrize(
    ("options", "words"),
    [({"batch": 0}, "`batch`"), ({"lead": 5}, "`lead` 5"), ({"shuffle": "all"}, "`shuffle`"), ({"workers": -1}, "`workers`")],
)
def test_mistakes(stored: Trajectories, options: dict, words: str) -> None:
    with pytest.raises(OrbitscopeError, match=words):
        Stream(stored, **options)


def test_processes_of_a_training_refuse_data_that_they_would_read_differently(tmp_path: Path, stored: Trajectories) -> None:
    from orbitscope.emulators.training._job import _pack, _unpack

    assert torch.equal(_unpack(_pack(stored[[4, 2]], tmp_path), tmp_path).tensor(), stored[[4, 2]].tensor())
    path = stored.values.source.path  # pyright: ignore
    for other in (load(path, dt=0.7), load([path, path])):
        with pytest.raises(OrbitscopeError, match="devices: .* Make one file of it first"):
            _unpack(_pack(other, tmp_path), tmp_path)

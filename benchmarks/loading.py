"""Speed of reading: random transitions through `Stream` against h5py alone, what a training step consumes, and whether compression pays.

    python benchmarks/loading.py [--resolution 128] [--trajectories 32] [--workers 1 2] [--batch 32] [--repeats 3]

The file has just been written, so it comes from the page cache: what is measured is the software, not the disk. The best of `repeats`
is shown. Transitions are float32 couples of states of compressible Euler (4 channels; 5 in the file).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import torch

from orbitscope import Grid, Layout, Trajectories, build, load, save, simulate, smse
from orbitscope.data import Stream


def best(work: Callable[[], object], repeats: int) -> float:
    """The shortest of `repeats` times, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def with_h5py(path: Path, batches: list[torch.Tensor], times: int) -> None:
    """The same random transitions, five stored channels each, as one would read them by hand: two states next to each other."""
    with h5py.File(path) as file:
        stored = file["data"]
        assert isinstance(stored, h5py.Dataset)
        for index in batches:
            np.stack([stored[n // times, n % times : n % times + 2] for n in index.tolist()])


def reading(data: Trajectories, path: Path, batch: int, workers: list[int], repeats: int) -> None:
    """Transitions per second."""
    stream = Stream(data, batch, workers=0)
    total, batches = stream.transitions, stream.batches()
    hand = total / best(lambda: with_h5py(path, batches, data.times - 1), repeats)
    size = 2 * data.nbytes / data.trajectories / data.times / 2**20
    print(f"{total} transitions of {size:.2f} MiB, batches of {batch}\n")
    print(f"{'reader':<46}{'transitions/s':>15}{'of h5py':>10}")
    print(f"{'h5py alone, random transitions':<46}{hand:>15.0f}{1.0:>9.2f}x")
    for shuffle in ("transitions", "trajectories"):
        for count in (0, *workers):
            rows = Stream(data, batch, shuffle=shuffle, workers=count)
            rate = total / best(lambda rows=rows: sum(len(x) for x, _ in rows.epoch()), repeats)
            name = f"Stream, shuffle={shuffle!r}, {count} workers"
            print(f"{name:<46}{rate:>15.0f}{rate / hand:>9.2f}x")


def training(data: Trajectories, batch: int, repeats: int) -> None:
    """What a step consumes: the loader keeps the processor busy if it is faster than this."""
    place = "cuda" if torch.cuda.is_available() else "cpu"
    n = data.grid.shape[0]
    model = build("unet", "small", channels_in=data.channels, resolution=(n, n)).to(place)
    optimiser = torch.optim.AdamW(model.parameters())
    x, y = (v.to(place) for v in next(iter(Stream(data, batch, workers=0).epoch())))

    def step() -> None:
        optimiser.zero_grad()
        smse(model(x), y).backward()
        optimiser.step()
        if place == "cuda":
            torch.cuda.synchronize()

    step()
    print(f"{f'training step, unet small, {place}':<46}{len(x) / best(step, repeats):>15.0f}")


def compression(values: np.ndarray, name: str, folder: Path, repeats: int) -> None:
    """Size and reading speed of each way that h5py has everywhere."""
    for words, options in (
        ("none", {}),
        ("lzf", {"compression": "lzf"}),
        ("shuffle + lzf", {"compression": "lzf", "shuffle": True}),
        ("shuffle + gzip 1", {"compression": "gzip", "compression_opts": 1, "shuffle": True}),
    ):
        path = folder / "c.h5"
        with h5py.File(path, "w") as file:
            frames = max(1, min(values.shape[1], 2**20 // values[0, 0].nbytes))
            file.create_dataset("v", data=values, chunks=(1, frames, *values.shape[2:]), **options)

        def read() -> None:
            with h5py.File(path) as file:  # noqa: B023
                stored = file["v"]
                assert isinstance(stored, h5py.Dataset)
                for i in range(len(stored)):
                    stored[i]

        rate = values.nbytes / best(read, repeats) / 1e6
        print(f"{f'{name}, {words}':<46}{path.stat().st_size / values.nbytes:>12.2f}{rate:>13.0f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag, default in (("--resolution", 128), ("--trajectories", 32), ("--batch", 32), ("--repeats", 3), ("--frames", 21)):
        parser.add_argument(flag, type=int, default=default)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    args = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, h5py {h5py.__version__}\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = {
            law: torch.cat([v for _, v in simulate(law, trajectories=4, resolution=args.resolution, frames=args.frames, t_end=0.5)])
            for law in ("CE-RP", "NS-Gauss")
        }
        values = made["CE-RP"].repeat(-(-args.trajectories // 4), 1, 1, 1, 1)[: args.trajectories]
        layout = Layout.of("density", "momentum:vector", "energy")
        path = save(Trajectories(values, layout, Grid.square(args.resolution), 0.5 / (args.frames - 1)), folder / "ce.nc")
        reading(load(path), path, args.batch, args.workers, args.repeats)
        training(load(path), args.batch, args.repeats)
        print(f"\n{'compression':<46}{'size ratio':>12}{'read MB/s':>13}")
        for law, some in made.items():
            compression(some.numpy(), law, folder, args.repeats)


if __name__ == "__main__":
    main()

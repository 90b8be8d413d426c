"""The doors: for each a sound input, and how the input of a seed differs from it."""

import contextlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import xarray as xr
from fuzzing import Outside, Refused, Silent
from torch import nn

from orbitscope import Grid, Layout, TrainConfig, Trajectories, load, load_model, load_run, open_probe, parse_group, save, save_probe, train
from orbitscope.cli import main
from orbitscope.data import Shard
from orbitscope.probe import KIND, memory_bytes
from orbitscope.training import FitConfig, fit

Work = Callable[[], object]
JUNK: tuple[Any, ...] = (
    None, True, -1, 0, 7, 1e308, 10**30, "", "x", "../../x", "é" * 300, "d4", "subprocess:Popen", [],
    [1, "a"], [[]], {}, {"a": 1}, "9" * 400,
)  # fmt: skip
VERBS = ("info", "simulate", "train", "audit", "probe", "report", "view", "assemble", "repair", "epochs", "transfer")
FLAGS = (
    "--group", "--out", "--trajectories", "--resolution", "--frames", "--seed", "--load", "--memory", "--shard", "--t-end", "--force",
    "--check", "--law", "--equation", "--initial", "--keep", "--model", "--epochs", "--override", "--times", "--samples",
)  # fmt: skip
PIECES = (
    "d4",
    "c",
    "so2",
    "/",
    "*",
    "x",
    " x ",
    "tx",
    "se3",
    "@",
    "(",
    ")",
    "<a | a^2>",
    "9",
    "0",
    "-1",
    ".",
    "nan",
    "inf",
    "vector",
    ":",
    "é",
    " ",
)


class Doors:
    """Sound inputs in a folder, and the changed ones of any seed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.victim = folder / "victim"
        self.victim.write_bytes(b"precious\n" * 4000)
        generator = torch.Generator().manual_seed(0)
        values = torch.randn(4, 3, 2, 8, 8, generator=generator)
        self.data = Trajectories(values, Layout.of("velocity:vector"), Grid.square(8), 0.1, {"equation": "navier-stokes", "seed": 3})
        for name in ("a.nc", "a.h5", "a.npz", "z.zarr"):
            save(self.data, folder / name)
        with h5py.File(folder / "foreign.nc", "w") as file:
            file["velocity"] = values.numpy()
        with h5py.File(folder / "bench.hdf5", "w") as file:
            for name in ("density", "Vx", "Vy", "pressure"):
                file[name] = np.abs(values[:, :, 0].numpy()) + 1
            for name in ("x", "y"):
                file[f"{name}-coordinate"] = (np.arange(8, dtype=np.float32) + 0.5) / 8
            file["t-coordinate"] = np.arange(4, dtype=np.float32) * 0.05
        config = TrainConfig(model="resnet", overrides={"width": 2, "depth": 1}, epochs=1, keep="all")
        train(self.data, config, folder / "run", progress=None, tensorboard=False)
        x = torch.linspace(-1, 1, 16)[:, None]
        self.fit = lambda out, epochs: fit(nn.Linear(1, 1), (x, x), FitConfig(epochs=epochs), loss="mse", out=out, progress=None)
        self.fit(folder / "fit", 2)
        table = xr.Dataset({"y": (("element",), np.arange(3.0))}, coords={"element": ["e", "r", "r2"]})
        tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs={"kind": KIND, "title": "t"}), "/D4/equivariance": table, "/D4/audit": table})
        save_probe(tree, folder / "probe.nc")
        model = nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular").eval()
        dynamic = ({0: torch.export.Dim("b", min=1, max=64)},)
        torch.export.save(torch.export.export(model, (torch.randn(2, 2, 8, 8),), dynamic_shapes=dynamic), folder / "m.pt2")
        self.work = folder / "work"
        self._sound()

    def _sound(self) -> None:
        """Every door takes its sound input; and what the doors import is there before any process is forked off."""
        self._read(self.fresh("a.nc"))
        self._open_probe(self.fresh("probe.nc"))
        run("view", str(self.fresh("a.nc")), "--out", str(self.work / "v.png"))
        run("info", str(self.fresh("run")))
        load_model(self.fresh("m.pt2"))
        self._stopped(self.fresh("fit"))
        self.fit(self.work / "fit", 3)
        with contextlib.suppress(Refused):
            run("audit", str(self.fresh("a.nc")), "--group", "c4")

    def _stopped(self, path: Path) -> None:
        """A finished training of two epochs, as if it were one of three that had been stopped."""
        said = json.loads((path / "run.json").read_text())
        said["config"]["epochs"], said["finished"] = 3, False
        (path / "run.json").write_text(json.dumps(said))

    def __call__(self, door: str) -> Callable[[int], tuple[str, Work]]:
        """The inputs of a door by seed."""
        make: Callable[[random.Random], Work] = getattr(self, f"_{door}")
        return lambda seed: (f"{door} {seed}", make(random.Random(f"{door} {seed}")))

    def fresh(self, name: str) -> Path:
        """A copy of a sound input, in a folder that is empty but for it."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        source = self.folder / name
        if source.is_dir():
            shutil.copytree(source, self.work / name)
        else:
            shutil.copy(source, self.work / name)
        if source.suffix in (".npz", ".zarr"):
            shutil.copy(source.with_suffix(".toml"), self.work)
        return self.work / name

    def _bytes(self, rng: random.Random) -> Work:
        """A file of ours with some bytes changed: read as it was, or refused."""
        path = self.fresh(rng.choice(("a.nc", "a.h5", "a.npz", "probe.nc")))
        spoil(path, rng)
        return lambda: self._open_probe(path) if path.name == "probe.nc" else self._read(path)

    def _foreign(self, rng: random.Random) -> Work:
        """Bytes of a file without checksums."""
        path = self.fresh(rng.choice(("foreign.nc", "bench.hdf5")))
        spoil(path, rng)
        return lambda: (run("info", str(path), "--check"), load(path).tensor())

    def _h5(self, rng: random.Random) -> Work:
        """The structure of a file: items, links, shapes, types, attributes."""
        path = self.fresh(rng.choice(("a.nc", "a.h5", "foreign.nc", "bench.hdf5", "probe.nc")))
        for _ in range(rng.randint(1, 3)):
            # Some files do not take some changes.
            with h5py.File(path, "r+") as file, contextlib.suppress(KeyError, ValueError, TypeError, OSError, RuntimeError):
                restructure(file, rng, self.victim)
        return lambda: self._all_doors(path)

    def _all_doors(self, path: Path) -> None:
        before = self.victim.read_bytes()
        try:
            for verb in (("info", path, "--check"), ("repair", path), ("view", path, "--out", self.work / "v.png")):
                try:
                    run(*map(str, verb))
                except Refused:
                    continue
            load(path).tensor()
        finally:
            if self.victim.read_bytes() != before:
                raise Outside

    def _zarr(self, rng: random.Random) -> Work:
        """The metadata and the chunks of a store."""
        path = self.fresh("z.zarr")
        meta, chunks = sorted(path.rglob("zarr.json")), sorted(p for p in path.rglob("c/**/*") if p.is_file())
        if structure := rng.random() < 0.6:
            file = rng.choice(meta)
            file.write_text(json.dumps(replaced(json.loads(file.read_text()), rng)))
        else:
            spoil(rng.choice([*meta, *chunks]), rng)
        # A store has no checksum over its metadata: another fill value, say, is another store.
        return lambda: self._read(path, compare=not structure)

    def _run(self, rng: random.Random) -> Work:
        """The sidecar or the weights of a run."""
        path = self.fresh("run")
        if rng.random() < 0.8:
            file = path / "run.json"
            file.write_text(json.dumps(replaced(json.loads(file.read_text()), rng)))
        else:
            spoil(path / rng.choice(("run.json", "last.safetensors", "model.safetensors")), rng)
        return lambda: (run("info", str(path)), str(load_run(path, "last")), load_model(path))

    def _state(self, rng: random.Random) -> Work:
        """The state from which a training goes on."""
        path = self.fresh("fit")
        self._stopped(path)
        file = path / "state.pt"
        if rng.random() < 0.7:
            state = replaced(torch.load(file, weights_only=True), rng)
            if isinstance(state, dict) and rng.random() < 0.7:
                state.pop("checksum", None)
            torch.save(state, file)
        else:
            spoil(file, rng)
        return lambda: self.fit(path, 3)

    def _pt2(self, rng: random.Random) -> Work:
        path = self.fresh("m.pt2")
        spoil(path, rng)
        return lambda: load_model(path)(torch.randn(2, 2, 8, 8))

    def _toml(self, rng: random.Random) -> Work:
        """Settings of a verb, or the description beside an array."""
        if rng.random() < 0.4:
            path = self.fresh("a.npz").with_suffix(".toml")
            lines = [line for line in path.read_text().splitlines() if rng.random() > 0.1]
            k = rng.randrange(len(lines))
            lines[k] = lines[k].partition("=")[0] + "= " + toml(rng)
            path.write_text("\n".join(lines))
            return lambda: self._read(path.with_suffix(".npz"), compare=False)
        path, verb = self.fresh("a.nc"), rng.choice(VERBS[:7])
        names = (
            "data",
            "path",
            "out",
            "group",
            "seed",
            "load",
            "scenario",
            "trajectories",
            "frames",
            "t_end",
            "model",
            "times",
            "fps",
            "law",
        )
        (self.work / "c.toml").write_text("\n".join(f"{n} = {toml(rng, str(path))}" for n in rng.sample(names, 4)))
        return lambda: (os.chdir(self.work), run(verb, "--config", str(self.work / "c.toml")))

    def _cli(self, rng: random.Random) -> Work:
        path = self.fresh("a.nc")
        words = [rng.choice(VERBS), rng.choice((str(path), "nowhere.nc", "x" * 300, str(self.folder / "run")))]
        for _ in range(rng.randint(0, 4)):
            words += [
                rng.choice(FLAGS),
                rng.choice((*map(str, JUNK), "1/2", "2", "dt=0.1", "p=3", "extent=a,b", "nan", str(self.work / "o.nc"))),
            ]
        return lambda: (os.chdir(self.work), run(*words))  # of the forked process: "--out 2" is a name like any other

    def _words(self, rng: random.Random) -> Work:
        """Two hundred words of groups, layouts, sizes and parts."""
        listed = ["".join(rng.choice(PIECES) for _ in range(rng.randint(1, 7))) for _ in range(WORDS)]

        def read() -> None:
            for word in listed:
                for reader in (parse_group, Layout.of, memory_bytes, Shard.parse):
                    try:
                        reader(word)
                    except ValueError as error:
                        if type(error).__name__ != "OrbitscopeError":
                            raise

        return read

    def _read(self, path: Path, compare: bool = True) -> None:
        run("info", str(path), "--check")
        found = load(path)
        same = torch.equal(found.tensor(), self.data.tensor()) and found.dt == self.data.dt
        same = same and (found.layout, found.grid, found.provenance) == (self.data.layout, self.data.grid, self.data.provenance)
        if compare and not same:
            raise Silent(path.name)

    def _open_probe(self, path: Path) -> None:
        found = open_probe(path)
        run("info", str(path))
        stored: Any = found["D4/equivariance/y"]
        if found.attrs.get("title") != "t" or stored.values.tolist() != [0.0, 1.0, 2.0]:
            raise Silent(path.name)


WORDS = 200
DOORS = ("bytes", "foreign", "h5", "zarr", "run", "state", "pt2", "toml", "cli", "words")


def run(*words: str) -> None:
    """One command line."""
    if main(list(words)) == 2:
        raise Refused


def toml(rng: random.Random, path: str = "") -> str:
    """A value of TOML."""
    return rng.choice(
        ("1", "-1", "1e308", "nan", "inf", "true", "''", "'x'", "[]", "[1, 2]", "['x']", "[[]]", "1979-05-27T07:32:00Z", "'d4'", "['d4']",
         "99999999999999999999", f"'{path}'", f"'{path}'", "'navier-stokes.gauss'", "{a = 1}")
    )  # fmt: skip


def spoil(path: Path, rng: random.Random) -> None:
    """Some bytes of a file flipped, set, zeroed, doubled, moved or cut off."""
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 3)):
        at, size = rng.randrange(len(content)), rng.choice((1, 1, 4, 64, 512))
        kind = rng.choice(("flip", "flip", "set", "zero", "ff", "double", "cut", "swap"))
        if kind == "flip":
            content[at] ^= 1 << rng.randrange(8)
        elif kind in ("set", "zero", "ff"):
            filling = {"set": rng.randbytes(size), "zero": bytes(size), "ff": b"\xff" * size}[kind]
            content[at : at + size] = filling[: len(content) - at]
        elif kind == "double":
            content[at:at] = content[at : at + size]
        elif kind == "cut":
            del content[max(1, at) :]
        else:
            other = rng.randrange(len(content))
            content[at], content[other] = content[other], content[at]
    path.write_bytes(content)


def replaced(data: Any, rng: random.Random) -> Any:
    """Nested data with one entry replaced, removed or added."""
    if not isinstance(data, dict | list) or not data or rng.random() < 0.15:
        return rng.choice(JUNK)
    keys = list(data) if isinstance(data, dict) else list(range(len(data)))
    key, copy = rng.choice(keys), (dict(data) if isinstance(data, dict) else list(data))
    if rng.random() < 0.15:
        del copy[key]
    elif isinstance(copy, dict) and rng.random() < 0.05:
        copy["extra"] = rng.choice(JUNK)
    else:
        copy[key] = replaced(data[key], rng)
    return copy


def restructure(file: h5py.File, rng: random.Random, victim: Path) -> None:
    """One change of what an HDF5 file holds."""
    names: list[str] = []
    file.visit(names.append)
    name = rng.choice(names or ["nothing"])
    tables = [n for n in names if isinstance(file[n], h5py.Dataset)] or ["nothing"]
    table = rng.choice(tables)
    kind = rng.choice(
        ("del", "move", "dtype", "shape", "link", "loop", "soft", "virtual", "outside", "attribute", "attribute", "huge", "nan")
    )
    if kind == "del":
        del file[name]
    elif kind == "move":
        file.move(name, rng.choice(("moved", "../x", "velocity")))
    elif kind == "loop":
        file[f"{name}/loop" if isinstance(file[name], h5py.Group) else "loop"] = file["/"]
    elif kind == "soft":
        file["soft"] = h5py.SoftLink(rng.choice(("/", "/nowhere", "/soft", f"/{name}")))
    elif kind == "attribute":
        item = rng.choice((file, file[name]))
        key = rng.choice([*item.attrs, "kind", "orbitscope_dt"])
        item.attrs[key] = rng.choice(("x", "{", "[1]", 1e308, -1, np.nan, np.arange(3), "<img src=x>", '{"shape": [8, "x"]}'))
    else:
        stored = file[table]
        if not isinstance(stored, h5py.Dataset) or stored.is_virtual or stored.external or stored.nbytes > 2**22:
            return  # a change before this one made what this process should not read
        values = stored[()]
        del file[table]
        if kind == "link":
            file[table] = h5py.ExternalLink(str(victim), "/velocity")
        elif kind == "virtual":
            layout = h5py.VirtualLayout(values.shape, values.dtype)
            layout[...] = h5py.VirtualSource(file.filename, table, shape=values.shape)
            file.create_virtual_dataset(table, layout)
        elif kind == "outside":
            file.create_dataset(table, values.shape, values.dtype, external=[(str(victim), 0, values.nbytes)])
        elif kind == "huge":
            file.create_dataset(table, (10**9, *values.shape[1:]), values.dtype, chunks=True)
        elif kind == "shape":
            file[table] = values.reshape(-1)[: rng.randint(0, 4)]
        elif kind == "nan":
            file[table] = np.full(values.shape, np.nan)
        else:
            file[table] = np.zeros(values.shape, rng.choice(("i1", "S3", "c8", "?", "O") if values.size < 10 else ("i1", "c8", "?")))

"""Collections in HDF5 whose files name no axes, but whose authors document them: PDEBench's other files, PDEArena, PBDL, Dedalus."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import xarray as xr

from ..._errors import OrbitscopeError
from .._hdf5 import Handle, dataset, text
from .._reader import Candidate
from ._arrays import assembled, rows, stored
from ._cf import DatasetReader, is_hdf5
from ._fields import Mapped
from ._opened import Opened


@dataclass(frozen=True)
class Documented(DatasetReader):
    """What these formats have in common: `build` makes the dataset."""

    def opened(self, path: Path) -> Opened:
        """The file as a dataset on named axes."""
        return Opened(path.absolute(), build=self.build)

    def build(self, path: Path) -> xr.Dataset:
        """The lazy dataset of a file."""
        raise NotImplementedError


@dataclass(frozen=True)
class PDEBenchTensors(Documented):
    """PDEBench beside the two-dimensional flows (Takamoto et al., arXiv 2210.07182).

    `tensor` [trajectory, time, x] of the scalar equations, `density`, `pressure`, `Vx`, ... of the gas in one and three dimensions,
    `nu` and `tensor` of Darcy flow (no time: one state), groups `0000`, `0001`, ... with `data` [time, *space, channel] and `grid`.
    """

    name: ClassVar[str] = "pdebench-other"
    title: ClassVar[str] = "PDEBench HDF5: 1-D and 3-D, shallow water, diffusion-reaction, diffusion-sorption, Darcy"

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By the datasets or the numbered groups."""
        if not is_hdf5(found):
            return False
        file = found.hdf5
        numbered = _numbered(file)
        tensor = isinstance(file.get("tensor"), h5py.Dataset) and "x-coordinate" in file
        parts = [file.get(n) for n in ("density", "pressure", "Vx")]
        gas = all(isinstance(d, h5py.Dataset) and d.ndim in (3, 5) for d in parts)
        return tensor or gas or (bool(numbered) and isinstance(file.get(f"{numbered[0]}/data"), h5py.Dataset))

    def default_fields(self, dataset: xr.Dataset) -> tuple[Mapped, ...] | None:
        """Those of the gas, which name themselves; a tensor does not say what it is."""
        if "density" not in dataset:
            return None
        parts = tuple(n for n in ("Vx", "Vy", "Vz") if n in dataset)
        return (Mapped("density", ("density",)), Mapped("velocity", parts, "vector"), Mapped("pressure", ("pressure",)))

    def build(self, path: Path) -> xr.Dataset:
        """Axes as the paper's generators write them."""
        handle = Handle(path)
        file, names = handle.file, _numbered(handle.file)
        if names:
            return self._groups(handle, names)
        chosen = [n for n in ("tensor", "nu", "density", "pressure", "Vx", "Vy", "Vz") if isinstance(file.get(n), h5py.Dataset)]
        steady = "nu" in chosen
        shape = dataset(file, chosen[0]).shape
        space = shape[2:]
        found: dict[str, xr.Variable] = {}
        axes = tuple("xyz"[: len(space)])
        for n in chosen:
            found[n] = stored(handle, n, ("trajectory", *axes)) if n == "nu" else stored(handle, n, ("trajectory", "time", *axes))
        if steady:  # Darcy flow: one solution per coefficient
            found["tensor"] = found["tensor"].isel(time=0)
        coordinates: dict[str, Any] = {a: rows(handle, f"{a}-coordinate", n, a) for a, n in zip("xyz", space, strict=False)}
        coordinates["time"] = None if steady else rows(handle, "t-coordinate", shape[1], "time")
        return assembled(found, coordinates, f"PDEBench {path.stem}")

    def _groups(self, handle: Handle, names: list[str]) -> xr.Dataset:
        shape = dataset(handle.file, f"{names[0]}/data").shape
        space = shape[1:-1]
        values = stored(handle, [f"{n}/data" for n in names], ("trajectory", "time", *"xyz"[: len(space)], "channel"))
        coordinates = {a: rows(handle, f"{names[0]}/grid/{a}", n, a) for a, n in zip("xyz", space, strict=False)}
        coordinates["time"] = rows(handle, f"{names[0]}/grid/t", shape[0], "time")
        return assembled({"data": values}, coordinates, f"PDEBench {handle.path.stem}")


def _numbered(file: h5py.File) -> list[str]:
    return [n for n in map(str, file) if n.isdecimal() and isinstance(file.get(n), h5py.Group)]


@dataclass(frozen=True)
class PDEArena(Documented):
    """PDEArena's Navier-Stokes: a group `train`, `valid` or `test` with `u` (smoke), `vx`, `vy` [trajectory, time, x, y].

    Gupta & Brandstetter, arXiv 2209.15616; the generator stores x before y.
    """

    name: ClassVar[str] = "pdearena"
    title: ClassVar[str] = "PDEArena HDF5, Navier-Stokes with smoke"

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By the group and its velocities."""
        return is_hdf5(found) and any(f"{g}/vx" in found.hdf5 for g in ("train", "valid", "test"))

    def default_fields(self, dataset: xr.Dataset) -> tuple[Mapped, ...] | None:
        """Velocity, and the smoke that it carries."""
        smoke = (Mapped("smoke", ("u",)),) if "u" in dataset else ()
        return (Mapped("velocity", ("vx", "vy"), "vector"), *smoke)

    def build(self, path: Path) -> xr.Dataset:
        """The one group of the file."""
        handle = Handle(path)
        group = self.group or next(g for g in ("train", "valid", "test") if f"{g}/vx" in handle.file)
        shape = dataset(handle.file, f"{group}/vx").shape
        lies = ("trajectory", "time", "x", "y")
        found = {n: stored(handle, f"{group}/{n}", lies) for n in ("u", "vx", "vy") if f"{group}/{n}" in handle.file}
        sizes = dict(zip(("time", "x", "y"), shape[1:], strict=True))
        names = {"time": "t", "x": "x", "y": "y"}
        return assembled(found, {a: rows(handle, f"{group}/{names[a]}", n, a) for a, n in sizes.items()}, f"PDEArena {path.stem}")


@dataclass(frozen=True)
class PBDL(Documented):
    """Data sets of the package pbdl-dataset (APEBench): `sims/sim0`, `sims/sim1`, ... [time, channel, *space].

    The order of the axes in space is not in the file: name it, `axes="time,channel,x,y"`. `Dt` and `Fields Scheme` ("VVp": a vector and a
    scalar) are attributes of the group.
    """

    name: ClassVar[str] = "pbdl"
    title: ClassVar[str] = "PBDL and APEBench HDF5 (sims/sim0, ...)"

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By the group of simulations."""
        sims = found.hdf5.get("sims") if is_hdf5(found) else None
        return isinstance(sims, h5py.Group) and any(str(n).startswith("sim") for n in sims)

    def default_fields(self, dataset: xr.Dataset) -> tuple[Mapped, ...] | None:
        """One per run of equal capital letters, and one per small letter, of the scheme."""
        scheme = str(dataset.attrs.get("scheme", ""))
        found: list[Mapped] = []
        start = 0
        while start < len(scheme):
            stop = start + 1
            while scheme[start].isupper() and stop < len(scheme) and scheme[stop] == scheme[start]:
                stop += 1
            kind = "vector" if stop - start > 1 else "scalar"
            found.append(Mapped(f"{scheme[start]}", tuple(f"channel_{k}" for k in range(start, stop)), kind))
            start = stop
        return tuple(found) or None

    def build(self, path: Path) -> xr.Dataset:
        """A variable per channel, so that fields can be named; the axes in space as the caller names them."""
        handle = Handle(path)
        sims = handle.file["sims"]
        assert isinstance(sims, h5py.Group)
        names = sorted((n for n in map(str, sims) if n.startswith("sim")), key=lambda n: (len(n), n))
        shape = dataset(handle.file, f"sims/{names[0]}").shape
        lies = self.axes or ("time", "channel", *(f"phony_dim_{k}" for k in range(2, len(shape))))
        if len(lies) != len(shape) or "channel" not in lies:
            raise OrbitscopeError(f"axes: sims/{names[0]} of {path} has the shape {shape}; name every axis once, such as time,channel,x,y.")
        whole = stored(handle, [f"sims/{n}" for n in names], ("trajectory", *lies))
        found = {f"channel_{k}": whole.isel(channel=k) for k in range(shape[lies.index("channel")])}
        about = {k: text(v) if isinstance(v, bytes | str) else v for k, v in sims.attrs.items()}
        step = float(np.asarray(about.get("Dt", np.nan)).reshape(-1)[0])
        times = xr.Variable(("time",), np.arange(shape[lies.index("time")]) * step) if step > 0 else None
        made = assembled(found, {"time": times}, str(about.get("PDE", path.stem)))
        scheme = str(about.get("Fields Scheme", ""))
        return made.assign_attrs(scheme=scheme if len(scheme) == len(found) else "", fields=json.dumps(str(about.get("Fields", ""))))

    def wanted(self, opened: Opened) -> Any:
        """The axes are named already."""
        found = super().wanted(opened)
        return type(found)(**{**found.__dict__, "axes": None})


@dataclass(frozen=True)
class Dedalus(Documented):
    """Output of Dedalus 2 and 3: `tasks/name` [time, (component), *space] with labelled axes, times in `scales/sim_time`.

    Bases along x and y (or x and z) are read; a Chebyshev basis has no uniform points: put the task on a uniform grid first.
    """

    name: ClassVar[str] = "dedalus"
    title: ClassVar[str] = "Dedalus HDF5 (tasks/, scales/)"

    @classmethod
    def recognises(cls, found: Candidate) -> bool:
        """By the two groups."""
        return is_hdf5(found) and all(isinstance(found.hdf5.get(g), h5py.Group) for g in ("tasks", "scales"))

    def build(self, path: Path) -> xr.Dataset:
        """Every task on the axes that its labels name."""
        handle = Handle(path)
        file, found, coordinates = handle.file, {}, {}
        tasks = file["tasks"]
        assert isinstance(tasks, h5py.Group)
        for name in tasks:
            item = tasks[name]
            if not isinstance(item, h5py.Dataset):
                continue
            labels = [item.dims[k].label for k in range(item.ndim)]
            lies = ["time" if k == 0 else (label or "channel") for k, label in enumerate(labels)]
            if len(set(lies)) != len(lies):
                continue
            found[name] = stored(handle, f"tasks/{name}", lies)
            for k, label in enumerate(lies[1:], 1):
                scales = [item.dims[k][j] for j in range(len(item.dims[k]))]
                grid = next((s for s in scales if s.shape == (item.shape[k],) and s.dtype.kind == "f"), None)
                if label != "channel" and grid is not None:
                    coordinates[label] = xr.Variable((label,), grid[()])
            coordinates["time"] = rows(handle, "scales/sim_time", item.shape[0], "time")
        return assembled(found, coordinates, f"Dedalus {path.stem}")

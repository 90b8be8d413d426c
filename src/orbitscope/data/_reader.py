"""What a reader of files is: an object with its own options, chosen by looking at the file, by name, or handed over."""

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import h5py

from .._errors import OrbitscopeError, reading
from ..symmetry import Grid, Layout
from ._hdf5 import Handle
from ._many import Parts, joined
from ._trajectories import Trajectories


@dataclass
class Candidate:
    """The file at `path` whose format is to be found: its suffix, its first bytes, and what is in it where it is HDF5."""

    path: Path

    @cached_property
    def suffix(self) -> str:
        """In small letters, with the dot."""
        return self.path.suffix.lower()

    @cached_property
    def head(self) -> bytes:
        """The first 512 bytes; empty for folders and what cannot be read."""
        try:
            with self.path.open("rb") as stream:
                return stream.read(512)
        except OSError:
            return b""

    @cached_property
    def handle(self) -> Handle:
        """The file as HDF5."""
        return Handle(self.path)

    def close(self) -> None:
        """Let the file go."""
        if "handle" in self.__dict__:
            self.handle.close()

    @property
    def hdf5(self) -> h5py.File:
        """The open HDF5 file; raises `OrbitscopeError` that says what the file is instead."""
        return self.handle.file


def option(default: Any, words: str, parse: Callable[[Any], Any] | None = None) -> Any:
    """A field of a `Reader` (a dataclass) that the caller of `load` may set.

    - `default`: the value where the caller gives none.
    - `words`: what the option means, for tables and help texts.
    - `parse`: makes a value of what the caller gave (text, on the command line); None takes it as it is.
    """
    return dataclasses.field(default=default, metadata={"words": words, "parse": parse})


def as_layout(value: Any) -> Layout:
    """A layout, or its words: "density,velocity:vector"."""
    if isinstance(value, Layout):
        return value
    words = value.split(",") if isinstance(value, str) else list(value)
    return Layout.of(*(str(w).strip() for w in words))


def as_numbers(value: Any) -> tuple[float, ...]:
    """Numbers, or one of them, or "1,2"."""
    if isinstance(value, str):
        value = [v for v in value.split(",") if v.strip()]
    return tuple(float(v) for v in (value if isinstance(value, Sequence) else (value,)))


def as_words(value: Any) -> tuple[str, ...]:
    """Words, or "a,b"."""
    return tuple(v.strip() for v in value.split(",")) if isinstance(value, str) else tuple(str(v) for v in value)


def as_flag(value: Any) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"expected true or false, got {value!r}")


def as_integer(value: Any) -> int:
    """A whole number."""
    if isinstance(value, bool) or int(value) != float(value):
        raise ValueError(f"expected a whole number, got {value!r}")
    return int(value)


def as_number(value: Any) -> float:
    """A number."""
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {value!r}")
    return float(value)


def as_box(value: Any) -> tuple[float, ...]:
    """Four numbers."""
    found = as_numbers(value)
    if len(found) != 4:
        raise ValueError(f"expected west,east,south,north, got {value!r}")
    return found


@dataclass(frozen=True)
class Reader(ABC):
    """A file format that can be read. Its fields are its options; every reader has these six.

    A reader of your own is a frozen dataclass with `name`, `title`, `recognises` and `read`; pass an instance, `load(path, format=mine)`,
    or make it known by `register_reader`. `load` sets the options that its caller names, and refuses those that the reader lacks.

    - `layout`: which channel holds what, where the file does not say, or to overrule it.
    - `grid`: the whole grid, to overrule the file.
    - `extent`, `boundary`: its size and its edges alone, one entry per axis.
    - `dt`: time between two stored states.
    - `window`: cuts long series, see `Trajectories.windows`.
    """

    layout: Layout | None = option(None, "fields with their representations, such as density,velocity:vector,pressure", as_layout)
    grid: Grid | None = option(None, "the whole grid (Python only)")
    dt: float | None = option(None, "time between two stored states", as_number)
    extent: tuple[float, ...] | None = option(None, "size of the box, one number per axis", as_numbers)
    boundary: tuple[str, ...] | None = option(None, "periodic, wall or open, one word per axis", as_words)
    window: int | None = option(None, "cut every series into windows of so many states, as trajectories", as_integer)

    name: ClassVar[str]
    """The name by which `load(path, format=name)` finds it."""
    title: ClassVar[str]
    """What is read, in words for people."""
    lazy: ClassVar[bool] = True
    """Whether values stay in the file until they are sliced."""

    @classmethod
    @abstractmethod
    def recognises(cls, found: Candidate) -> bool:
        """Whether the file `found` is of this format."""

    @abstractmethod
    def read(self, path: Path) -> Trajectories:
        """The trajectories of the file `path`, with notes on every decision."""

    def read_files(self, paths: Sequence[Path]) -> Trajectories:
        """The files `paths` as one data set: their trajectories one after the other."""
        parts: Parts = []
        for path in paths:
            with reading(path):
                parts.append((path, self.read(path)))
        return joined(parts)

    @classmethod
    def options(cls) -> dict[str, str]:
        """The options that it takes, and what they mean."""
        return {f.name: f.metadata["words"] for f in dataclasses.fields(cls) if "words" in f.metadata}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Reader":
        """The reader with the options `given`, as values or in words; None is the same as not given.

        Raises `OrbitscopeError` for an option that it does not take, with those that it does, and for a value of the wrong kind.
        """
        given = {k: v for k, v in given.items() if v is not None}
        known = cls.options()
        if unknown := [k for k in given if k not in known]:
            listed = "; ".join(f"{k} ({v})" for k, v in known.items())
            raise OrbitscopeError(f"{unknown[0]}: the reader {cls.name!r} ({cls.title}) takes no such option. It takes: {listed}.")
        parsers = {f.name: f.metadata.get("parse") for f in dataclasses.fields(cls)}
        values: dict[str, Any] = {}
        for name, value in given.items():
            try:
                parse = parsers[name]
                values[name] = parse(value) if parse else value
            except OrbitscopeError:
                raise
            except (TypeError, ValueError) as error:
                raise OrbitscopeError(f"{name}: {value!r} does not fit ({error}); the reader {cls.name!r} takes {known[name]}.") from error
        if isinstance(given.get("layout"), str) and "extent" in values:  # a layout in words lives in as many dimensions as the box
            values["layout"] = Layout.of(*as_words(given["layout"]), ndim=len(values["extent"]))
        return cls(**values)

    def sized(self, data: Trajectories) -> Trajectories:
        """The trajectories `data` with `extent`, `boundary` and `window` as the caller declares them."""
        data = self._boxed(data)
        return data if self.window is None else data.windows(self.window)

    def _boxed(self, data: Trajectories) -> Trajectories:
        if self.extent is None and self.boundary is None:
            return data
        extent, boundary = self.extent or data.grid.extent, self.boundary or data.grid.boundary
        grid = Grid(data.grid.shape, extent, boundary, data.grid.centring)  # pyright: ignore[reportArgumentType]
        if grid == data.grid:
            return data
        said = f"{' x '.join(f'{e:g}' for e in extent)}, {'/'.join(boundary)}"
        return data.replace(grid=grid, notes=(*data.notes, f"grid: {said}, declared by the caller, beats the line above"))


_KNOWN: dict[str, type[Reader]] = {}


def register_reader(reader: type[Reader], *, first: bool = True) -> type[Reader]:
    """Make a reader known to `load`, by its name and by looking at files. Usable as a decorator.

    - `reader`: the class, a subclass of `Reader` with a `name` of its own; one of the same class is moved to its new place.
    - `first`: whether `load` asks it before the others, or after them.

    Raises `OrbitscopeError` where the name is taken by another class.
    """
    held = _KNOWN.get(reader.name)
    if held is not None and held is not reader:
        raise OrbitscopeError(
            f"register_reader: the name {reader.name!r} is that of {held.__module__}.{held.__qualname__}. Choose another."
        )
    known = {k: v for k, v in _KNOWN.items() if k != reader.name}
    _KNOWN.clear()
    _KNOWN.update({reader.name: reader, **known} if first else {**known, reader.name: reader})
    return reader


def readers() -> dict[str, type[Reader]]:
    """Every known reader by its name, in the order in which a file is tried."""
    return dict(_KNOWN)


def reader_named(name: str) -> type[Reader]:
    """The reader of that name, or an error that lists them."""
    if name not in _KNOWN:
        raise OrbitscopeError(f"format: {name!r} is not known. Choose one of {', '.join(_KNOWN)}, or pass a reader of your own.")
    return _KNOWN[name]

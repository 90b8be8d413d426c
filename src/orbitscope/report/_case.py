"""One probed case (a model on a data set), read from a DataTree or a file, with every part optional."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .._errors import OrbitscopeError
from ..probe import KIND, open_results

_FILE_NODES = ("training", "audit", "relaxation", "order", "calibration", "meshes", "measures")
_INSTRUMENTS = ("audit", "equivariance", "influence")


@dataclass(frozen=True)
class Group:
    """The results for one group of one case; `part` gives audit, equivariance, influence, verdict or fields, or None.

    What the elements are is read once: a page asks for it at every point that it draws.
    """

    key: str
    title: str
    parts: dict[str, xr.Dataset]

    def part(self, name: str) -> xr.Dataset | None:
        """One table of results, None where it was not measured."""
        return self.parts.get(name)

    @cached_property
    def elements(self) -> tuple[str, ...]:
        """Names of the elements, from the first part that lists the most of them."""
        lists = [tuple(map(str, np.atleast_1d(d["element"].values))) for d in self.parts.values() if "element" in d.variables]
        return max(lists, key=len, default=())

    def about(self, name: str) -> np.ndarray | None:
        """What every element is, by the coordinate `name` of the results, in the order of `elements`; None where no result says so."""
        for d in self.parts.values():
            if name in d.variables and tuple(labels(d)) == self.elements:
                return np.asarray(d[name].values)
        return None

    @cached_property
    def identity(self) -> frozenset[str]:
        """Names of the elements that do nothing."""
        flags = self.about("element_identity")
        return frozenset() if flags is None else frozenset(e for e, f in zip(self.elements, flags, strict=True) if f)

    @cached_property
    def shifts(self) -> np.ndarray | None:
        """Shifts in fractions of the periods [element, axis] of a group of shifts along one axis; None for any other."""
        shift, translation = self.about("element_shift"), self.about("element_translation")
        if shift is None or translation is None or len(self.elements) < 2 or not translation.all():
            return None
        return shift if (shift > 0).any(0).sum() == 1 else None

    def positions(self, elements: Sequence[str]) -> list[float]:
        """Where these elements stand on an axis of shifts, in steps of the group; their index in any other group."""
        if self.shifts is None:
            return [float(i) for i in range(len(elements))]
        known = dict(zip(self.elements, self.shifts.max(1) * len(self.elements), strict=True))
        return [round(float(known[e]), 9) for e in elements]

    @property
    def translations(self) -> bool:
        """Whether the elements are shifts along one axis: they are drawn as curves."""
        return self.shifts is not None

    @property
    def axis(self) -> str:
        """The axis that a group of shifts moves along."""
        return "" if self.shifts is None else "xyz"[int((self.shifts > 0).any(0).argmax())]


@dataclass(frozen=True)
class Case:
    """A model on a data set: attributes of the run, training and audit of the file, and one `Group` per group."""

    title: str
    attrs: dict[str, Any]
    training: xr.Dataset | None
    audit: xr.Dataset | None
    groups: tuple[Group, ...]
    source: str = ""
    channel_names: tuple[str, ...] = field(default=())
    relaxation: xr.Dataset | None = None
    order: xr.Dataset | None = None
    calibration: xr.Dataset | None = None
    meshes: xr.Dataset | None = None
    measures: xr.Dataset | None = None

    def text(self, name: str, default: str = "") -> str:
        """An attribute as text."""
        value = self.attrs.get(name, default)
        return default if value is None else str(value)

    def json(self, name: str) -> Any:
        """An attribute that holds JSON; None where it is missing or damaged."""
        value = self.attrs.get(name)
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            return None


def read_cases(cases: Sequence[xr.DataTree | Path | str]) -> list[Case]:
    """Read every case; raises OrbitscopeError when there is none, or when one is no probe result."""
    if isinstance(cases, (str, Path, xr.DataTree)):
        cases = [cases]
    if not cases:
        raise OrbitscopeError(
            "cases: none were given, so there is nothing to report. Give at least one file written by `orbitscope probe`."
        )
    return [_read(case, i) for i, case in enumerate(cases)]


def array(data: xr.Dataset | None, name: str, *dims: str) -> np.ndarray | None:
    """A variable as float array with exactly the axes `dims`, None where the file has no such variable or other axes."""
    if data is None or name not in data.variables or set(data[name].dims) != set(dims):
        return None
    try:
        return np.asarray(data[name].transpose(*dims).values, dtype=float)
    except (TypeError, ValueError):
        return None


def words(data: xr.Dataset | None, name: str, elements: Sequence[str]) -> tuple[str, ...]:
    """A text variable over elements, in the order of `elements`, empty text where the file has none."""
    if data is None or name not in data.variables or data[name].dims != ("element",):
        return ("",) * len(elements)
    known = dict(zip(labels(data), map(_decode, data[name].values), strict=True))
    return tuple(known.get(e, "") for e in elements)


def labels(data: xr.Dataset, dim: str = "element") -> tuple[str, ...]:
    """The names along one axis."""
    if dim in data.variables:
        return tuple(map(str, np.atleast_1d(data[dim].values)))
    return tuple(map(str, range(data.sizes.get(dim, 0))))


def _read(case: xr.DataTree | Path | str, index: int) -> Case:
    source = "" if isinstance(case, xr.DataTree) else str(case)
    tree = case if isinstance(case, xr.DataTree) else _open(Path(case))
    kind = tree.attrs.get("kind")
    if kind != KIND and not _bare(tree):
        raise OrbitscopeError(
            f"cases[{index}]: {source or 'the DataTree'} is not a probe result (its attribute `kind` is {kind!r}, expected {KIND!r}). "
            "Give the file that `orbitscope probe` or `orbitscope audit` wrote, not the trajectories or the run."
        )
    nodes = {name: child for name, child in tree.children.items() if name not in _FILE_NODES}
    groups = tuple(_group(name, node) for name, node in nodes.items())
    title = str(tree.attrs.get("title") or tree.attrs.get("model") or Path(source).stem or f"Case {index + 1}")
    first = next((g.part("audit") for g in groups), None)
    return Case(
        title=title,
        attrs={str(k): v for k, v in tree.attrs.items()},
        training=_dataset(tree, "training"),
        audit=first if _bare(tree) else _dataset(tree, "audit"),
        groups=tuple(g for g in groups if g.parts),
        source=source,
        channel_names=_channel_names(tree.attrs.get("layout")),
        relaxation=_dataset(tree, "relaxation"),
        order=_dataset(tree, "order"),
        calibration=_dataset(tree, "calibration"),
        measures=_dataset(tree, "measures"),
        meshes=_dataset(tree, "meshes"),
    )


def _open(path: Path) -> xr.DataTree:
    if not path.is_file():
        raise OrbitscopeError(f"cases: there is no file {path}. Give a file written by `orbitscope probe`.")
    try:
        return open_results(path)
    except OrbitscopeError as error:
        raise OrbitscopeError(
            f"cases: cannot read {path} as a probe result ({error}). Give the NetCDF-4 file that `orbitscope probe` wrote; "
            "if it was cut off while being copied, copy it again."
        ) from error


def _bare(tree: xr.DataTree) -> bool:
    """Whether every child is the result of one instrument itself, as `orbitscope audit` writes them."""
    return bool(tree.children) and all(child.attrs.get("kind") in _INSTRUMENTS for child in tree.children.values())


def _group(name: str, node: xr.DataTree) -> Group:
    parts = {part: data for part in node.children if (data := _dataset(node, part)) is not None}
    if node.attrs.get("kind") in _INSTRUMENTS:
        parts[node.attrs["kind"]] = node.to_dataset()
    return Group(name, str(node.attrs.get("group") or name), parts)


def _dataset(node: xr.DataTree, name: str) -> xr.Dataset | None:
    child = node.children.get(name)
    if child is None:
        return None
    data = child.to_dataset()
    return data if data.variables or data.attrs else None


def _channel_names(layout: Any) -> tuple[str, ...]:
    from ..symmetry import Layout

    try:
        return Layout.from_dict(json.loads(layout)).channel_names
    except (TypeError, ValueError):  # a probe of an undeclared layout is still worth a report
        return ()


def _decode(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

"""All instruments at once, into one tree that is saved as one file."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from .._errors import OrbitscopeError
from .._whole import write_whole
from ..data import Trajectories
from ..nn import RelaxedConv, relaxation
from ..physics import Equation
from ..symmetry import Group
from ._provenance import command, machine, versions
from ._sample import resolve, sample_for
from ._subject import Subject
from .data._audit import audit
from .learning._influence import influence
from .learning._metric import Metric
from .learning._plan import Plan
from .learning._steptest import step_test
from .output._equivariance import equivariance
from .verdicts._learnt import MARGIN, TOLERANCE
from .verdicts._verdict import verdict

KIND = "orbitscope probe"


@dataclass(frozen=True)
class ProbeConfig:
    """How much to look at. `trajectories` x `times` transitions for influence, four times as many trajectories for the error."""

    trajectories: int = 8
    times: int = 2
    metric: str | Metric = "gauss_newton"
    damping: float | None = None
    margin: float = MARGIN
    """Share of the squared error that a breaking may carry and still hold."""
    tolerance: float = TOLERANCE
    """Ratio of the error on moved states to that on the originals up to which moving costs nothing."""
    influence_elements: int = 16
    """At most so many elements of a group get an influence, evenly spread; all get an error."""
    control: int = 16
    """Groups of at most so many elements get the positive control (group-averaged model); 0 switches it off."""
    seed: int = 0
    chunk: int = 8
    bra_loss: str | None = None
    """Loss on the bra's side of the influence: mass, momentum, energy, divergence, residual; None: the training loss."""
    sketch: int | None = None
    """Probes per example for gauss_newton on large groups; None: exact."""
    memory: str | None = None
    """Budget such as 4GiB that batch sizes are planned from; None: `chunk` examples at a time."""
    steps: int = 2
    """Kets whose step is really taken, on four elements of groups with an influence (see `step_test`); 0 switches it off."""

    def __post_init__(self) -> None:
        for name in ("trajectories", "times", "influence_elements", "chunk"):
            if getattr(self, name) < 1:
                raise OrbitscopeError(f"ProbeConfig: `{name}` must be at least 1, got {getattr(self, name)}.")
        if not 0 < self.margin < 1:
            raise OrbitscopeError(f"ProbeConfig: `margin` should lie between 0 and 1, a share of the squared error, got {self.margin}.")
        if self.tolerance < 1:
            raise OrbitscopeError(f"ProbeConfig: `tolerance` must be at least 1 (1 = as good as on the original), got {self.tolerance}.")


def examine(
    model: nn.Module,
    data: Trajectories,
    groups: Group | str | Sequence[Group | str],
    config: ProbeConfig | None = None,
    /,
    *,
    audit_data: Trajectories | None = None,
    audits: Mapping[str, xr.Dataset] | None = None,
    law: Equation | str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    planned: Callable[[Plan], None] | None = None,
    **about: Any,
) -> xr.DataTree:
    """Audit, equivariance error, influence and verdict of a model on data, for each group: a tree that `save_probe` writes.

    A model that sees several past states says so by its attribute `frames` (`nn.frames_of`; runs know).
    `data` should be transitions the model was not trained on; `audit_data` (by default `data`) may be more of the same file; `audits` holds
    results of `audit` by group name that need not be made again (several models on one file).
    `about` goes into the attributes (title, model, model_path, data_path, training, ...). `progress(stage, done, total)` is called per
    element, `planned` with the memory plan of each influence before it begins.

    Raises what `audit`, `equivariance` and `influence` raise.
    """
    config = config or ProbeConfig()
    subject = Subject.of(model)
    nodes: dict[str, xr.Dataset] = {}
    for words in [groups] if isinstance(groups, Group | str) else groups:
        group, _, _ = resolve(data, words, None)
        if f"{_node(group)}/equivariance" in nodes:
            raise OrbitscopeError(f"examine: `groups` names {group.name} twice.")
        report = _reporter(progress, group)
        checked = (audits or {}).get(group.name)
        if checked is None:
            checked = audit(audit_data or data, group, law=law, seed=config.seed, progress=report("audit"))
        nodes |= _group_nodes(model, data, group, config, checked, report, planned)
    if not nodes:
        raise OrbitscopeError("examine: `groups` is empty; name at least one, such as 'd4'.")
    first = next(d for name, d in nodes.items() if name.endswith("/audit"))
    nodes["/audit"] = first[["score"]].assign_attrs(first.attrs)
    if any(isinstance(layer, RelaxedConv) for layer in model.modules()):
        nodes["/relaxation"] = relaxation(model)
    training = about.pop("training", None)
    if training is not None:
        nodes["/training"] = training
    root = xr.Dataset(attrs=_about(subject, data, config, about))
    return xr.DataTree.from_dict({"/": root, **nodes})


def _node(group: Group) -> str:
    """Path of a group in the tree; a slash in its name, as in SO(2)/16, would be a level of its own."""
    return "/" + group.name.replace("/", "-")


def _reporter(progress: Callable[[str, int, int], None] | None, group: Group) -> Callable[[str], Callable[[int, int], None] | None]:
    return lambda stage: None if progress is None else functools.partial(progress, f"{group.name} {stage}")


def _group_nodes(
    model: nn.Module,
    data: Trajectories,
    group: Group,
    config: ProbeConfig,
    checked: xr.Dataset,
    report: Callable[[str], Callable[[int, int], None] | None],
    planned: Callable[[Plan], None] | None,
) -> dict[str, xr.Dataset]:
    some = [group.elements[i].name for i in spread(len(group), config.influence_elements)]
    seed = config.seed
    error = equivariance(
        model, data, group, trajectories=4 * config.trajectories, times=config.times, seed=seed, progress=report("equivariance")
    )
    shared = influence(
        model, data, group, metric=config.metric, damping=config.damping, elements=some, trajectories=config.trajectories,
        times=config.times, seed=seed, chunk=config.chunk, control=len(group) <= config.control, progress=report("influence"),
        bra_loss=config.bra_loss, sketch=config.sketch, memory=config.memory, planned=planned,
    )  # fmt: skip
    node = _node(group)
    return {
        f"{node}/audit": checked,
        f"{node}/equivariance": error,
        f"{node}/influence": shared,
        f"{node}/fields": pictures(model, data, group, error, seed=seed),
        f"{node}/verdict": verdict(group, error, shared, checked, margin=config.margin, tolerance=config.tolerance),
        node: xr.Dataset(attrs={"group": group.name, "order": len(group)}),
        **_taken(model, data, group, config, some, report),
    }


def _taken(
    model: nn.Module,
    data: Trajectories,
    group: Group,
    config: ProbeConfig,
    some: list[str],
    report: Callable[[str], Callable[[int, int], None] | None],
) -> dict[str, xr.Dataset]:
    """The step test on a few elements of a point group; shifts would only repeat it."""
    if not config.steps or all(g.is_translation for g in group):
        return {}
    chosen = [some[i] for i in spread(len(some), 4)]
    steps = step_test(
        model, data, group, metric=config.metric, damping=config.damping, elements=chosen, bra_loss=config.bra_loss,
        trajectories=3, times=1, kets=config.steps, seed=config.seed, chunk=config.chunk, progress=report("step test"),
    )  # fmt: skip
    return {f"{_node(group)}/steps": steps}


def spread(count: int, limit: int) -> list[int]:
    """Indices of at most `limit` of `count` elements: the first half of them consecutive (strides show there), the rest evenly spread.

    >>> spread(32, 8)
    [0, 1, 2, 3, 10, 17, 24, 31]
    """
    near = list(range(min(count, (limit + 1) // 2))) if count > limit else list(range(count))
    far = np.linspace(near[-1], count - 1, limit - len(near) + 1).round().astype(int).tolist() if count > limit else []
    return sorted({*near, *far})


def pictures(model: nn.Module, data: Trajectories, group: Group, error: xr.Dataset, *, count: int = 3, seed: int = 0) -> xr.Dataset:
    """x, gx, f(gx), g f(x) and their difference for one transition: the elements with the smallest, middle and largest error.

    Of a model that sees several states, x is the last of them.
    """
    subject = Subject.of(model)
    group, _, symmetry = resolve(data, group, None, subject.frames)
    pair = sample_for(subject, data, trajectories=1, times=1, seed=seed)
    others = [n for n in range(error.sizes["element"]) if not group[str(error["element"].values[n])].is_identity]
    ranked = sorted(others, key=lambda n: float(error["relative_error"][n].median()))
    picks = [ranked[i] for i in np.unique(np.linspace(0, len(ranked) - 1, min(count, len(ranked))).astype(int))] if ranked else []
    chosen = [group[str(error["element"].values[n])] for n in picks] or [group.identity]
    with torch.no_grad():
        plain = model(pair.x)
        gx = torch.cat([symmetry.input(g, pair.x) for g in chosen])
        f_gx = torch.cat([model(x[None]) for x in gx])
        g_fx = torch.cat([symmetry.output(g, plain) for g in chosen])
    dims = ("element", "channel", "x", "y")

    def numpy(values: torch.Tensor) -> np.ndarray:
        return values.float().cpu().numpy()

    return xr.Dataset(
        {
            "state": (dims[1:], numpy(subject.last(pair.x)[0])),
            "next_state": (dims[1:], numpy(pair.y[0])),
            "gx": (dims, numpy(subject.last(gx))),
            "f_gx": (dims, numpy(f_gx)),
            "g_fx": (dims, numpy(g_fx)),
            "difference": (dims, numpy(f_gx - g_fx)),
        },
        coords={"element": [g.name for g in chosen], "channel": list(data.layout.channel_names)},
        attrs={"trajectory": pair.trajectories[0], "time": pair.times[0]},
    )


def _about(subject: Subject, data: Trajectories, config: ProbeConfig, about: dict[str, Any]) -> dict[str, Any]:
    provenance = data.provenance
    source = str(provenance.get("scenario") or provenance.get("equation") or "trajectories")
    shape = " x ".join(map(str, data.grid.shape))
    known = {
        "kind": KIND,
        "command": command(),
        "machine": machine(),
        "device": str(subject.device),
        "model": type(subject.module).__name__,
        "model_parameters": subject.count,
        "model_frames": subject.frames,
        "data_description": f"{source}, {shape}, {data.trajectories} trajectories of {data.times} states",
        "layout": json.dumps(data.layout.to_dict()),
        "grid": json.dumps(data.grid.to_dict()),
        "dt": data.dt,
        "seed": config.seed,
        "settings": json.dumps({k: str(v) if isinstance(v, Metric) else v for k, v in vars(config).items()}),
        **versions(),
    }
    return {**known, **about}


def save_probe(tree: xr.DataTree, path: str | Path, *, force: bool = False) -> Path:
    """Write a tree of `examine` to one NetCDF file, whole or not at all. Raises `OrbitscopeError` if it exists and not `force`."""
    path = Path(path)
    if path.exists() and not force:
        raise OrbitscopeError(f"out: {path} exists. Give another --out, or --force to replace it.")
    content = tree.to_netcdf(engine="h5netcdf")  # in memory: HDF5 can crash the process on a full disk
    write_whole(path, lambda part: part.write_bytes(content))
    return path


def open_probe(path: str | Path) -> xr.DataTree:
    """Read a file of `save_probe` into memory. Raises `OrbitscopeError` if it is something else."""
    path = Path(path)
    if not path.exists():
        raise OrbitscopeError(f"probe: there is no file {path}.")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            loaded = tree.load()
    except (OSError, ValueError, KeyError) as error:
        raise OrbitscopeError(f"probe: {path} cannot be read as a probe result: {error}") from error
    if loaded.attrs.get("kind") != KIND:
        raise OrbitscopeError(f"probe: {path} is no probe result (kind {loaded.attrs.get('kind')!r}). Make one with 'orbitscope probe'.")
    return loaded

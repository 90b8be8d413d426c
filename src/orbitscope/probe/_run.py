"""All instruments at once, into one tree that is saved as one file."""

import contextlib
import functools
import json
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from torch import nn

from .._errors import LearningError, OrbitscopeError
from .._executor import Where, opened, run_parts
from .._expect import checked_settings, expect
from .._part import tell
from ..data import Examples, Trajectories
from ..emulators import Guest
from ..nn import RelaxedConv, relaxation
from ..physics import Equation
from ..symmetry import Group, Isometry, Symmetry
from ._drawn import drawn
from ._files import KIND
from ._provenance import command, machine, versions
from ._sample import resolve, sample_transitions
from ._subject import Subject
from .data._audit import audit
from .learning._influence import influence
from .learning._memory import Plan
from .learning._metric import Metric
from .learning._steptest import step_test
from .output._equivariance import equivariance
from .output._normaliser import normaliser_audit
from .verdicts._learnt import MARGIN, TOLERANCE
from .verdicts._verdict import verdict


@checked_settings
@dataclass(frozen=True)
class ProbeConfig:
    """How much `examine` looks at, and how it judges.

    * `trajectories`, `times`: transitions for the influence, so many of each; four times as many trajectories for the error; None: all.
    * `metric`, `damping`: of the influence, as of `influence`.
    * `margin`: share of the squared error that a breaking may carry and still hold, between 0 and 1.
    * `tolerance`: ratio of the error on moved states to that on the originals up to which moving costs nothing, at least 1.
    * `influence_elements`: at most so many elements of a group get an influence, evenly spread; all get an error. 0: no influence.
    * `control`: groups of at most so many elements get the positive control (group-averaged model); 0 switches it off.
    * `seed`: of every random choice.
    * `chunk`: examples whose gradients are taken at a time.
    * `bra_loss`: loss on the bra's side of the influence: mass, momentum, energy, divergence, residual; None: the training loss.
    * `sketch`: random probes per example for gauss_newton on large groups; None: exact.
    * `memory`: budget such as "4GiB" that batch sizes are planned from; None: `chunk` examples at a time.
    * `steps`: kets whose step is really taken, on four elements of groups with an influence (see `step_test`); 0 switches it off.

    Raises `OrbitscopeError` for a value out of range.
    """

    trajectories: int | None = 8
    times: int | None = 2
    metric: str | Metric = "gauss_newton"
    damping: float | None = None
    margin: float = MARGIN
    tolerance: float = TOLERANCE
    influence_elements: int = 16
    control: int = 16
    seed: int = 0
    chunk: int = 8
    bra_loss: str | None = None
    sketch: int | None = None
    memory: str | None = None
    steps: int = 2

    def __post_init__(self) -> None:
        for name, least in (("trajectories", 1), ("times", 1), ("influence_elements", 0), ("chunk", 1)):
            if (value := getattr(self, name)) is not None and value < least:
                raise OrbitscopeError(f"ProbeConfig: `{name}` must be at least {least}, got {value}.")
        if not 0 < self.margin < 1:
            raise OrbitscopeError(f"ProbeConfig: `margin` should lie between 0 and 1, a share of the squared error, got {self.margin}.")
        if self.tolerance < 1:
            raise OrbitscopeError(f"ProbeConfig: `tolerance` must be at least 1 (1 = as good as on the original), got {self.tolerance}.")


def examine(
    model: nn.Module,
    data: Trajectories | Examples,
    groups: Symmetry | Group | str | Sequence[Symmetry | Group | str],
    config: ProbeConfig | None = None,
    /,
    *,
    audit_data: Trajectories | None = None,
    audits: Mapping[str, xr.Dataset] | None = None,
    law: Equation | str | Callable[..., Any] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    planned: Callable[[Plan], None] | None = None,
    executor: Where = None,
    **about: Any,
) -> xr.DataTree:
    """Audit, equivariance error, influence and verdict of a model on data, for each group: a tree that `save_probe` writes.

    * `model`: a `torch.nn.Module`; it is not changed. One that sees several past states says so by its attribute `frames`
      (`nn.frames_of`; runs know).
    * `data`: transitions that the model was not trained on.
    * `groups`: one or several: `Symmetry`, `Group` or name.
    * `config`: how much to look at; None: `ProbeConfig()`.
    * `audit_data`: what is audited, by default `data`; may be more of the same file.
    * `audits`: results of `audit` by group name that need not be made again (several models on one file).
    * `law`: as for `audit`: the equation, or the true map of other examples.
    * `progress(stage, done, total)`: called per element.
    * `planned`: called with the memory plan of each influence before it begins.
    * `executor`: where the elements are shared (see `executor`); None: here.
    * `about`: goes into the attributes (title, model, model_path, data_path, training, ...).

    Where the learning of a model cannot be measured (no derivative of it exists, none reaches its weights), what was measured is kept and
    the words on the learning say why; `influence_elements` = 0 in the config leaves it out. Raises what `audit`, `equivariance` and
    `influence` raise otherwise.
    """
    config = ProbeConfig() if config is None else config
    expect(config, ProbeConfig, "examine: `config`", "a ProbeConfig, ProbeConfig(times=2, ...)")
    if not isinstance(groups, Symmetry | Group | str):
        expect(groups, Iterable, "examine: `groups`", "a group or several, such as ['d4', 'tx']")
    subject = Subject.of(model, data)
    nodes: dict[str, xr.Dataset] = {}
    asked: dict[str, Symmetry | Group] = {}
    for words in [groups] if isinstance(groups, Symmetry | Group | str) else groups:
        group = words if isinstance(words, Symmetry) else resolve(data, words, None, subject.frames)[0]
        if group.name in asked:
            raise OrbitscopeError(f"examine: `groups` names {group.name} twice.")
        asked[group.name] = group
    known = dict(audits or {})
    fitting = Symmetry if isinstance(data, Examples) else Group
    unknown = [name for name, group in asked.items() if name not in known and isinstance(group, fitting)]
    with contextlib.ExitStack() as stack:
        pool = None if executor is None else stack.enter_context(opened(executor))
        given = (data if isinstance(data, Examples) else audit_data or data, law, config.seed)
        found = run_parts(pool, [asked[name] for name in unknown], _audited, _together, given, name=lambda g: g.name, hear=progress)
        stack.callback(found.close)
        for name, group in asked.items():
            checked = next(found) if name in unknown else known.get(name)
            nodes |= _group_nodes(model, data, group, name, config, checked, _reporter(progress, name), planned, pool)
    if not nodes:
        raise OrbitscopeError("examine: `groups` is empty; name at least one, such as 'd4'.")
    if (first := next((d for name, d in nodes.items() if name.endswith("/audit")), None)) is not None:
        nodes["/audit"] = first[[name for name in ("score",) if name in first]].assign_attrs(first.attrs)
    if any(isinstance(layer, RelaxedConv) for layer in model.modules()):
        nodes["/relaxation"] = relaxation(model)
    training = about.pop("training", None)
    if training is not None:
        nodes["/training"] = training
    root = xr.Dataset(attrs=_about(subject, data, config, about))
    return xr.DataTree.from_dict({"/": root, **nodes})


def _together(*given: Any) -> tuple[Any, ...]:
    return given


def _audited(given: tuple[Any, ...], group: Symmetry | Group) -> xr.Dataset:
    data, law, seed = given
    return audit(data, group, law=law, seed=seed, progress=functools.partial(tell, f"{group.name} audit"))


def _node(name: str) -> str:
    """Path of a group in the tree; a slash in its name, as in SO(2)/16, would be a level of its own."""
    return "/" + name.replace("/", "-")


def _reporter(progress: Callable[[str, int, int], None] | None, name: str) -> Callable[[str], Callable[[int, int], None] | None]:
    return lambda stage: None if progress is None else functools.partial(progress, f"{name} {stage}")


def _group_nodes(
    model: nn.Module,
    data: Trajectories | Examples,
    asked: Symmetry | Group,
    name: str,
    config: ProbeConfig,
    checked: xr.Dataset | None,
    report: Callable[[str], Callable[[int, int], None] | None],
    planned: Callable[[Plan], None] | None,
    executor: Where,
) -> dict[str, xr.Dataset]:
    group, every, _ = resolve(data, asked, None, Subject.of(model, data).frames)
    some = [every[i].name for i in spread(len(every), config.influence_elements)]
    seed = config.seed
    error = equivariance(
        model, data, asked, trajectories=_for_error(config), times=config.times, seed=seed, progress=report("equivariance"),
        executor=executor,
    )  # fmt: skip
    node, why, learning = _node(name), "switched off (influence_elements = 0)", {}
    if some:
        try:
            learning[f"{node}/influence"] = influence(
                model, data, asked, metric=config.metric, damping=config.damping, elements=some, trajectories=config.trajectories,
                times=config.times, seed=seed, chunk=config.chunk, control=len(every) <= config.control, progress=report("influence"),
                bra_loss=config.bra_loss, sketch=config.sketch, memory=config.memory, planned=planned,
                executor=executor,
            )  # fmt: skip
            learning |= _taken(node, model, data, asked, every, config, some, report)
        except LearningError as failed:  # what was measured before is kept, and the words say why there is no more
            why = str(failed)
    words = verdict(
        group, error, learning.get(f"{node}/influence"), checked, margin=config.margin, tolerance=config.tolerance
    )  # fmt: skip
    units: dict[str, xr.Dataset] = {}
    if isinstance(model, Guest) and model.normaliser is not None and isinstance(data, Trajectories) and isinstance(asked, Group):
        units[f"{node}/normaliser"] = normaliser_audit(model, data, asked, trajectories=config.trajectories, times=config.times, seed=seed)
        words.attrs["sentence_output"] += " " + units[f"{node}/normaliser"].attrs["sentence"]
    if f"{node}/influence" not in learning:
        words.attrs["sentence_learning"] = f"Not measured: {why}"
    return {
        **({} if checked is None else {f"{node}/audit": checked}),
        f"{node}/equivariance": error,
        **learning,
        **units,
        **drawn(node, model, data, asked, error, seed),
        f"{node}/verdict": words,
        node: xr.Dataset(attrs={"group": name, "order": len(group) if group.finite else 0}),
    }


def _taken(
    node: str,
    model: nn.Module,
    data: Trajectories | Examples,
    asked: Symmetry | Group,
    every: Sequence[Any],
    config: ProbeConfig,
    some: list[str],
    report: Callable[[str], Callable[[int, int], None] | None],
) -> dict[str, xr.Dataset]:
    """The step test on a few elements of a point group; shifts would only repeat it."""
    if not config.steps or all(isinstance(g, Isometry) and g.is_translation for g in every):
        return {}
    chosen = [some[i] for i in spread(len(some), 4)]
    steps = step_test(
        model, data, asked, metric=config.metric, damping=config.damping, elements=chosen, bra_loss=config.bra_loss,
        trajectories=3, times=1, kets=config.steps, seed=config.seed, chunk=config.chunk, progress=report("step test"),
    )  # fmt: skip
    return {f"{node}/steps": steps}


def spread(count: int, limit: int) -> list[int]:
    """Indices of at most `limit` of `count` elements: the first half of them consecutive (strides show there), the rest evenly spread.

    >>> spread(32, 8)
    [0, 1, 2, 3, 10, 17, 24, 31]
    """
    if not limit:
        return []
    near = list(range(min(count, (limit + 1) // 2))) if count > limit else list(range(count))
    far = np.linspace(near[-1], count - 1, limit - len(near) + 1).round().astype(int).tolist() if count > limit else []
    return sorted({*near, *far})


def _about(subject: Subject, data: Trajectories | Examples, config: ProbeConfig, about: dict[str, Any]) -> dict[str, Any]:
    known = {
        "kind": KIND,
        "command": command(),
        "machine": machine(),
        "device": str(subject.device),
        "model": subject.name,
        "model_parameters": subject.count,
        "model_frames": subject.frames,
        **_about_data(data),
        **_checksum(subject, data, config),
        "seed": config.seed,
        "settings": json.dumps({k: str(v) if isinstance(v, Metric) else v for k, v in vars(config).items()}),
        **versions(),
    }
    return {**known, **about}


def _for_error(config: ProbeConfig) -> int | None:
    """Trajectories for the error; None: all."""
    return None if config.trajectories is None else 4 * config.trajectories


def _checksum(subject: Subject, data: Trajectories | Examples, config: ProbeConfig) -> dict[str, str]:
    """CRC-32 of the transitions that the error is measured on, in float32: whether two scores are of the same data."""
    if not isinstance(data, Trajectories):
        return {}
    pairs = sample_transitions(data, trajectories=_for_error(config), times=config.times, seed=config.seed, frames=subject.frames)
    found = 0
    for values in (pairs.x, pairs.y):
        found = zlib.crc32(np.ascontiguousarray(values.numpy(), dtype="<f4").data, found)
    return {"data_checksum": f"crc32:{found:08x}"}


def _about_data(data: Trajectories | Examples) -> dict[str, Any]:
    if isinstance(data, Examples):
        return {"data_description": f"{data.name}, {len(data)} examples of {len(data.units)} units"}
    source = str(data.provenance.get("scenario") or data.provenance.get("equation") or "trajectories")
    shape = " x ".join(map(str, data.grid.shape))
    return {
        "data_description": f"{source}, {shape}, {data.trajectories} trajectories of {data.times} states",
        "layout": json.dumps(data.layout.to_dict()),
        "grid": json.dumps(data.grid.to_dict()),
        "dt": data.dt,
    }

"""Which convention a model has: those that are known are tried on the data, from the plainest on."""

import contextlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..data import Trajectories
from ..emulators import Guest, adapt, presets, smse
from ._gradients import example_gradients
from ._sample import sample_transitions
from ._subject import Subject, check_module

_INPUTS = ("b (t c) ...", "b t c ...", "b ... (t c)", "b ... t c", "b t ... c", "b c t ...", "t b c ...", "b t f c 1 ...", "c ...")
_OUTPUTS = ("b c ...", "b t c ...", "b ... c", "b ... t c", "b t ... c", "b c t ...", "t b c ...", "b f c 1 ...", "c ...")
_FRAMES = (1, 2, 3, 4, 5, 6, 8, 10, 16)
_BETTER = 0.9
"""A convention replaces a plainer one where its error is so much smaller."""


def doctor(model: nn.Module, data: Trajectories) -> dict[str, Any]:
    """What a model needs said before it can be probed on these data: conventions that were tried, the one that works best, its gradients.

    * `model`: any module. `data`: trajectories; three of them are looked at.

    Returns plain values: `works`; `flags`, the words for the command line (`command_line`); `adapt`, the arguments for `adapt`; `error` and
    `persistence`, the scaled mean squared error of a forecast with them and of no forecast; `gradients`: "together" (by vmap), "one by one"
    or "none", with `why`; `frames`; `tried`, each convention and what came of it. Where it fails: a network without training fits no
    convention better than another, so the plainest that runs is named; axes of equal size are told apart by the error alone.
    """
    model = Subject.of(model).module  # as the instruments take it: out of its wrappers, short formats in float32
    tried: list[dict[str, Any]] = []
    best: dict[str, Any] | None = None
    for words in _candidates(model):
        for frames in _FRAMES if "frames" not in words else (words["frames"],):
            if frames >= data.times:
                break
            found = _tried(model, data, {**words, "frames": frames})
            tried.append(found)
            if found["works"]:
                if best is None or found["error"] < _BETTER * best["error"]:
                    best = found
                break
    if best is None:
        return {"works": False, "tried": tried}
    guest = adapt(model, layout=data.layout, **best["adapt"])
    gradients, why = _gradients(guest, data)
    guest.release()
    flags = _flags(best["adapt"]) + ([] if gradients != "none" else ["--influence-elements", "0"])
    return {**best, "flags": flags, "gradients": gradients, "why": why, "tried": tried}


def command_line(found: Mapping[str, Any], model: str, data: str, group: str = "d4", more: Sequence[str] = ()) -> str:
    """The command that probes the model by what `doctor` found.

    * `found`: its result, of a model that works. `model`, `data`: the words for them on the command line. `group`: the group to probe.
    * `more`: the flags with which model and data were loaded, such as ("--load", "dt=0.1").
    """
    return shlex.join(["orbitscope", "probe", model, data, *more, *found["flags"], "--group", group, "--out", "probe.nc"])


def _candidates(model: nn.Module) -> Iterator[dict[str, Any]]:
    yield {}
    if model.training:  # one that works in eval() alone
        yield {"randomness": "off"}
    for name in presets():
        yield {"like": name}
    for axes in _INPUTS[1:]:
        yield {"axes": axes}
    yield {"lead_time": 1.0}


def _tried(model: nn.Module, data: Trajectories, words: dict[str, Any]) -> dict[str, Any]:
    """The first way to read the answer with the smallest error, or why there is none."""
    try:
        pairs = sample_transitions(
            data, trajectories=3, times=1, frames=words["frames"], dtype=Subject.of(model).dtype, device=Subject.of(model).device
        )
        best: dict[str, Any] | None = None
        last = "no order of its axes gives a state"
        for more in _ways_out(model, data, words, pairs.x):
            for residual in ({}, {"residual": True}) if "residual" not in words else ({},):
                said = {**words, **more, **residual}
                try:
                    error = _error(model, data, said, pairs.x, pairs.y)
                except OrbitscopeError as why:
                    if "two calls on one input differ" not in str(why):
                        last = str(why)
                        continue
                    said["randomness"] = "seeded"
                    error = _error(model, data, said, pairs.x, pairs.y)
                if best is None or error < _BETTER * best["error"]:
                    best = {"works": True, "adapt": said, "frames": words["frames"], "error": error}
        if best is None:
            return {"works": False, "adapt": words, "why": last}
        best["persistence"] = float(smse(pairs.x[:, -data.channels :], pairs.y))
        return best
    except OrbitscopeError as why:
        return {"works": False, "adapt": words, "why": str(why)}


def _error(model: nn.Module, data: Trajectories, words: dict[str, Any], x: Tensor, y: Tensor) -> float:
    guest = adapt(model, layout=data.layout, **words)
    try:
        check_module(guest, x)
        with torch.no_grad():
            return float(smse(guest(x), y))
    finally:
        guest.release()  # what one convention switches off is not what the next one is tried with


def _ways_out(model: nn.Module, data: Trajectories, words: dict[str, Any], x: Tensor) -> Iterator[dict[str, Any]]:
    """Ways to read the answer: the convention's own, then every tensor in it under every order of axes that fits its shape."""
    yield {}
    seen: list[Any] = []

    def look(answer: Any) -> Any:
        seen.append(answer)
        return answer

    try:
        guest = adapt(model, layout=data.layout, **{**words, "out": (look, "b c ...")})
    except OrbitscopeError:
        return
    with torch.no_grad(), contextlib.suppress(OrbitscopeError):
        guest(x)
    guest.release()
    if not seen:
        return
    for picks, tensor in _tensors(seen[0]):
        for axes in _OUTPUTS:
            for step in ({}, {"step": -1}, {"step": 0}):
                if _fits(axes, tensor, x, data.channels, bool(step)):
                    yield {"out": (*picks, axes) if picks else axes, **step}


def _tensors(answer: Any) -> Iterator[tuple[tuple[int | str, ...], Tensor]]:
    """Where tensors stand in an answer."""
    if isinstance(answer, Tensor):
        yield (), answer
    elif isinstance(answer, Mapping):
        yield from (((str(k),), v) for k, v in answer.items() if isinstance(v, Tensor))
    elif isinstance(answer, list | tuple):
        yield from (((k,), v) for k, v in enumerate(answer) if isinstance(v, Tensor))
    else:
        yield from (((k,), v) for k, v in getattr(answer, "__dict__", {}).items() if isinstance(v, Tensor))


def _fits(axes: str, tensor: Tensor, x: Tensor, channels: int, steps: bool) -> bool:
    space = list(x.shape[2:])
    sizes: list[int | None] = []
    for word in axes.split():
        sizes += space if word == "..." else [{"b": len(x), "c": channels, "f": 1, "1": 1}.get(word)]
    if tensor.ndim != len(sizes) or any(s is not None and s != n for s, n in zip(sizes, tensor.shape, strict=True)):
        return False
    several = any(s is None and n > 1 for s, n in zip(sizes, tensor.shape, strict=True))
    return several == steps


def _gradients(guest: Guest, data: Trajectories) -> tuple[str, str]:
    """How the gradients of single examples are had: together by vmap, one by one, or not at all and why."""
    subject = Subject.of(guest, data)
    pairs = sample_transitions(data, trajectories=2, times=1, frames=guest.frames, dtype=subject.dtype, device=subject.device)

    def loss(parameters: Any, x: Tensor, y: Tensor) -> Tensor:
        return smse(subject(parameters, x[None]), y[None])

    try:
        check_module(guest, pairs.x)
        if not subject.parameters:
            return "none", "the model has no parameters"
        wrong = -pairs.y  # a model without error has no gradient at the truth
        rows, _ = example_gradients(subject, smse, pairs.x, wrong, 2)
        if not bool(rows.any()):
            return "none", "no gradient reaches the parameters"
    except OrbitscopeError as why:
        return "none", str(why)
    try:
        torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(subject.parameters, pairs.x, wrong)
    except Exception as why:  # whatever a module's own code raises on what vmap hands it
        return "one by one", f"{type(why).__name__}: {(str(why).strip().splitlines() or [''])[0]}"
    return "together", ""


def _flags(words: Mapping[str, Any]) -> list[str]:
    """As `orbitscope probe` takes them."""
    said = dict(words)
    flags = ["--as", said.pop("like")] if "like" in said else []
    if said.get("frames", 1) == 1:
        said.pop("frames", None)
    rest = [f"{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in said.items()]
    return [*flags, *(["--adapt", *rest] if rest else [])]

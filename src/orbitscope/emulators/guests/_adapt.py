"""`adapt`: other people's models in one line."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from ..._errors import OrbitscopeError
from ...symmetry import Layout
from ._answer import answer_of
from ._axes import Axes
from ._channels import channels_of
from ._draws import check_randomness
from ._guest import Guest
from ._normaliser import Normaliser, normaliser_of
from ._presets import preset
from ._statistics import by_field, of_statistics


def adapt(
    model: nn.Module,
    axes: str | None = None,
    *,
    like: str | None = None,
    out: Any = None,
    step: int | None = None,
    channels: Any = None,
    fill: Mapping[str, Any] | None = None,
    picks: Any = None,
    fields: int = 1,
    call: str | Callable[..., Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    frames: int | None = None,
    residual: bool | float | None = None,
    normaliser: Any = None,
    out_normaliser: Any = None,
    lead_time: float | tuple[str, float] | None = None,
    randomness: str | None = None,
    seed: int = 0,
    draws: int = 8,
    layout: Layout | None = None,
) -> Guest:
    """A model with conventions of its own as a map that every instrument takes.

    The map is [batch, frames * channel, *space] -> [batch, channel, *space], its parameters and its state dict are the model's own.

    * `model`: any `torch.nn.Module`; one inside `DataParallel` is taken out of it.
    * `axes`: the axes of the tensor that the model takes: b, t, c, x, y, z; f for fields whose components are c; `...` for all axes of
      space, (t c) for axes made one, 1 for an axis of one, -y for an axis that runs the other way. None: "b (t c) ...".
    * `like`: the name of a preset (see `presets`), whose arguments the ones given here replace.
    * `out`: where the next state is in the answer: an index, a key or attribute, a function, a pattern as in `axes` (by default that of
      the input), or several of these, the pattern last. `step`: which state follows the last one, where the answer holds several.
    * `channels`: the guest's channels in order: the number or the name (with `layout`) of one of ours, or a name that `fill` gives a value
      for. `picks`: which channels of the answer are ours. `fields`: how many fields the letter f counts.
    * `fill`: name of a channel that the data lack -> its value in the units of the data: a number, an array [*space], or x, y, z for a
      coordinate from 0 to 1.
    * `layout`: the fields of our states, by whose names channels may be called.
    * `call`: the keyword that takes the state, or a function (model, tensor, **kwargs) -> answer. `kwargs`: what else forward takes;
      functions get our state. `lead_time`: a time given as a tensor [batch], with the name of the argument or by itself.
    * `frames`: how many past states go in. `residual`: the answer is a change (in the units of the normaliser); a number multiplies it.
    * `normaliser`: (mean, std) per channel of the guest, {"mean", "std"}, {"min", "max"}, "instance", "rms", "rms-delta", two functions,
      an object with encode/decode, transform/inverse_transform, or with `layout` a table by field: the path of a stats.yaml (The Well;
      "stats.yaml:rms" for its root mean squares; answers that are changes by its mean_delta, std_delta) or {"mean": {field: ...},
      "std": ...}. `out_normaliser`: another for the answer, per channel of the answer.
    * `randomness`: "seeded" (from `seed` at each call), "off", or "distribution" (the mean over `draws` seeds); None: no draws.
    * `seed`: of the draws, or the first of several. `draws`: how many seeds the mean is over.

    Raises `OrbitscopeError` for arguments that contradict each other or the signature of forward, and on the first call for shapes that do
    not fit. Where it fails: axes of equal size cannot be told apart, so a wrong order of x and y shows only in what is measured.
    """
    if not isinstance(model, nn.Module):
        raise OrbitscopeError(f"adapt: `model` should be a torch.nn.Module, got {type(model).__name__}. Wrap a function in a module.")
    if isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
        model = model.module
    given = {
        "axes": axes, "out": out, "step": step, "channels": channels, "fill": fill, "picks": picks, "call": call, "frames": frames,
        "residual": residual, "normaliser": normaliser, "out_normaliser": out_normaliser, "lead_time": lead_time, "randomness": randomness,
    }  # fmt: skip
    given = {k: v for k, v in given.items() if v is not None}
    base: dict[str, Any] = dict(preset(like)(model, layout)) if like is not None else {}
    words: dict[str, Any] = {**base, **given, "kwargs": {**base.get("kwargs", {}), **dict(kwargs or {})}}
    if "fill" in base and fill:
        words["fill"] = {**base["fill"], **fill}
    count = words.get("frames", 1)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise OrbitscopeError(f"frames: should be a whole number from 1 up, the past states that the model sees, got {count!r}.")
    pattern = Axes(words.get("axes", "b (t c) ..."))
    if count > 1 and not pattern.timed:
        raise OrbitscopeError(
            f"axes: {pattern.text!r} has no place for {count} states. Write t, or (t c) where they are stacked along channels."
        )
    check_randomness(words.get("randomness"))
    entry = words.get("call")
    extra = words["kwargs"]
    time = _lead_time(model, words.get("lead_time"))
    if not callable(entry):
        _check_signature(model, entry, {*extra, *([time[0]] if time else [])})
    placed = channels_of(words.get("channels"), words.get("fill"), words.get("picks"), layout)
    changes = bool(words.get("residual")) and words.get("out_normaliser") is None

    def rule(argument: str) -> Normaliser | None:
        said = words.get(argument)
        return of_statistics(said, argument, layout, placed, changes) if by_field(said) else normaliser_of(said, argument)

    return Guest(
        model, pattern, answer_of(words.get("out"), pattern, words.get("step")), placed,
        rule("normaliser"), rule("out_normaliser"),
        fields=fields if fields != 1 else base.get("fields", 1), call=entry, kwargs=extra, frames=count,
        residual=float(words.get("residual", 0.0)), lead_time=time, randomness=words.get("randomness"), seed=seed, draws=draws,
        said={"like": like, **{k: v for k, v in words.items() if v is not None}},
    )  # fmt: skip


def _parameters(model: nn.Module) -> dict[str, inspect.Parameter] | None:
    # An exported module or one that calls through has no signature to check.
    try:
        return dict(inspect.signature(model.forward).parameters)
    except (TypeError, ValueError):
        return None


def _lead_time(model: nn.Module, given: Any) -> tuple[str, float] | None:
    if given is None:
        return None
    pair: Any = given if isinstance(given, tuple | list) and len(given) == 2 else (None, given)
    try:
        time = float(pair[1])
    except (TypeError, ValueError):
        raise OrbitscopeError(f"lead_time: should be a number, or the name of the argument and a number, got {given!r}.") from None
    if pair[0] is not None:
        return str(pair[0]), time
    known = _parameters(model) or {}
    for name in ("time", "lead_time", "lead_times", "t", "dt", "delta_t"):
        if name in known:
            return name, time
    raise OrbitscopeError(
        f"lead_time: forward({', '.join(known)}) has no argument that is a time by its name. Name it: lead_time=('tau', {given})."
    )


def _check_signature(model: nn.Module, entry: str | None, names: set[str]) -> None:
    """Raise for arguments that forward lacks, and for those that it needs and nobody gives."""
    known = _parameters(model)
    if known is None:
        return
    listed = ", ".join(known)
    anything = any(p.kind is p.VAR_KEYWORD for p in known.values())
    ordered = [n for n, p in known.items() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    state = entry if entry is not None else next(iter(ordered), None)
    unknown = sorted(({*names, entry} if entry else names) - set(known))
    if unknown and not anything:
        raise OrbitscopeError(f"kwargs: forward({listed}) has no argument {unknown[0]!r}. Is it an argument of `adapt`, mistyped?")
    missing = [
        n for n, p in known.items()
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and n != state and n not in names
    ]  # fmt: skip
    if missing:
        raise OrbitscopeError(
            f"kwargs: forward({listed}) also needs {', '.join(missing)}. Give each a constant or a function of the state: "
            f"kwargs={{{missing[0]!r}: ...}}; a time may be lead_time=."
        )

"""Somebody else's model as a map from our states to our states."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ._answer import Answer
from ._axes import Axes
from ._channels import Channels
from ._draws import seeded, switched_off
from ._normaliser import Normaliser


class Guest(nn.Module):
    """What `adapt` makes: [batch, frames * channel, *space] -> [batch, channel, *space] around a model with conventions of its own.

    Its state dict is that of the model inside, gradients flow to the parameters there, and `torch.func` goes through.

    * `model`: the module inside, in its own conventions.
    * `axes`: the axes of the tensor that it takes.
    * `answer`: where the next state is in what it answers, and with which axes.
    * `channels`: where our channels stand among its own, and what fills the others.
    * `normaliser`: physical units to its units and back; None: it takes physical units.
    * `out_normaliser`: another for the answer; None: the same.
    * `fields`: how many fields the letter f of the axes counts.
    * `call`: keyword that takes the state, or a function (model, tensor, **kwargs) -> answer; None: the first argument of forward.
    * `kwargs`: further arguments of forward by name; functions get our state.
    * `frames`: past states that go in, stacked along channels, oldest first.
    * `residual`: 0 where the answer is the next state; else the answer is a change, in the units of the normaliser, times this number.
    * `lead_time`: name and value of an argument that takes a time as a tensor [batch]; None: there is none.
    * `randomness`: "seeded" (from `seed` at each call), "off" (dropout switched off), "distribution" (mean over `draws` seeds), or None.
    * `seed`: of the draws, or the first one. `draws`: how many seeds the mean is over.
    * `said`: what the caller of `adapt` said, for the results.

    Raises `OrbitscopeError` on the first call for shapes that do not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        axes: Axes,
        answer: Answer,
        channels: Channels,
        normaliser: Normaliser | None,
        out_normaliser: Normaliser | None,
        *,
        fields: int = 1,
        call: str | Callable[..., Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        frames: int = 1,
        residual: float = 0.0,
        lead_time: tuple[str, float] | None = None,
        randomness: str | None = None,
        seed: int = 0,
        draws: int = 8,
        said: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.frames = model, frames
        self.axes, self.answer, self.channels = axes, answer, channels
        self.normaliser, self.out_normaliser = normaliser, out_normaliser
        self.fields, self.residual = fields, residual
        self.call, self.kwargs, self.lead_time = call, dict(kwargs or {}), lead_time
        self.randomness, self.seed, self.draws = randomness, seed, draws
        self.said = dict(said or {})
        self._modes = [(part, part.training) for part in model.modules()] if randomness == "off" else []
        self.switched = switched_off(model) if randomness == "off" else []
        self._tried = False
        self.register_load_state_dict_pre_hook(_inside)
        self.train(model.training)

    def state_dict(self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False) -> Any:
        """That of the model inside, under its own names; `destination`, `prefix` and `keep_vars` as of `torch.nn.Module.state_dict`."""
        return self.model.state_dict(*args, destination=destination, prefix=prefix, keep_vars=keep_vars)

    def release(self) -> nn.Module:
        """The model inside, with the switches and the mode again that randomness="off" has changed."""
        for name in self.switched:
            owner, _, switch = name.rpartition(".")
            setattr(self.model.get_submodule(owner), switch, True)
        for part, training in self._modes:
            part.training = training
        self.switched, self._modes = [], []
        return self.model

    def describe(self) -> str:
        """What was said to `adapt`, as JSON for the results."""
        return json.dumps({k: v if isinstance(v, int | float | str | bool | None) else str(v) for k, v in self.said.items()})

    def forward(self, state: Tensor) -> Tensor:
        """The next state of each `state` [B, C, *grid], by the conventions that `adapt` was told."""
        if self.randomness not in ("seeded", "distribution"):
            return self._step(state)
        # One example at a time, so that the draws do not depend on what else is in the batch.
        seeds = [self.seed] if self.randomness == "seeded" else [self.seed + k for k in range(self.draws)]
        return torch.stack([self.drawn(state, k) for k in seeds]).mean(0)

    def drawn(self, state: Tensor, seed: int) -> Tensor:
        """The answer to `state` with the draws of one `seed`, the same for every example."""
        rows = []
        for n in range(len(state)):
            with seeded(seed):
                try:
                    rows.append(self._step(state[n : n + 1]))
                except RuntimeError as error:
                    if "random" in str(error):  # vmap takes no draws; taken example by example they are the same each time
                        raise RuntimeError("seeded draws are taken one example at a time") from None
                    raise
        return torch.cat(rows)

    def normalise(self, state: Tensor) -> Tensor:
        """`state` [b, frames * channel, *space] as the model gets it: in its units, in our order of channels."""
        past = self._past(state)
        if self.normaliser is None:
            return state
        inside, _ = self.normaliser.encode(self.channels.place(past))
        return inside[:, :, list(self.channels.at(past.shape[2]))].flatten(1, 2)

    def _past(self, state: Tensor) -> Tensor:
        if state.ndim < 3 or state.shape[1] % self.frames:
            raise OrbitscopeError(
                f"frames: {self.frames} states stacked along channels should come in as [batch, {self.frames} * channel, *space], got "
                f"{tuple(state.shape)}."
            )
        return state.unflatten(1, (self.frames, state.shape[1] // self.frames))

    def _step(self, state: Tensor) -> Tensor:
        past = self._past(state)
        ours, ndim = past.shape[2], past.ndim - 3
        whole = self.channels.place(past)
        inside, undo = (whole, None) if self.normaliser is None else self.normaliser.encode(whole)
        sizes = {"f": self.fields, "c": inside.shape[2] // self.fields} | dict(zip("xyz", inside.shape[3:], strict=False))
        answer = self._answer(inside, state, ndim, sizes)
        at = self.channels.select(answer, ours)
        own = list(self.channels.at(ours))
        if self.out_normaliser is not None:
            answer = self.out_normaliser.encode(answer[:, None])[1](answer, range(answer.shape[1]))
            return answer[:, list(at)] + self.residual * past[:, -1] if self.residual else answer[:, list(at)]
        answer = answer[:, list(at)]
        if self.residual and not getattr(self.normaliser, "changes", False):
            answer = inside[:, -1, own] + self.residual * answer
            return answer if undo is None else undo(answer, own)
        answer = answer if undo is None else undo(answer, own)
        return past[:, -1] + self.residual * answer if self.residual else answer

    def _answer(self, inside: Tensor, state: Tensor, ndim: int, sizes: dict[str, int]) -> Tensor:
        if self.axes.batched:
            return self.answer.read(self._called(self.axes.there(inside, sizes), state), ndim, sizes)
        rows = [self._called(self.axes.there(inside[n : n + 1], sizes), state[n : n + 1]) for n in range(len(state))]
        return torch.cat([self.answer.read(row, ndim, sizes) for row in rows])

    def _called(self, given: Tensor, state: Tensor) -> Any:
        values = {k: _for(v, state) for k, v in self.kwargs.items()}
        if self.lead_time is not None:
            name, time = self.lead_time
            values[name] = torch.full((len(state),), time, dtype=state.dtype, device=state.device)
        try:
            if callable(self.call):
                answer = self.call(self.model, given, **values)
            else:
                answer = self.model(given, **values) if self.call is None else self.model(**{self.call: given}, **values)
        except OrbitscopeError:
            raise
        except Exception as error:  # forward is somebody's code and may raise anything
            if self._tried or torch.compiler.is_compiling():
                raise  # it has worked: what fails now is a transform of torch.func or a precision, and the caller knows those
            words = (str(error).strip().splitlines() or [""])[0]
            more = f", and {', '.join(values)}" if values else ""
            raise OrbitscopeError(
                f"axes: the model fails on a tensor of shape {tuple(given.shape)}, which is {self.axes.text!r}{more}: "
                f"{type(error).__name__}: {words}. If it wants other axes, channels or past states, say axes=, channels= with fill=, or "
                "frames=; `orbitscope doctor MODEL DATA` tries them."
            ) from error
        self._tried = True
        return answer


def _for(value: Any, state: Tensor) -> Any:
    """A constant on the device (and, if it is real, in the precision) of the state; of a function its value."""
    if isinstance(value, Tensor):
        return value.to(state) if value.is_floating_point() else value.to(state.device)
    return value(state) if callable(value) and not isinstance(value, nn.Module | type) else value


def _inside(guest: nn.Module, state: dict[str, Any], prefix: str, *rest: Any) -> None:
    """The names of the model inside, for the walk through the modules."""
    for key in [k for k in state if k.startswith(prefix)]:
        state[f"{prefix}model.{key.removeprefix(prefix)}"] = state.pop(key)

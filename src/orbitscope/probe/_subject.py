"""The model under test: any module, checked, and as a pure function of its parameters."""

import copy
import functools
import math
import re
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .._errors import OrbitscopeError
from ..data import Examples, Trajectories
from ..emulators import Guest
from ..nn import frames_of
from ..training import to_precision
from ._packing import PackedModel, packed_model

Parameters = dict[str, Tensor]


@dataclass(frozen=True)
class Subject:
    """A module with its parameters apart, so that gradients with respect to all of them can be taken.

    A complex parameter counts as its real and imaginary parts: `parameters` holds it with a last axis of 2, and only the names
    in `complex` are put together again. `frames` is how many states it sees, stacked along channels (see `nn.frames_of`).
    """

    module: nn.Module
    parameters: Parameters
    buffers: dict[str, Tensor]
    complex: frozenset[str] = frozenset()
    frames: int = 1
    ties: tuple[tuple[str, str], ...] = ()
    """Other names of parameters that stand in several places, and the names in `parameters`."""
    answer: tuple[int, ...] | None = None
    """Shape of the answer to one example; None: a state like those that went in, one for each stack."""

    @classmethod
    def of(cls, module: nn.Module, data: Trajectories | Examples | None = None) -> "Subject":
        """Of a module that maps states to states, or, with `data` that are `Examples`, whatever x is to whatever y is.

        States of several parts are packed into one vector per example, so that everything that follows sees one tensor.

        All real and complex parameters count, also frozen ones: the question is what the weights share, not what was trained."""
        if not isinstance(module, nn.Module):
            raise OrbitscopeError(
                f"`model` should be a torch.nn.Module, got {type(module).__name__}. Wrap a function in a module, or name a run folder, "
                "a .pt2 file or 'package.module:callable' for `load_model`."
            )
        answer, module = None, _ready(module)
        if isinstance(data, Examples):
            module, answer = packed_model(module, data)
        # Copied to plain strides: torch 2.13's forward-mode group norm fails on what channels-last weights make of an activation.
        tensors = {
            k: p.detach().clone(memory_format=torch.contiguous_format)
            for k, p in module.named_parameters()
            if p.is_floating_point() or p.is_complex()
        }
        split = frozenset(k for k, p in tensors.items() if p.is_complex())
        parameters = {k: torch.view_as_real(p.resolve_conj()) if k in split else p for k, p in tensors.items()}
        return cls(module, parameters, dict(module.named_buffers()), split, frames_of(module), _ties(module, tensors), answer)

    @property
    def name(self) -> str:
        """Of the class of the module."""
        inner = self.module.model if isinstance(self.module, PackedModel) else self.module
        return type(inner.model if isinstance(inner, Guest) else inner).__name__

    @property
    def count(self) -> int:
        """Number of real parameters."""
        return sum(p.numel() for p in self.parameters.values())

    @property
    def dtype(self) -> torch.dtype:
        """Of the first parameter; float32 for a model without any."""
        return next((p.dtype for p in self.parameters.values()), torch.float32)

    @property
    def device(self) -> torch.device:
        """Of the first parameter; the CPU for a model without any."""
        return next((p.device for p in self.parameters.values()), torch.device("cpu"))

    def last(self, x: Tensor) -> Tensor:
        """The newest state [N, C, *grid] of each stack [N, frames C, *grid]; of examples that are no stack, all of x."""
        return x if self.frames == 1 else x[:, -(x.shape[1] // self.frames) :]

    def answer_shape(self, x: Tensor) -> tuple[int, ...]:
        """Of the answers to `x`: one state for each stack."""
        if self.answer is not None:
            return (len(x), *self.answer)
        return (len(x), x.shape[1] // self.frames, *x.shape[2:])

    def blank(self, x: Tensor) -> Tensor:
        """An empty tensor like the answers to `x`, which may hold whole numbers."""
        return torch.empty(self.answer_shape(x), dtype=self.dtype, device=x.device)

    def outputs(self, x: Tensor) -> int:
        """Numbers in the answers to `x`."""
        return math.prod(self.answer_shape(x))

    def __call__(self, parameters: Parameters, state: Tensor) -> Tensor:
        """The model at other parameters, states [B, C, X, Y]."""
        if self.complex:
            parameters = {k: torch.complex(p[..., 0], p[..., 1]) if k in self.complex else p for k, p in parameters.items()}
        # Ties are named here: torch would look for them inside the transform, which modules that hash by their buffers (escnn) do not bear.
        parameters = parameters | {name: parameters[first] for name, first in self.ties}
        return torch.func.functional_call(self.module, (parameters, self.buffers), (state,), tie_weights=False)


def check_module(module: nn.Module, state: Tensor, answer: tuple[int, ...] | None = None) -> None:
    """Raise `OrbitscopeError` unless the model can be probed on some states.

    It has to be without batch statistics and dropout, to give one finite answer of the same shape, whatever else is in the batch, and to
    leave its input alone. A model that sees several states (`nn.frames_of`) gets them stacked along channels and answers with one.

    * `module`: the network.
    * `state`: [B, C, X, Y], or [B, frames C, X, Y].
    * `answer`: the shape of one answer where it is no state; None: that of a state.
    """
    frames = frames_of(module)
    if meta := [name for name, p in (*module.named_parameters(), *module.named_buffers()) if p.is_meta]:
        raise OrbitscopeError(
            f"model: {meta[0]} is on the meta device and has no values. Load the weights first: model.to_empty(...), then load_state_dict."
        )
    expected = (len(state), state.shape[1] // frames, *state.shape[2:]) if answer is None else (len(state), *answer)
    for name, part in module.named_modules():
        label = f"{name or 'the model'} ({type(part).__name__})"
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and (part.training or not part.track_running_stats):
            raise OrbitscopeError(
                f"model: {label} normalises over the batch, so an example's output depends on the others. "
                "Call model.eval() to use its running statistics, or train with GroupNorm instead."
            )
        if isinstance(part, nn.modules.dropout._DropoutNd) and part.training and part.p > 0:
            raise OrbitscopeError(f"model: {label} is active, so two answers differ. Call model.eval(), or set its p to 0.")
    given = state.clone()
    first = _forward(module, given, frames)
    if not torch.equal(given, state):
        raise OrbitscopeError("model: forward writes into its input. Work out of place: x = x + 1, not x += 1; F.relu(x), not F.relu_(x).")
    if not isinstance(first, Tensor) or tuple(first.shape) != expected:
        came = tuple(first.shape) if isinstance(first, Tensor) else type(first).__name__
        what = "states to states of the same shape" if frames == 1 else f"{frames} states, stacked along channels, to the next one"
        raise OrbitscopeError(
            f"model: it should map {what}; {tuple(state.shape)} gave {came}, not {expected}. "
            f"Wrap it in a module that selects the channels and the time step: `orbitscope.adapt(model, axes=..., out=...)`.{_hint(frames)}"
        )
    if not first.is_floating_point():
        raise OrbitscopeError(
            f"model: its answer should be real floating-point numbers, got {first.dtype}. Take the real part, or cast it."
        )
    if not bool(torch.isfinite(first).all()):
        raise OrbitscopeError("model: its output holds NaN or infinite values on the data. Check the weights and the units of the data.")
    second = _forward(module, state, frames)
    if not torch.equal(first, second):
        gap = float((first - second).abs().max())
        raise OrbitscopeError(
            f"model: two calls on one input differ by up to {gap:.3g}, so nothing can be measured to better than that. "
            "Switch off its randomness (dropout, sampling, non-deterministic kernels: torch.use_deterministic_algorithms), or take the "
            "same draws each time: `orbitscope.adapt(model, randomness='seeded')`. What the module keeps from one call to the next (the "
            "hidden state of a recurrent network) starts anew in every forward, or goes into the input."
        )
    alone = _forward(module, state[:1], frames)
    gap, size = float((first[:1] - alone).abs().max()), float(first.abs().max())
    if gap > 1e3 * torch.finfo(first.dtype).eps * size:
        raise OrbitscopeError(
            f"model: the answer to a state changes by {gap:.3g} (of {size:.3g}) with what else is in the batch. Normalise over channels "
            "or space instead of over the batch."
        )


def _forward(module: nn.Module, state: Tensor, frames: int) -> Any:
    try:
        with torch.no_grad():
            return module(state)
    except OrbitscopeError:
        raise
    except Exception as error:  # forward is somebody's code and may raise anything
        hint = _hint(frames) if isinstance(error, RuntimeError | ValueError | IndexError | AssertionError) else _CALL
        if isinstance(module, torch.fx.GraphModule):
            hint += " If the model was exported for one batch size, export it with a dynamic batch dimension (torch.export.Dim)."
        words = str(error).strip().splitlines() or [""]
        if re.search(r"\bhalf\b|float16", words[0], re.IGNORECASE):  # one operand in a format that was never given to the module
            hint = _SHORT
        raise OrbitscopeError(
            f"model: it fails on a batch of shape {tuple(state.shape)}: {type(error).__name__}: {words[0]}{hint}"
        ) from error


def _ties(module: nn.Module, known: dict[str, Tensor]) -> tuple[tuple[str, str], ...]:
    """(other name, name in `known`) of the parameters that several places hold; a module that stands in several places is one place."""
    first: dict[int, str] = {}
    places: set[tuple[int, str]] = set()
    ties = []
    for name, p in module.named_parameters(remove_duplicate=False):
        path, _, attribute = name.rpartition(".")
        place = (id(functools.reduce(getattr, filter(None, path.split(".")), module)), attribute)  # scripted ones have no get_submodule
        if place not in places and first.setdefault(id(p), name) != name and first[id(p)] in known:
            ties.append((name, first[id(p)]))
        places.add(place)
    return tuple(ties)


_SHORT = (
    " Its forward casts to a shorter format, but it is measured in float32 (float64 where its weights are): cast to the dtype of the "
    "weights (`x.to(self.weight.dtype)`), or leave the cast to autocast."
)
_CALL = (
    " It is called with one tensor [N, channel, *grid], and nothing else: `orbitscope.adapt(model, kwargs=...)` gives it what else it "
    "needs."
)


def _ready(module: nn.Module) -> nn.Module:
    """The module out of a wrapper for several devices, in float32 where it is in a shorter format; raises for one without shapes."""
    if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        module = module.module
    if isinstance(module, torch.jit.ScriptModule):  # torch calls those with other weights only inside a plain module
        held = nn.Sequential(module).train(module.training)
        held.__dict__["frames"] = frames_of(module)
        module = held
    if lazy := [n for n, p in module.named_parameters() if isinstance(p, nn.parameter.UninitializedParameter)]:
        raise OrbitscopeError(f"model: {lazy[0]} has no shape yet. Call the model once on a state (lazy modules), then probe it.")
    if any(p.dtype in (torch.bfloat16, torch.float16) for p in module.parameters()):
        # Gradients in 8 or 11 bits span a few directions only; the weights are the same numbers in float32.
        frames, module = frames_of(module), to_precision(copy.deepcopy(module), torch.float32)
        if frames_of(module) != frames:
            module.frames = frames  # pyright: ignore[reportArgumentType]
    return module


def _hint(frames: int) -> str:
    if frames > 1:
        return f" It says that it sees {frames} states (`frames`); is that the number that it was made for?"
    return " If it sees several past states, say how many: model.frames = 2, or --frames 2."


def doubled(module: nn.Module) -> nn.Module:
    """A copy in float64; raises what torch raises for a module that cannot be converted."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's, about its own way of copying an exported module
        found = to_precision(copy.deepcopy(module), torch.float64)
    if frames_of(found) != frames_of(module):
        found.frames = frames_of(module)  # pyright: ignore[reportArgumentType]  # a copy of an exported module has lost what was set on it
    return found

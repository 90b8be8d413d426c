"""States that are one tensor or a tuple of tensors, with examples along the first axis of each."""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

State: TypeAlias = Any
"""One tensor [N, ...], or a tuple of tensors, the parts of a state, each [N, ...]."""


def mapped(function: Callable[..., Tensor], state: State) -> State:
    """`function` of each tensor of a state."""
    return function(state) if isinstance(state, Tensor) else tuple(function(part) for part in state)


def parts(state: State) -> tuple[Tensor, ...]:
    """The tensors of a state."""
    return (state,) if isinstance(state, Tensor) else tuple(state)


def called(module: Callable[..., State], state: State) -> State:
    """A map of one state: its parts are its arguments."""
    return module(state) if isinstance(state, Tensor) else module(*state)


def floats_to(state: State, dtype: torch.dtype) -> State:
    """The floating-point tensors of a state in another precision; whole numbers, such as classes and edges, as they are."""
    return mapped(lambda t: t.to(dtype) if t.is_floating_point() else t, state)

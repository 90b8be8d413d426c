"""States that are one tensor or a tuple of tensors, with examples along the first axis of each."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

State: TypeAlias = Any
"""One tensor [N, ...], or a tuple of tensors, the parts of a state, each [N, ...]. What comes out is what went in."""


def mapped(function: Callable[..., Tensor], *states: State) -> State:
    """`function` of each tensor of a state, or of the tensors of several states part by part.

    * `states`: of equally many parts.
    """
    if isinstance(states[0], Tensor):
        return function(*states)
    return tuple(function(*parts) for parts in zip(*states, strict=True))


def parts(state: State) -> tuple[Tensor, ...]:
    """The tensors of a state.

    * `state`: one tensor [N, ...], or a tuple of them.
    """
    return (state,) if isinstance(state, Tensor) else tuple(state)


def length(state: State) -> int:
    """Number of examples.

    * `state`: one tensor [N, ...], or a tuple of them.
    """
    return len(parts(state)[0])


def joined(states: Sequence[State]) -> State:
    """The examples of several states, one after the other.

    * `states`: of equal parts, which differ in the number of examples only.
    """
    if isinstance(states[0], Tensor):
        return torch.cat([s for s in states if isinstance(s, Tensor)])
    return tuple(torch.cat(some) for some in zip(*states, strict=True))


def chunks(state: State, size: int) -> Iterator[State]:
    """At most `size` examples at a time.

    * `state`: one tensor [N, ...], or a tuple of them.
    """
    for start in range(0, length(state), size):
        yield taken(state, slice(start, start + size))


def taken(state: State, index: slice | Tensor | Sequence[int]) -> State:
    """Some of the examples.

    * `state`: one tensor [N, ...], or a tuple of them.
    * `index`: of the examples, along the first axis.
    """
    return mapped(lambda t: t[index], state)


def flattened(state: State) -> Tensor:
    """All numbers of each example, [N, F].

    * `state`: one tensor [N, ...], or a tuple of them.
    """
    return torch.cat([p.flatten(1) for p in parts(state)], 1)


def called(module: Callable[..., State], state: State) -> State:
    """A map of one state: its parts are its arguments.

    * `module`: the map; parts of a state are its arguments.
    * `state`: one tensor [N, ...], or a tuple of them.
    """
    return module(state) if isinstance(state, Tensor) else module(*state)

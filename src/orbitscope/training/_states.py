"""The precision of states that are one tensor or a tuple of tensors."""

import torch

from ..symmetry import State, mapped


def floats_to(state: State, dtype: torch.dtype) -> State:
    """The floating-point tensors of a state in another precision; whole numbers, such as classes and edges, as they are."""
    return mapped(lambda t: t.to(dtype) if t.is_floating_point() else t, state)

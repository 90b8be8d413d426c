"""The search space from words: which group, and how it moves inputs and answers."""

from typing import Any

from torch import Tensor

from .._errors import OrbitscopeError
from .._expect import shown
from ..data import Examples
from ..symmetry import Action, Classes, Field, FieldAction, Group, Invariant, Layout, LieGroup, Points, State, Symmetry, Values, parse_group
from ..symmetry import representation as named


def hypothesis(words: str | LieGroup[Any] | Symmetry, examples: Examples, output: str | Action[Any] = "invariant") -> Symmetry:
    r"""The search space: a group, acting on the vectors [N, n] or point sets [N, points, n] of `examples`, and on their answers.

    * `words`: "gl2", "sl3", "aff2", "so3", "lorentz", any `LieGroup`, or a `Symmetry`, which is returned as it is. A group of affine maps
      moves points, $p \mapsto A p + b$, one of linear maps vectors, $v \mapsto A v$.
    * `output`: "invariant" (no motion changes the answers; class numbers too), "vector" (answers [N, n] or [N, points, n] move as the
      inputs do, without the translation), "point" (with it), or an action.

    Raises `OrbitscopeError` for a group of another dimension than the inputs, a group without an algebra, and other inputs.

    >>> import torch
    >>> hypothesis("gl2", Examples(torch.randn(4, 2), torch.randn(4, 1)))
    Symmetry(GL(2): x_0, x_1 -> value0)
    """
    if isinstance(words, Symmetry):
        return words
    group = search_space(words)
    return acting(group, group.homogeneous, examples, output)


def acting(group: Group[Any], homogeneous: bool, examples: Examples, output: str | Action[Any]) -> Symmetry:
    """`group`, of affine maps where `homogeneous`, on `examples` as in `hypothesis`, with `output`; it may be a finite group too."""
    into = _acting(examples.x, group, "x", homogeneous)
    return Symmetry(group, into, output if isinstance(output, Action) else _output(output, examples, group))


def search_space(words: str | LieGroup[Any]) -> LieGroup[Any]:
    """The group of `words` ("gl2", "aff2", ...), or itself; raises `OrbitscopeError` for one without an algebra."""
    group = parse_group(words) if isinstance(words, str) else words
    if not isinstance(group, LieGroup):
        raise OrbitscopeError(
            f"hypothesis: should be words such as 'gl2', 'aff2', 'so3' or 'lorentz', a LieGroup or a Symmetry, got {shown(words)}, "
            "which has no algebra to search."
        )
    return group


def _output(word: str, examples: Examples, group: Group[Any]) -> Action[Any]:
    if word == "invariant":
        y = examples.y
        if isinstance(y, Tensor) and not y.is_floating_point():
            return Classes(max(2, int(y.max()) + 1))
        return Invariant(sum(p[0].numel() for p in (y if isinstance(y, tuple) else (y,))))
    if word in ("vector", "point"):
        return _acting(examples.y, group, "y", word == "point")
    raise OrbitscopeError(f"output: should be 'invariant', 'vector', 'point' or an action, got {word!r}.")


def _acting(state: State, group: Group[Any], what: str, point: bool) -> FieldAction:
    n = group.ndim
    if not isinstance(state, Tensor) or state.ndim not in (2, 3) or not state.is_floating_point():
        shape = tuple(state.shape) if isinstance(state, Tensor) else f"{len(state)} tensors"
        raise OrbitscopeError(
            f"hypothesis: {what} should be vectors [N, {n}] or point sets [N, points, {n}], got {shape}. For other states say how the "
            "group moves them: hypothesis=Symmetry(group, input, output)."
        )
    if state.shape[-1] != n:
        raise OrbitscopeError(
            f"hypothesis: {group.name} acts on {n} numbers, and {what} has {state.shape[-1]} in its last axis. Name a group of that "
            "dimension."
        )
    layout = Layout((Field(what, named("point" if point else f"standard({n})")),), ndim=n)
    return FieldAction(layout, Points() if state.ndim == 3 else Values())

"""Motions by a group element per example, differentiable in the element: what a learnt basis of an algebra needs."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from .._errors import OrbitscopeError
from ..symmetry import Action, Charts, Classes, Domain, FieldAction, Invariant, LieGroup, Nodes, PartsAction, Patch, Points, State, Values
from ._problem import Array

Carry: TypeAlias = Callable[[Tensor, State], State]
_STEP = 0.25  # size of the element whose logarithm gives a rate: far inside the principal branch


def carry(action: Action[Any], group: LieGroup[Any], basis: Array, start: Any = None) -> Carry:
    r"""The map (coefficients a, state s) -> $e^{\sum_i a_i X_i} c\, s$ of `action`, differentiable in a and in s.

    * `action`: fields on vectors, points, nodes, patches or charts of these, invariant answers, or parts of such.
    * `group`: whose elements the action knows. `basis`: the $X_i$, [m, N, N]. `start`: the element c, by default the identity.

    The map takes a [N, m], one element for each example, or [N, chart, m], one for each chart of each example. Layouts are moved in the
    representation, $\rho(e^X) = e^{\rho'(X)}$, which holds in the identity component; patches by the interpolation of the patch. Raises
    `OrbitscopeError` for another action.
    """
    if isinstance(action, Invariant | Classes):
        return lambda coefficients, state: state if start is None else action(start, state)
    if isinstance(action, PartsAction) and not action.parted:
        parts = [carry(a, group, basis, start) for a in action.actions]
        return lambda coefficients, state: tuple(one(coefficients, s) for one, s in zip(parts, state, strict=True))
    if isinstance(action, FieldAction):
        return _of_fields(action, group, basis, start)
    raise OrbitscopeError(
        f"hypothesis: `atlas` moves fields on vectors, points, patches and charts, and invariant answers, not by {type(action).__name__}. "
        "The method `gradient` takes any action."
    )


def inside(action: Action[Any], group: LieGroup[Any], basis: Array, start: Any = None) -> Callable[[Tensor], Tensor | None]:
    """The map from coefficients [..., m] to where moved answers of `action` are defined, bool [..., 1, *shape]; None for everywhere."""
    patch = _patch(action.domain) if isinstance(action, FieldAction) else None
    if patch is None:
        return lambda coefficients: None
    matrices, n, before = torch.tensor(basis), patch.axes, _undone(group, start)
    half = torch.tensor([(p - 1) / 2 * h for p, h in zip(patch.shape, patch.steps, strict=True)], dtype=torch.float64)

    def found(coefficients: Tensor) -> Tensor:
        back = before @ torch.linalg.matrix_exp(-torch.tensordot(coefficients.detach(), matrices, 1))
        sources = back[..., :n, :n] @ patch.coordinates.flatten(1)
        sources = sources + back[..., :n, n:] if back.shape[-1] > n else sources
        kept = (sources.abs() <= half[:, None] * (1 + 1e-9)).all(-2)
        return kept.unflatten(-1, patch.shape).unsqueeze(-patch.axes - 1)

    return found


def _of_fields(action: FieldAction, group: LieGroup[Any], basis: Array, start: Any) -> Carry:
    rates = torch.as_tensor(np.array([_rate(action, group, x) for x in basis]))
    matrices, size, patch = torch.tensor(basis), action.layout.channels, _patch(action.domain)
    axis, before = action.domain.channel, _undone(group, start)
    first = torch.tensor(_mixing(action, group.identity if start is None else start))

    def moved(coefficients: Tensor, state: State) -> State:
        lead = coefficients.shape[:-1]
        mix = torch.linalg.matrix_exp(torch.tensordot(coefficients, rates, 1)) @ first
        flat = state.movedim(axis, -1)
        rows = flat.reshape(*lead, -1, size) @ mix[..., :size, :size].mT
        if mix.shape[-1] > size:
            rows = rows + mix[..., None, :size, size]
        mixed = rows.reshape(flat.shape).movedim(-1, axis)
        if patch is None:
            return mixed
        back, n = before @ torch.linalg.matrix_exp(-torch.tensordot(coefficients, matrices, 1)), patch.axes
        return patch.carried(back[..., :n, :n], mixed, back[..., :n, n] if back.shape[-1] > n else None)

    return moved


def _rate(action: FieldAction, group: LieGroup[Any], generator: Array) -> Array:
    """How the channels mix under the infinitesimal motion `generator`, with the offset of affine fields in a last column."""
    step = _STEP / max(float(np.linalg.norm(generator, 2)), 1e-300)
    return np.asarray(np.real(scipy.linalg.logm(_mixing(action, group.exp(step * generator)))), dtype=np.float64) / step


def _mixing(action: FieldAction, element: Any) -> Array:
    """How the channels mix under `element`, with the offset of affine fields in a last column."""
    mix, offset = action.layout.matrix(element), action.layout.offset(element)
    if offset is None:
        return mix
    return np.block([[mix, offset[:, None]], [np.zeros((1, len(mix))), np.ones((1, 1))]])


def _undone(group: LieGroup[Any], start: Any) -> Tensor:
    """The inverse of the matrix of `start`."""
    return torch.tensor(np.linalg.inv(group.matrix(group.identity if start is None else start)))


def _patch(domain: Domain) -> Patch | None:
    """The patch that is moved; None where only channels mix."""
    inner = domain.domain if isinstance(domain, Charts) else domain
    if isinstance(inner, Patch):
        return inner
    if isinstance(inner, Values | Points | Nodes):
        return None
    raise OrbitscopeError(f"hypothesis: `atlas` moves values, points, nodes and patches, not {type(inner).__name__}.")

"""Which motions about the origin leave some tensors alone: their stabiliser in O(3), found and named."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from .._errors import OrbitscopeError
from ._lie_groups import haar_rotation, rotation_algebra
from ._rotational import RotationIrrep, rotation_generators, rotation_vector
from ._schoenflies import schoenflies

Matrix = NDArray[np.float64]
Tensors = dict[tuple[str, int], Matrix]  # by irrep and number of the copy
_STARTS, _STEPS, _SAME, _MOST = 512, 14, 0.2, 120
_CONTINUOUS = {(False, False, False): "C∞", (True, False, False): "D∞", (False, True, False): "C∞h", (False, False, True): "C∞v"}


@dataclass(frozen=True, eq=False)
class Stabiliser:
    r"""The subgroup H of O(3) that leaves some tensors alone.

    * `name`: Schoenflies symbol: C1, Cs, D4h, ...; C∞v (a direction), D∞h (an axis), C∞h (a sense of turning); O(3), SO(3).
    * `axes`: pairs (order, unit vector [3]) of its rotations, highest order first; order 0 is the continuous axis; of Cs the normal.
    * `elements`: all of a finite group [N, 3, 3]; of a continuous one an element of each component.
    * `algebra`: the infinitesimal rotations that it holds [k, 3], axis times rate: none, one or three.
    * `tolerance`: to which they were looked for. `error`: the largest change $\|D(h) v - v\| / \|v\|$ over its elements: how well it holds.
    """

    name: str
    axes: tuple[tuple[int, Matrix], ...]
    elements: Matrix
    algebra: Matrix
    error: float
    tolerance: float = 0.0

    def invariants(self, name: str) -> Matrix:
        r"""Orthonormal rows that span what H leaves alone in one irrep, [count, 2 l + 1]; count is $\frac{1}{|H|} \sum_h \chi(h)$.

        * `name`: of the irrep, such as "2e".
        """
        rep = _irrep(name)
        rates = [np.tensordot(w, rotation_generators(rep.degree), 1) for w in self.algebra]
        rows = np.concatenate([*rates, *(rep.matrix(g) - np.eye(rep.size(3)) for g in self.elements)])
        _, values, basis = np.linalg.svd(rows)
        # Learnt elements are good to a degree or so: what they move is moved by more.
        return basis[values < 0.3]


def stabiliser(tensors: Mapping[str, ArrayLike], tolerance: float = 1e-2, seed: int = 0) -> Stabiliser:
    r"""The elements of O(3) with $\|D(g) v - v\| \le \epsilon \|v\|$ for tensors v of several irreps together, named.

    * `tensors`: irrep -> components, such as {"1o": [0, 0, 1], "2e": [...]}, in the basis of `RotationIrrep`, several tensors of an
      irrep end to end; 0e is never moved.
    * `tolerance`: $\epsilon$, dimensionless; smaller singular values of the infinitesimal action, relative to $\|v\|$, count as 0.
    * `seed`: of the rotations from which the search starts.

    First the Lie algebra: the null space of $\omega \mapsto \omega \cdot G\, v$ by singular values. Where it is trivial the group is
    finite: Gauss-Newton iterations on $\|D(R) v \mp v\|^2$ from 512 random rotations, and products of what they find. Groups that only
    hold to more than the tolerance are not found; a tolerance above a real breaking hides it. Where what holds to it is no group (of a
    breaking of about that size), a tenth of it is taken, up to three times; the result says which. Raises `OrbitscopeError` for an
    unknown irrep, a wrong number of components, and where that finds no point group either.

    >>> stabiliser({"1o": [0.0, 0.0, 2.0]}).name, stabiliser({"1e": [0.0, 0.0, 2.0]}).name, stabiliser({}).name
    ('C∞v', 'C∞h', 'O(3)')
    """
    known = {(name, copy): v for name, given in tensors.items() for copy, v in enumerate(_components(name, given)) if name != "0e"}
    size = float(np.sqrt(sum(float(v @ v) for v in known.values())))
    if size == 0.0:
        return Stabiliser("O(3)", (), np.stack([np.eye(3), -np.eye(3)]), np.eye(3), 0.0, tolerance)
    scaled = {name: v / size for name, v in known.items()}
    action = np.concatenate([(rotation_generators(_irrep(n).degree) @ v).T for (n, _), v in scaled.items()])  # [components, 3]
    _, values, basis = np.linalg.svd(action)
    free = basis[np.append(values, np.zeros(3 - len(values))) <= tolerance]
    if len(free) == 3:
        inverted = _change(scaled, -np.eye(3)) <= tolerance
        elements = np.stack([np.eye(3), -np.eye(3)]) if inverted else np.eye(3)[None]
        return Stabiliser("O(3)" if inverted else "SO(3)", (), elements, free, _worst(scaled, elements), tolerance)
    if len(free):
        return _continuous(scaled, basis[-1], tolerance)
    for tenth in range(4):
        closer = tolerance / 10**tenth
        try:
            elements = _closed(scaled, _search(scaled, closer, seed), closer)
            name, axes = schoenflies(list(elements))
            return Stabiliser(name, axes, elements, np.zeros((0, 3)), _worst(scaled, elements), closer)
        except OrbitscopeError:  # some elements of a group that nearly holds are no group
            if tenth == 3:
                raise
    raise AssertionError("the last turn returns or raises")


def _continuous(tensors: Tensors, axis: Matrix, tolerance: float) -> Stabiliser:
    """All turns about one axis, and which of a half turn across it, the inversion and a mirror through it."""
    axis = axis * np.sign(axis[np.argmax(np.abs(axis) > 0.3)])
    across = np.linalg.svd(axis[None])[2][1]
    half = 2 * np.outer(across, across) - np.eye(3)
    candidates = np.stack([half, -np.eye(3), -half])
    holds = [_change(tensors, g) <= tolerance for g in candidates]
    elements = np.concatenate([np.eye(3)[None], candidates[holds]])
    name = _CONTINUOUS.get((holds[0], holds[1], holds[2]), "D∞h")
    return Stabiliser(name, ((0, axis),), elements, axis[None], _worst(tensors, elements), tolerance)


def _search(tensors: Tensors, tolerance: float, seed: int) -> list[Matrix]:
    """Elements found from random starts, the identity first."""
    rng = np.random.default_rng([seed, 0x57AB])
    starts = np.stack([np.eye(3), *(haar_rotation(3, rng) for _ in range(_STARTS))])
    found: list[Matrix] = []
    for sign in (1.0, -1.0):
        for rotation, change in zip(*_refined(tensors, starts, sign), strict=True):
            if change <= tolerance and not _listed(found, sign * rotation):
                found.append(sign * rotation)
    return found


def _refined(tensors: Tensors, starts: Matrix, sign: float) -> tuple[Matrix, Matrix]:
    r"""Rotations [B, 3, 3] near `starts` that change the tensors least, times the inversion for `sign` -1; and by how much, [B]."""
    rates = {n: torch.as_tensor(rotation_generators(_irrep(n[0]).degree)) for n in tensors}
    target = {n: torch.as_tensor(v) * (sign if n[0].endswith("o") else 1.0) for n, v in tensors.items()}
    algebra, turns = torch.as_tensor(rotation_algebra(3)), torch.tensor(np.stack([rotation_vector(r) for r in starts]))
    rotations = torch.as_tensor(starts)
    moved = {n: (_exp(turns, rates[n]) @ torch.as_tensor(v)) for n, v in tensors.items()}
    for _ in range(_STEPS):
        gap = torch.cat([moved[n] - target[n] for n in tensors], 1)
        slope = torch.cat([torch.einsum("kab,nb->nak", rates[n], moved[n]) for n in tensors], 1)
        normal = slope.mT @ slope + 1e-9 * torch.eye(3, dtype=slope.dtype)
        step = -torch.linalg.solve(normal, (slope.mT @ gap[..., None])[..., 0])
        step = step * (0.5 / step.norm(dim=1, keepdim=True).clamp_min(0.5))
        moved = {n: (_exp(step, rates[n]) @ moved[n][..., None])[..., 0] for n in tensors}
        rotations = _exp(step, algebra) @ rotations
    left = torch.cat([moved[n] - target[n] for n in tensors], 1).norm(dim=1)
    return rotations.numpy(), left.numpy()


def _exp(turns: Tensor, rates: Tensor) -> Tensor:
    return torch.linalg.matrix_exp(torch.einsum("nk,kab->nab", turns, rates))


def _closed(tensors: Tensors, found: list[Matrix], tolerance: float) -> Matrix:
    """With all products that hold to twice the tolerance."""
    at = 0
    while at < len(found):
        for other in list(found):
            product = found[at] @ other
            if not _listed(found, product) and _change(tensors, product) <= 2 * tolerance:
                found.append(product)
        at += 1
        if len(found) > _MOST:
            raise OrbitscopeError(f"stabiliser: more than {_MOST} elements hold to {tolerance}. Lower `tolerance`.")
    return _polished(tensors, np.array(found))


def _polished(tensors: Tensors, found: Matrix) -> Matrix:
    """The same elements after more iterations, the identity as it is: products of what was nearly found add up errors."""
    for sign in (1.0, -1.0):
        mine = np.flatnonzero(np.linalg.det(found) * sign > 0)
        if len(mine):
            found[mine] = sign * _refined(tensors, np.stack([_exactly(sign * found[k]) for k in mine]), sign)[0]
    found[0] = np.eye(3)
    return found


def _listed(found: list[Matrix], element: Matrix) -> bool:
    return bool(found) and bool(np.min(np.linalg.norm(np.array(found) - element, axis=(1, 2))) < _SAME)


def _change(tensors: Tensors, element: Matrix) -> float:
    return float(np.sqrt(sum(float(np.sum((_irrep(n).matrix(_exactly(element)) @ v - v) ** 2)) for (n, _), v in tensors.items())))


def _exactly(element: Matrix) -> Matrix:
    """The orthogonal matrix nearest to a product of many."""
    u, _, v = np.linalg.svd(element)
    return u @ v


def _worst(tensors: Tensors, elements: Matrix) -> float:
    return max(_change(tensors, g) for g in elements)


def _irrep(name: str) -> RotationIrrep:
    if not name[:-1].isdigit() or name[-1:] not in ("e", "o"):
        raise OrbitscopeError(f"stabiliser: {name!r} is no irrep of O(3); those are 0e, 0o, 1e, 1o, 2e, ...")
    return RotationIrrep(int(name[:-1]), name[-1] == "o")


def _components(name: str, given: ArrayLike) -> Matrix:
    """The tensors of an irrep, [copy, component]."""
    values, size = np.asarray(given, dtype=np.float64).reshape(-1), _irrep(name).size(3)
    if not len(values) or len(values) % size or not np.isfinite(values).all():
        raise OrbitscopeError(f"stabiliser: {name} has {size} finite components (or a multiple, for several), got {values.tolist()}.")
    return values.reshape(-1, size)

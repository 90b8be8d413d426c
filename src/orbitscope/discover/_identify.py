"""The name of an algebra, up to change of basis: from its structure constants and from what its matrices keep."""

from dataclasses import dataclass

import numpy as np

from ..symmetry import LieGroup
from ._problem import Array

_LOOSE = 0.1  # relative size below which a singular value counts as zero, at least; wider where the span is uncertain


@dataclass(frozen=True, eq=False)
class Identification:
    """What algebra a span of matrices is.

    * `name`: so(2), so(1,3), sl(2), gl(2), aff(1), heisenberg, ...; "no algebra" where brackets leave the span; "unknown" for one without
      a name here. It is the name up to a change of basis: so(2) may turn along ellipses.
    * `closure`: how far brackets leave the span (`LieGroup.closure_error`).
    * `killing`: numbers of positive, negative and vanishing eigenvalues of the Killing form.
    * `derived`: dimensions of the derived series. `centre`: dimension of the centre.
    * `metric`: the one symmetric matrix J with $X^\\top J + J X = 0$ for all X, of Frobenius norm 1; None where there is none or several.
    * `metric_error`: norm of $X^\\top J + J X$ for orthonormal X, root mean square.
    """

    name: str
    closure: float
    killing: tuple[int, int, int]
    derived: tuple[int, ...]
    centre: int
    metric: Array | None
    metric_error: float


def identify(algebra: Array, *, tolerance: float = 0.0, homogeneous: bool = False) -> Identification:
    """The name of the span of `algebra` [k, N, N].

    * `tolerance`: uncertainty of the span, a sine of an angle; what is smaller than three times it counts as zero.
    * `homogeneous`: whether the matrices are homogeneous ones of affine maps.
    """
    group = LieGroup("found", _orthonormal(algebra))
    loose = max(_LOOSE, 3 * tolerance)
    closure, k = group.closure_error(), group.size
    c = group.structure_constants
    size = max(float(np.linalg.norm(c)) / max(k, 1), 1e-12)
    values = np.linalg.eigvalsh(np.einsum("ijl,mlj->im", c, c)) if k > 1 else np.zeros(1)
    zero = loose * max(float(np.abs(values).max()), 1e-12)
    abelian = k == 1 or float(np.abs(c).max()) < loose
    killing = (int((values > zero).sum()), int((values < -zero).sum()), int((np.abs(values) <= zero).sum())) if not abelian else (0, 0, k)
    derived = (k,) if abelian and k == 1 else _derived(group.algebra, loose)
    centre = k if abelian else _centre(c, loose * size * k)
    metric, error = _metric(group.algebra, loose)
    name = "no algebra" if closure > max(loose, 0.15) * max(1, k - 1) ** 0.5 else ""
    name = name or _named(group.algebra, c, k, abelian, killing, derived, centre, metric, homogeneous, loose)
    return Identification(name, closure, killing, derived, centre, metric, error)


def principal_cosines(found: Array, other: Array) -> Array:
    """Cosines of the principal angles between the spans of `found` [k, N, N] and `other` [l, N, N], largest first, min(k, l) of them."""
    a, b = (np.linalg.qr(m.reshape(len(m), -1).T)[0] for m in (found, other))
    return np.clip(np.linalg.svd(a.T @ b, compute_uv=False), 0.0, 1.0)


def _named(
    algebra: Array, c: Array, k: int, abelian: bool, killing: tuple[int, int, int], derived: tuple[int, ...], centre: int,
    metric: Array | None, homogeneous: bool, loose: float,
) -> str:  # fmt: skip
    n = algebra.shape[1] - homogeneous
    if k == 1:
        return _single(algebra[0], homogeneous, loose)
    if abelian:
        return _abelian(algebra, homogeneous, loose)
    if metric is not None and not homogeneous and (name := _keeps(metric, k, n)):
        return name
    if killing[2] == 0:
        return _semisimple(killing, k, n)
    if not homogeneous and k == n * n:
        return f"gl({n})"
    if k == 2:
        return "aff(1)"
    if derived[-1] == 0:
        return _solvable(c, k, derived, centre, loose)
    return _with_radical(killing, k, derived, centre, n, homogeneous)


def _single(x: Array, homogeneous: bool, loose: float) -> str:
    """One generator, by its eigenvalues: they are the same in every basis, up to its size."""
    part = x[:-1, :-1] if homogeneous else x
    if homogeneous and np.linalg.norm(part) < loose * np.linalg.norm(x):
        return "translation"
    size = np.linalg.norm(part, 2)
    values = np.linalg.eigvals(part) / size
    power = np.linalg.norm(np.linalg.matrix_power(part / size, len(part)))
    if power < min(0.6 * loose if loose <= _LOOSE else 1.5 * loose, 0.3):  # a narrow ellipse is no shear
        return "shear"
    if np.linalg.norm(part / size - np.trace(part) / len(part) / size * np.eye(len(part))) < loose:
        return "scaling"
    real, imaginary = np.abs(values.real).max(), np.abs(values.imag).max()
    if real < loose * max(imaginary, 1e-12) ** 0.5 and imaginary > loose:
        turning = int((np.abs(values.imag) > loose).sum()) // 2
        return "so(2)" if turning == 1 or len(part) == 2 else f"one generator, turning {turning} planes"
    if imaginary < loose * real and abs(values.real.sum()) < loose and (np.abs(values.real) > loose).sum() == 2:
        return "so(1,1)"
    return "one generator, spiral" if imaginary > loose else "one generator, stretching"


def _abelian(algebra: Array, homogeneous: bool, loose: float) -> str:
    """Commuting generators: how many turn a plane, how many stretch one against itself, and whether one scales all."""
    k = len(algebra)
    if homogeneous and np.linalg.norm(algebra[:, :-1, :-1]) < loose * np.linalg.norm(algebra):
        return f"translations({k})"
    scaled = _has(algebra, np.eye(algebra.shape[1]), loose)
    planes = boosts = 0
    for mix in np.random.default_rng(0).standard_normal((8, k)):  # one mixture may happen to turn a plane by little
        values = np.linalg.eigvals(np.tensordot(mix, algebra, 1))
        small = loose * max(np.abs(values).max(), 1e-12)
        planes = max(planes, int((values.imag > small).sum()))
        boosts = max(boosts, _opposite(values[np.abs(values.imag) <= small].real - scaled * values.real.mean(), small))
    if planes + boosts >= 1 and planes + boosts + scaled == k:
        return " + ".join(["so(1,1)"] * boosts + ["so(2)"] * planes + ["scaling"] * scaled)
    return f"abelian({k})"


def _opposite(values: Array, small: float) -> int:
    """How many pairs v, -v real numbers make; 0 where some have no partner."""
    up, down = np.sort(values[values > small]), np.sort(-values[values < -small])
    return len(up) if len(up) == len(down) and bool((np.abs(up - down) < small).all()) else 0


def _has(algebra: Array, x: Array, loose: float) -> bool:
    flat = np.linalg.qr(algebra.reshape(len(algebra), -1).T)[0]
    x = x.ravel() / np.linalg.norm(x)
    return bool(np.linalg.norm(x - flat @ (flat.T @ x)) < loose)


def _keeps(metric: Array, k: int, n: int) -> str:
    """All that keep a metric without a null direction: so(p,q) with p + q = n."""
    values = np.linalg.eigvalsh(metric)
    if np.abs(values).min() < 0.05 * np.abs(values).max() or k != n * (n - 1) // 2:
        return ""
    p = sorted(((values > 0).sum(), (values < 0).sum()))
    return f"so({n})" if p[0] == 0 else f"so({p[0]},{p[1]})"


def _semisimple(killing: tuple[int, int, int], k: int, n: int) -> str:
    table = {
        (0, 3): "so(3)", (2, 1): "sl(2)" if n == 2 else "so(1,2)", (3, 3): "so(1,3)", (0, 6): "so(4)", (4, 2): "so(2,2)",
        (5, 3): "sl(3)", (0, 8): "su(3)", (4, 6): "so(1,4)", (6, 4): "so(2,3)", (0, 10): "so(5)", (9, 6): "sl(4)",
    }  # fmt: skip
    return table.get(killing[:2], f"semisimple of dimension {k}")


def _solvable(c: Array, k: int, derived: tuple[int, ...], centre: int, loose: float) -> str:
    if k == 3 and derived == (3, 1, 0) and centre == 1 and np.abs(np.einsum("ijj->i", c)).max() < loose:
        return "heisenberg"
    if k == 3 and derived == (3, 1, 0) and centre == 1:
        return "aff(1) + abelian(1)"
    if k == 3 and derived == (3, 2, 0):
        # How the generator outside the derived algebra acts on it: turning, stretching two ways, or anything else.
        mixes = np.random.default_rng(1).standard_normal((16, 3))
        mixes /= np.linalg.norm(mixes, axis=1, keepdims=True)
        values = max((np.linalg.eigvals(np.einsum("i,ijl->lj", mix, c)) for mix in mixes), key=lambda v: float(np.abs(v).max()))
        values = values[np.argsort(-np.abs(values))][:2]
        if np.abs(values.imag).min() > 2.5 * np.abs(values.real).max():
            return "se(2)"
        if np.abs(values.imag).max() < loose * np.abs(values).max() and abs(values.real.sum()) < loose * np.abs(values).max():
            return "se(1,1)"
    return f"solvable of dimension {k}"


def _with_radical(killing: tuple[int, int, int], k: int, derived: tuple[int, ...], centre: int, n: int, homogeneous: bool) -> str:
    if centre == 1 and derived[-1] == k - 1:
        return f"{_semisimple((killing[0], killing[1], 0), k - 1, n)} + scaling"
    if homogeneous and k == n * n + n:
        return f"aff({n})"
    if k == 6 and killing[:2] in ((0, 3), (3, 0)) and centre == 0:
        return "se(3)"
    return f"algebra of dimension {k} with a Levi part of {killing[0] + killing[1]}"


def _derived(algebra: Array, loose: float) -> tuple[int, ...]:
    """Dimensions of the algebra, of its brackets, of theirs, and so on, until they stay."""
    found, at = [len(algebra)], algebra
    while True:
        brackets = np.array([x @ y - y @ x for i, x in enumerate(at) for y in at[:i]])
        flat = brackets.reshape(len(brackets), -1) if len(brackets) else np.zeros((0, at[0].size))
        values = np.linalg.svd(flat, compute_uv=False) if len(flat) else np.zeros(0)
        rank = int((values > loose * max(1.0, values.max(initial=0.0))).sum()) if values.max(initial=0.0) > loose else 0
        rank = min(rank, len(at))
        if rank == found[-1]:
            return tuple(found)
        found.append(rank)
        if rank == 0:
            return tuple(found)
        at = np.linalg.svd(flat, full_matrices=False)[2][:rank].reshape(rank, *algebra.shape[1:])


def _centre(c: Array, zero: float) -> int:
    return int((np.linalg.svd(c.reshape(len(c), -1), compute_uv=False) < zero).sum())


def _metric(algebra: Array, loose: float) -> tuple[Array | None, float]:
    """The symmetric J that all generators keep, if one stands out."""
    n = algebra.shape[1]
    pairs = [(i, j) for i in range(n) for j in range(i, n)]
    units = np.zeros((len(pairs), n, n))
    for p, (i, j) in enumerate(pairs):
        units[p, i, j] = units[p, j, i] = 1.0 if i == j else 0.5**0.5
    rows = np.stack([(np.swapaxes(algebra, 1, 2) @ u + u @ algebra).ravel() for u in units], 1) / len(algebra) ** 0.5
    _, values, right = np.linalg.svd(rows, full_matrices=True)
    values = np.append(values, np.zeros(max(0, len(pairs) - len(values))))
    if values[-1] > 2 * loose or (len(values) > 1 and values[-2] < 2 * max(values[-1], loose / 2)):
        return None, float(values[-1])
    metric = np.tensordot(right[-1], units, 1)
    return metric * (np.sign(np.trace(metric)) or 1.0), float(values[-1])


def _orthonormal(algebra: Array) -> Array:
    flat = algebra.reshape(len(algebra), -1)
    return np.linalg.svd(flat, full_matrices=False)[2].reshape(algebra.shape)

"""Axes that scatter about given directions by the Dimroth-Watson law."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import dawsn, erf, erfinv

from ..._errors import OrbitscopeError

Real = NDArray[np.float64]
_STEPS = 60


def concentration_of(strength: float) -> float:
    r"""The number of the law, $\kappa = -\tan(\pi \mu / 2)$: $p(\cos\theta) \propto e^{-\kappa \cos^2\theta}$.

    * `strength`: mu, from -1 (across the direction) over 0 (anywhere) to 1 (along it).
    """
    if not -1 <= strength <= 1:
        raise OrbitscopeError(f"axes_about: `strength` should be from -1 to 1, got {strength}.")
    return -float(np.tan(np.pi * strength / 2))


def watson_cosines(strength: float, uniform: ArrayLike) -> Real:
    r"""Cosines of the angle to the direction, from the inverse of the distribution function of the Dimroth-Watson law.

    * `strength`: mu (see `concentration_of`). `uniform`: numbers in (0, 1), of any shape; 1/2 is cosine 0, and the result rises with them.

    For $\kappa > 0$ the function is an error function. For $\kappa < 0$, $a = -\kappa$, it is $e^{a t^2} D(\sqrt a t) / (e^a D(\sqrt a))$
    with Dawson's integral D, whose logarithm is convex in log t: Newton's steps from t = 1 fall to the answer.
    """
    share = 2 * np.asarray(uniform, dtype=np.float64) - 1
    kappa = concentration_of(strength)
    if abs(kappa) > 1e12:  # mu is -1 or 1 to rounding
        return np.zeros_like(share) if kappa > 0 else np.where(share < 0, -1.0, 1.0)
    if abs(kappa) < 1e-8:
        return share
    root = np.sqrt(abs(kappa))
    if kappa > 0:
        return np.clip(erfinv(share * erf(root)) / root, -1, 1)
    wanted = root**2 + np.log(dawsn(root)) + np.log(np.maximum(np.abs(share), 1e-300))
    step = np.full(share.shape, np.log(root))
    for _ in range(_STEPS):
        y = np.exp(step)
        d = dawsn(y)
        change = (y * y + np.log(d) - wanted) * d / y
        step = step - change
        if np.all(np.abs(change) < 1e-13):
            break
    return np.sign(share) * np.minimum(np.exp(step) / root, 1.0)


def mean_square_cosine(strength: float) -> float:
    r"""Mean of $\cos^2\theta$ under the law: 1/3 without alignment, 1 along, 0 across.

    * `strength`: mu (see `concentration_of`).
    """
    kappa = concentration_of(strength)
    if abs(kappa) > 1e12:
        return 0.0 if kappa > 0 else 1.0
    if abs(kappa) < 1e-4:
        return 1 / 3 - 4 * kappa / 45
    root = np.sqrt(abs(kappa))
    if kappa > 0:
        return float(1 / (2 * kappa) - np.exp(-kappa) / (np.sqrt(np.pi * kappa) * erf(root)))
    return float(1 / (2 * root * dawsn(root)) + 1 / (2 * kappa))


def alignment_amplitude(strength: float) -> float:
    r"""$A = (3 \langle \cos^2 \theta \rangle - 1) / 2$ of the law: 1 along, 0 without alignment, -1/2 across.

    * `strength`: mu (see `concentration_of`).

    For axes e drawn about n with any azimuth, $\langle e e^T \rangle = \tfrac13 + A (n n^T - \tfrac13)$.
    """
    return (3 * mean_square_cosine(strength) - 1) / 2


def axes_about(directions: ArrayLike, strength: float, rng: np.random.Generator) -> Real:
    """Unit axes drawn about directions, with an angle of the Dimroth-Watson law and any azimuth, [N, 3].

    * `directions`: unit vectors, [N, 3]. `strength`: mu (see `concentration_of`). `rng`: of all draws.
    """
    n = np.asarray(directions, dtype=np.float64)
    cosine = _drawn_cosines(strength, len(n), rng)
    across = rng.standard_normal(n.shape)  # without its part along n: any azimuth alike
    across -= np.einsum("ij,ij->i", across, n)[:, None] * n
    length = np.sqrt(np.einsum("ij,ij->i", across, across))
    sine = np.sqrt(np.maximum(1 - cosine**2, 0)) / np.maximum(length, 1e-300)
    return cosine[:, None] * n + sine[:, None] * across


def _drawn_cosines(strength: float, count: int, rng: np.random.Generator) -> Real:
    """Cosines of the angle by the law, [N]: by the inverse for axes across; for axes along, which it would take Newton's steps for, by
    rejection of draws from exp(a t) on [0, 1], of which at least half are kept (Best and Fisher, Aust. J. Statist. 28, 13, 1986)."""
    a = -concentration_of(strength)
    if a <= 1e-8 or a > 1e12:
        return watson_cosines(strength, rng.uniform(size=count))
    found = np.empty(0)
    while (missing := count - len(found)) > 0:
        u, v, sign = rng.uniform(size=(3, int(2.1 * missing) + 8))
        t = np.maximum(1 + np.log1p(-u * -np.expm1(-a)) / a, 0.0)  # u = 0 is drawn, 1 is not
        kept = v <= np.exp(a * t * (t - 1))
        found = np.concatenate([found, np.where(sign < 0.5, -t, t)[kept]])
    return found[:count]

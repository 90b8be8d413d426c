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


def axes_about(directions: ArrayLike, strength: float, rng: np.random.Generator) -> Real:
    """Unit axes drawn about directions, with an angle of the Dimroth-Watson law and any azimuth, [N, 3].

    * `directions`: unit vectors, [N, 3]. `strength`: mu (see `concentration_of`). `rng`: draws two numbers for each.
    """
    n = np.asarray(directions, dtype=np.float64)
    cosine = watson_cosines(strength, rng.uniform(size=len(n)))[:, None]
    sine, angle = np.sqrt(np.maximum(1 - cosine**2, 0)), rng.uniform(0, 2 * np.pi, len(n))[:, None]
    smallest = np.eye(3)[np.argmin(np.abs(n), axis=1)] if len(n) else n
    u = np.cross(n, smallest)
    u /= np.maximum(np.linalg.norm(u, axis=1, keepdims=True), 1e-300)
    return cosine * n + sine * (np.cos(angle) * u + np.sin(angle) * np.cross(n, u))

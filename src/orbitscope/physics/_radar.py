"""Monostatic radar return of a perfectly conducting body, by physical optics on its triangles."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .._errors import OrbitscopeError

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]
_EVEN = 1e-12  # steps of evenly spaced wavenumbers differ by no more than this part


def physical_optics(
    triangles: ArrayLike, directions: ArrayLike, wavenumbers: ArrayLike, *, lit: ArrayLike | None = None, threads: int | None = None
) -> Complex:
    r"""Backscattered amplitude of a perfect conductor in physical optics, in closed form on every triangle, [direction, wavenumber].

    $$A(k, \hat k) = \frac{i k}{2 \pi} \sum_f (\hat n_f \cdot \hat k) \int_f e^{2 i k \hat k \cdot x}\, dA,
    \qquad \sigma = 4 \pi |A|^2$$

    over the faces that look towards the radar, $\hat n \cdot \hat k > 0$. A has the unit of a length; time goes as $e^{-i \omega t}$.

    * `triangles`: corners [face, 3, 3], counterclockwise seen from outside, in any unit of length.
    * `directions`: unit vectors from the body towards the radar, [direction, 3].
    * `wavenumbers`: k = 2 pi / wavelength, positive and ascending, in the inverse unit of length; evenly spaced ones are faster.
    * `lit`: [direction, face], False for faces in the shadow of others; None: no face shades another, which is right for convex bodies.
    * `threads`: directions are shared among so many; None: torch's number. The same bits for any.

    Cutting a flat face into others changes nothing beyond rounding. Where it fails: no edge diffraction, no second bounce, no creeping
    wave, so it holds for bodies much larger than the wavelength, away from grazing incidence. Raises `OrbitscopeError` for shapes, NaN,
    and directions that are no unit vectors.

    >>> plate = [[[0, 0, 0], [1, 0, 0], [1, 1, 0]], [[0, 0, 0], [1, 1, 0], [0, 1, 0]]]
    >>> amplitude = physical_optics(plate, [[0, 0, 1]], [2 * np.pi])  # wavelength 1: |A| = area / wavelength
    >>> round(float(abs(amplitude[0, 0])), 12)
    1.0

    Source: any text on radar cross sections, e.g. Knott, Shaeffer and Tuley, Radar Cross Section, chapter 5; the triangle as a divided
    difference is this package's.
    """
    corners = corners_of(triangles, "physical_optics")
    towards = _directions(directions)
    k = _wavenumbers(wavenumbers)
    shade = np.zeros((len(towards), 0), dtype=np.bool_) if lit is None else _lit(lit, len(towards), len(corners))
    from ._radar_kernel import accumulate  # numba

    weight = 0.5 * np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    steps = np.diff(k)
    even = len(k) > 2 and float(np.ptp(steps)) <= _EVEN * float(k[-1])
    step = float((k[-1] - k[0]) / (len(k) - 1)) if even else 0.0
    re, im = np.zeros((len(towards), len(k))), np.zeros((len(towards), len(k)))
    parts = max(1, min(threads or torch.get_num_threads(), len(towards)))
    edges = [len(towards) * i // parts for i in range(parts + 1)]

    def some(start: int, end: int) -> None:
        accumulate(corners, weight, towards[start:end], shade[start:end], k, step, re[start:end], im[start:end])

    if parts == 1:
        some(0, len(towards))
    else:
        with ThreadPoolExecutor(parts) as pool:
            list(pool.map(some, edges[:-1], edges[1:]))
    return 1j * k / (2 * np.pi) * (re + 1j * im)


def radar_cross_section(amplitude: ArrayLike) -> Real:
    r"""$\sigma = 4 \pi |A|^2$, in the unit of length squared.

    * `amplitude`: A of `physical_optics`, in the unit of length, any shape.
    """
    return 4 * np.pi * np.abs(np.asarray(amplitude)) ** 2


def range_profile(amplitude: ArrayLike, wavenumbers: ArrayLike, window: bool = True) -> tuple[Real, Complex]:
    r"""Ranges and the return by range: $p(r) = \frac{1}{K} \sum_k w_k A(k) e^{-2 i k r}$, r along the line of sight, larger = nearer.

    * `amplitude`: A, [..., wavenumber]. `wavenumbers`: evenly spaced, [wavenumber], in the inverse unit of length.
    * `window`: whether a Hann window of mean 1 is laid over the band, which keeps a strong return from hiding its neighbours.

    Returns the ranges, [wavenumber], in the unit of length, about the origin and ascending, and p, [..., wavenumber]. A band of width B
    resolves $\pi / (2 B)$, and ranges are known up to multiples of $\pi / \Delta k$. Raises `OrbitscopeError` for uneven wavenumbers.
    """
    k, a = _wavenumbers(wavenumbers), np.asarray(amplitude, dtype=np.complex128)
    if len(k) < 2 or np.ptp(np.diff(k)) > 1e-6 * k[-1]:
        raise OrbitscopeError("range_profile: `wavenumbers` should be evenly spaced, at least 2 of them.")
    if a.shape[-1:] != k.shape:
        raise OrbitscopeError(f"range_profile: `amplitude` has {a.shape[-1:]} wavenumbers on its last axis, `wavenumbers` {k.shape}.")
    n, step = len(k), float((k[-1] - k[0]) / (len(k) - 1))
    r = (np.arange(n, dtype=np.float64) - n // 2) * float(np.pi / (n * step))
    w = np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 * 2 if window else np.ones(n)
    return r, (a * w) @ np.exp(-2j * np.outer(k, r)) / n


def corners_of(triangles: ArrayLike, who: str) -> Real:
    """[face, 3, 3] in float64; raises `OrbitscopeError` that begins with `who`."""
    corners = np.ascontiguousarray(triangles, dtype=np.float64)
    if corners.ndim != 3 or corners.shape[1:] != (3, 3) or not len(corners):
        raise OrbitscopeError(f"{who}: `triangles` should be corners [face, 3, 3], got shape {corners.shape}.")
    if not np.isfinite(corners).all():
        n = int(np.flatnonzero(~np.isfinite(corners).all((1, 2)))[0])
        raise OrbitscopeError(f"{who}: `triangles` holds NaN or infinite values, first in face {n}.")
    return corners


def _directions(directions: ArrayLike) -> Real:
    towards = np.ascontiguousarray(directions, dtype=np.float64)
    if towards.ndim != 2 or towards.shape[1] != 3 or not np.isfinite(towards).all():
        raise OrbitscopeError(f"physical_optics: `directions` should be finite, [direction, 3], got shape {towards.shape}.")
    length = np.linalg.norm(towards, axis=1)
    if len(towards) and np.abs(length - 1).max() > 1e-9:
        raise OrbitscopeError(
            f"physical_optics: `directions` should be unit vectors, got lengths from {length.min():g} to {length.max():g}."
        )
    return towards


def _wavenumbers(wavenumbers: ArrayLike) -> Real:
    k = np.ascontiguousarray(wavenumbers, dtype=np.float64)
    if k.ndim != 1 or not len(k) or not np.isfinite(k).all() or (k <= 0).any() or (np.diff(k) <= 0).any():
        raise OrbitscopeError(
            f"physical_optics: `wavenumbers` should be positive and ascending, [wavenumber], got {np.asarray(wavenumbers)}."
        )
    return k


def _lit(lit: Any, directions: int, faces: int) -> NDArray[np.bool_]:
    shade = np.ascontiguousarray(lit, dtype=np.bool_)
    if shade.shape != (directions, faces):
        raise OrbitscopeError(f"physical_optics: `lit` should be [direction, face] = {(directions, faces)}, got {shade.shape}.")
    return shade

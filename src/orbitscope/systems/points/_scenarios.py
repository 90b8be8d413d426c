"""Scenarios on points: shapes that become other shapes, particles in fields, a pendulum, crystals, diffusion."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import expm

from ..._errors import OrbitscopeError
from ..._expect import shown
from ..._seed import derive
from ...data import Examples
from ...symmetry import special_orthogonal, spherical_harmonics
from ._about import point_examples

Array = NDArray[np.float64]
_CUBE = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)])
_TURNS = special_orthogonal(3).algebra
#: Half axes of what the unit cube becomes.
SHAPES = {"cube": (1.0, 1.0, 1.0), "prism": (0.5, 0.5, 2.0), "box": (0.6, 1.0, 1.6)}
#: Direction of the displacement of the B ion in the phases of a perovskite.
PHASES = {"Pm-3m": (0.0, 0.0, 0.0), "P4mm": (0.0, 0.0, 1.0), "Amm2": (0.0, 1.0, 1.0), "R3m": (1.0, 1.0, 1.0)}


def _soft_mode(edge: float, titanium: float, apical: float, equatorial: float) -> dict[str, float]:
    """`amplitude`, `along` and `against` of `perovskite` from a tetragonal cell with A at its corner.

    `edge`: c in angstrom; heights of the ions over c, in the fraction of c: `titanium` (B, near 1/2), the `apical` oxygen below it (near 1)
    and the `equatorial` ones (near 1/2).
    """
    q = titanium - 0.5
    against = (0.5 - equatorial) / q
    return {"amplitude": q * edge, "along": (1 - apical) / q - against, "against": against}


#: BaTiO3: edge of the cubic cell (Buttner and Maslen, Acta Cryst. B 48, 764, 1992); displacements in the tetragonal one at its measured
#: edges with computed heights (Ahmed and others, Comput. Phys. Commun. 184, 647, 2013: the first tutorial of BerryPI, c = 7.626934 bohr).
BATIO3 = {"lattice": 4.006, **_soft_mode(7.626934 * 0.529177, 0.515174, 0.973561, 0.483437)}


def deformed_shapes(count: int, seed: int, progress: Any, target: str = "prism", spread: float = 0.2) -> Examples:
    r"""A cube and the shape that each of its vertices moves to, `count` cubes of different sizes.

    The answer at a vertex is the peak $\frac{4 \pi}{9} |r'| Y_{lm}(\hat r')$, l up to 2, at the place r' where it goes: the harmonics of
    Hofgard et al. (their `with_peaks_at`). Edges are uniform within 1 +- `spread`; r' = A r with A of `SHAPES[target]`, dimensionless.
    """
    if target not in SHAPES:
        raise OrbitscopeError(f"shapes: `target` should be one of {', '.join(SHAPES)}, got {shown(target)}.")
    edges = 1 + spread * (2 * _rng(seed, "shapes").random(count) - 1)
    places = torch.tensor(edges[:, None, None] * _CUBE)
    there = places * torch.tensor(SHAPES[target])
    size = there.norm(dim=-1, keepdim=True) * (4 * np.pi / 9) / (4 * np.pi) ** 0.5
    about = {"stretch": list(SHAPES[target])}
    return point_examples(
        places, torch.ones(count, 8, 1, dtype=torch.float64), size * spherical_harmonics(2, there), into="0e", out="0e+1o+2e", about=about,
        cutoff=2.6, neighbours=7.0,
    )  # fmt: skip


def particle_in_fields(
    count: int, seed: int, progress: Any, electric: Sequence[float] = (1.0, 0.0, 0.0), magnetic: Sequence[float] = (0.0, 1.0, 0.0),
    frames: int = 20, dt: float = 0.1, noise: float = 0.0,
) -> Examples:  # fmt: skip
    r"""Velocity to acceleration of a charge, $\dot v = E + v \times B$ with q / m = 1, along `count` trajectories of `frames` times.

    The trajectories are exact: exponentials of the linear equation. E is polar (1o), B axial (1e); the unit of time is that of `dt`.
    First velocities are standard normal; `noise` is the standard deviation of noise on the accelerations.
    """
    e, b = _vector(electric, "electric"), _vector(magnetic, "magnetic")
    turn = -np.tensordot(b, _TURNS, 1)  # v x B
    step = np.zeros((4, 4))
    step[:3, :3], step[:3, 3] = turn, e
    once, rng = expm(step * dt), _rng(seed, "particle")
    v = [np.concatenate([rng.standard_normal((count, 3)), np.ones((count, 1))], 1)]
    for _ in range(frames - 1):
        v.append(v[-1] @ once.T)
    velocity = np.stack(v, 1)[..., :3]
    force = velocity @ turn.T + e + noise * rng.standard_normal(velocity.shape)
    return _single(velocity, force, {"electric": e.tolist(), "magnetic": b.tolist()})


def damped_pendulum(
    count: int, seed: int, progress: Any, gravity: Sequence[float] = (0.0, 0.0, -9.81), damping: float = 0.3, frames: int = 20,
    dt: float = 0.05,
) -> Examples:  # fmt: skip
    r"""Place and velocity to acceleration of a spherical pendulum of length 1, $\ddot r = g - \beta v - (|v|^2 + g \cdot r)\, r$.

    `count` trajectories of `frames` times, integrated by the classical Runge-Kutta method with ten steps for each `dt` and projected to
    the sphere; gravity in length / time^2, damping $\beta$ in 1 / time.
    """
    g, rng = _vector(gravity, "gravity"), _rng(seed, "pendulum")
    r = rng.standard_normal((count, 3))
    r /= np.linalg.norm(r, axis=1, keepdims=True)
    v = 2 * rng.standard_normal((count, 3))
    v -= (v * r).sum(1, keepdims=True) * r

    def force(r: Array, v: Array) -> Array:
        return g - damping * v - ((v * v).sum(-1, keepdims=True) + (r @ g)[..., None]) * r

    states, h = [np.concatenate([r, v], 1)], dt / 10

    def rate(s: Array) -> Array:
        return np.concatenate([s[:, 3:], force(s[:, :3], s[:, 3:])], 1)

    for _ in range(frames - 1):
        s = states[-1]
        for _ in range(10):
            a = rate(s)
            b = rate(s + h / 2 * a)
            c = rate(s + h / 2 * b)
            d = rate(s + h * c)
            s = s + h / 6 * (a + 2 * b + 2 * c + d)
            s[:, :3] /= np.linalg.norm(s[:, :3], axis=1, keepdims=True)
            s[:, 3:] -= (s[:, 3:] * s[:, :3]).sum(1, keepdims=True) * s[:, :3]
        states.append(s)
    s = np.stack(states, 1)
    return _single(s, force(s[..., :3], s[..., 3:]), {"gravity": g.tolist(), "damping": damping}, products=True)


def diffusion(
    count: int, seed: int, progress: Any, principal: Sequence[float] = (1.0, 2.0, 4.0), axis: Sequence[float] = (1.0, 1.0, 1.0),
    angle: float = 0.7,
    noise: float = 0.0,
) -> Examples:  # fmt: skip
    r"""Gradient of a concentration to its flux in an anisotropic medium, $J = -D \nabla c$, for `count` standard normal gradients.

    D has the `principal` values along axes that are turned from x, y, z by `angle` (radians) about `axis`; `noise` is the standard
    deviation of noise on the flux.
    """
    turn = expm(angle * np.tensordot(_vector(axis, "axis") / np.linalg.norm(axis), _TURNS, 1))
    tensor = turn @ np.diag(_vector(principal, "principal")) @ turn.T
    rng = _rng(seed, "diffusion")
    gradient = rng.standard_normal((count, 1, 3))
    flux = -gradient @ tensor + noise * rng.standard_normal(gradient.shape)
    return _single(gradient, flux, {"tensor": tensor.tolist()})


def cluster(count: int, seed: int, progress: Any, points: int = 4, field: Sequence[float] = (0.0, 0.0, 0.0)) -> Examples:
    r"""Forces in clusters of equal `points`, $f_i = \sum_j (1 - r_{ij}^{2})\, e^{-r_{ij}^2/2}\, r_{ij}$, plus a uniform `field`.

    Without a field the map is exactly E(3)-equivariant: a control in which nothing may be broken.
    """
    places = torch.tensor(_rng(seed, "cluster").standard_normal((count, points, 3)))
    apart = places[:, None] - places[:, :, None]
    square = apart.square().sum(-1, keepdim=True)
    forces = ((1 - square) * torch.exp(-square / 2) * apart).sum(2) + torch.tensor(_vector(field, "field"))
    features = torch.ones(count, points, 1, dtype=torch.float64)
    return point_examples(
        places, features, forces, into="0e", out="1o", about={"field": list(field)}, cutoff=5.0, radial=12, neighbours=3.0
    )


def perovskite(
    count: int, seed: int, progress: Any, phase: str = "P4mm", amplitude: float = 0.1, lattice: float = 4.0, strain: float = 0.02,
    along: float = 0.5, against: float = 0.4, cases: int = 1,
) -> Examples:  # fmt: skip
    r"""The cubic perovskite ABO3 and the displacements of its ions in a polar phase, `count` crystals of slightly different size.

    $u_A = 0,\; u_B = q\, n,\; u_O = -q\, (\rho\, n + \delta\, (n \cdot \hat e) \hat e)$, n the unit direction of the `phase` (P4mm 001,
    Amm2 011, R3m 111, Pm-3m none), $\hat e$ the axis of the ion's B-O bonds, q the `amplitude` and `lattice` the edge (both in angstrom;
    scaled with each crystal's edge, which is uniform within 1 +- `strain`), $\rho$ `against`, $\delta$ `along`. The form is the most
    general one that is linear in n and obeys the cube's group, apart from u_A; its numbers are of this package. `cases` > 1: crystals
    take turns between amplitudes 0, q / (cases - 1), ..., q, each a case with relaxed weights of its own.
    """
    if phase not in PHASES:
        raise OrbitscopeError(f"perovskite: `phase` should be one of {', '.join(PHASES)}, got {shown(phase)}.")
    n = np.array(PHASES[phase])
    n = n / (np.linalg.norm(n) or 1.0)
    fractional = np.array([[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    bonds = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], dtype=float)
    mode = np.concatenate([[0 * n], [n], [-(against * n + along * (n @ e) * e) for e in bonds]])
    edges = lattice * (1 + strain * (2 * _rng(seed, "perovskite").random(count) - 1))
    case = np.arange(count) % cases
    sizes = amplitude * (case / (cases - 1) if cases > 1 else np.ones(count)) * edges / lattice
    kinds = torch.eye(3, dtype=torch.float64)[[0, 1, 2, 2, 2]]
    return point_examples(
        torch.tensor(edges[:, None, None] * fractional), kinds.expand(count, 5, 3).clone(), torch.tensor(sizes[:, None, None] * mode),
        into="3x0e", out="1o", cell=torch.tensor(edges[:, None, None] * np.eye(3)), case=torch.tensor(case) if cases > 1 else None,
        names=("A", "B", "O", "O", "O"), about={"phase": phase, "amplitudes": sorted(set((amplitude * case / max(cases - 1, 1)).tolist()))},
        cutoff=0.97 * lattice * (1 - strain), radial=6, neighbours=6.0,
    )  # fmt: skip


def _single(inputs: Array, answers: Array, about: Mapping[str, Any], **network: Any) -> Examples:
    """Examples of one point: a constant and vectors to a vector; `inputs` [units, slots, 3 k]."""
    units, slots, width = inputs.shape
    features = torch.cat([torch.ones(units * slots, 1, 1, dtype=torch.float64), torch.tensor(inputs).reshape(-1, 1, width)], -1)
    unit, slot = np.repeat(np.arange(units), slots), np.tile(np.arange(slots), units)
    return point_examples(
        torch.zeros(units * slots, 1, 3, dtype=torch.float64), features, torch.tensor(answers).reshape(-1, 1, 3),
        into=f"0e+{width // 3}x1o",
        out="1o",
        unit=unit, slot=slot, about=about, cutoff=1.0, radial=2, **network,
    )  # fmt: skip


def _vector(given: Sequence[float], what: str) -> Array:
    found = np.asarray(given, dtype=np.float64)
    if found.shape != (3,) or not np.isfinite(found).all():
        raise OrbitscopeError(f"simulate: `{what}` should be three finite numbers, as in {what}=1,0,0; got {shown(given)}.")
    return found


def _rng(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng(derive(seed, purpose))

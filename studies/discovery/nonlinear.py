r"""Generators that are no matrices: polynomial vector fields, on maps and on the jets of differential equations. A prototype.

    python studies/discovery/nonlinear.py [SEEDS]

Writes results/nonlinear/nonlinear.json. A direction a of a library of fields holds where $S a = b D a$ has a small b, as `gradient` asks of
matrices: S is the breaking by a predictor's derivative at an example, D with the derivative taken at another one.

Maps: $\nabla f \cdot X = 0$. Equations: $u_t = F(u, u_x, u_{xx})$ with F trained on data, X on (x, t, u) prolonged to the derivatives
(Olver, Applications of Lie Groups to Differential Equations, 2.3), as LieNLSD does (ICML 2025). F does not see x and t, so that shifts of
both hold by what is asked.
"""

import itertools
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from known import CASES, CONTROLS, FINITE, Case
from numpy.typing import NDArray
from scipy.linalg import eigh
from torch import Tensor, nn

from orbitscope._whole import write_whole
from orbitscope.discover import HOLDS
from orbitscope.probe import machine

Array = NDArray[np.float64]
RESULTS = Path(__file__).parent / "results" / "nonlinear"
SEEDS, DEGREES = 3, (1, 2, 3)
VISCOSITY, FRICTION, GRID, WAVES = 0.3, 1.0, 96, 4
TRAIN, HELD, STEPS, RIDGE = 3000, 2000, 1500, 1e-4
Power = tuple[int, ...]


def powers(variables: int, degree: int) -> list[Power]:
    """Exponents of all monomials up to a degree, the constant first."""
    every = itertools.product(range(degree + 1), repeat=variables)
    return sorted((p for p in every if sum(p) <= degree), key=lambda p: (sum(p), tuple(-k for k in p)))


def monomial(power: Power, at: Array, order: Power) -> Array:
    """A derivative of a monomial at points [N, variables]: `order` times in each variable."""
    found = np.ones(len(at))
    for k, (p, d) in enumerate(zip(power, order, strict=True)):
        found = found * (math.perm(p, d) * at[:, k] ** max(p - d, 0) if d <= p else 0.0)
    return found


def held(own: Array, unrelated: Array, motion: Array) -> tuple[Array, Array]:
    """Breaking over that of unrelated examples, ascending, and the directions as columns; rates [predictor, N, direction].

    `motion` [direction]: how far each field moves the inputs, root mean square, as fields of different degree differ in size.
    """
    one, two = own[0], own[-1]
    signal = (one.T @ two + two.T @ one) / 2 / len(one) / np.outer(motion, motion)
    scale = sum(u.T @ u for u in unrelated) / len(unrelated) / len(one) / np.outer(motion, motion)
    ridge = RIDGE * np.trace(scale) / len(scale) * np.eye(len(scale))  # what could change no answer by more than this holds
    breaking, columns = eigh(signal, scale + ridge)
    return breaking, columns / motion[:, None]


def motions(at: Array, degree: int) -> Array:
    """Of every field of the library at points [N, variables], each variable in its own unit."""
    size = np.stack([monomial(p, at, (0,) * at.shape[1]) for p in powers(at.shape[1], degree)], 1)
    return np.concatenate([np.sqrt((size**2).mean(0)) / at[:, i].std() for i in range(at.shape[1])])


# ---- maps


def curved(x: Tensor) -> Tensor:
    """The square of the distance from the origin in curved coordinates: no matrix leaves it alone, a field of degree 3 does."""
    return (x[:, 0] + 0.5 * x[:, 1] ** 2) ** 2 + x[:, 1] ** 2


def on_map(function: Callable[[Tensor], Tensor], x: Tensor, degree: int) -> int:
    """How many fields of a library hold on a map, of which the exact derivative is taken."""
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(x).sum(), x)
    flat, slopes = x.detach().flatten(1).numpy(), slope.flatten(1).numpy()
    values = np.stack([monomial(p, flat, (0,) * flat.shape[1]) for p in powers(flat.shape[1], degree)], 1)
    own = np.einsum("ni,nm->nim", slopes, values).reshape(len(flat), -1)
    other = np.einsum("ni,nm->nim", np.roll(slopes, 1, 0), values).reshape(len(flat), -1)
    return int((held(own[None], other[None], motions(flat, degree))[0] <= HOLDS).sum())


# ---- equations

_N = powers(3, 2)


def field(**parts: dict[str, float]) -> Array:
    """A field by its components x, t, u, each a polynomial by its monomials: `field(x={"t": 1}, u={"1": 1})`."""
    found = np.zeros((3, len(_N)))
    for name, polynomial in parts.items():
        for word, value in polynomial.items():
            found["xtu".index(name), _N.index(tuple(word.count(v) for v in "xtu"))] = value
    return found.ravel()


_SHIFTS = [field(x={"1": 1}), field(t={"1": 1})]
#: What is known of each equation, up to degree 2 in (x, t, u).
TRUTH = {
    "Burgers": [
        *_SHIFTS, field(x={"t": 1}, u={"1": 1}), field(x={"x": 1}, t={"t": 2}, u={"u": -1}),
        field(x={"xt": 1}, t={"tt": 1}, u={"x": 1, "tu": -1}),
    ],
    "heat": [
        *_SHIFTS, field(u={"u": 1}), field(x={"x": 1}, t={"t": 2}), field(x={"t": 2 * VISCOSITY}, u={"xu": -1}), field(u={"1": 1}),
        field(u={"x": 1}), field(u={"xx": 1, "t": 2 * VISCOSITY}),
    ],
    "Burgers with friction (control)": _SHIFTS,
}  # fmt: skip


def law(name: str, u: Array, p: Array, q: Array) -> Array:
    """u_t of u, u_x, u_xx."""
    return VISCOSITY * q - (u * p if name != "heat" else 0.0) - (FRICTION * (u + u**3) if "friction" in name else 0.0)


def jets(name: str, count: int, seed: int) -> dict[str, Array]:
    """Points x, t and u, u_x, u_xx, u_t, u_xt [count] of periodic solutions; derivatives in x by Fourier, in t by differences."""
    rng = np.random.default_rng([seed, 0x1E75])
    x, k = np.arange(GRID) * 2 * np.pi / GRID, np.fft.rfftfreq(GRID, 1 / GRID)
    waves = np.arange(1, WAVES + 1)
    size, phase = rng.normal(size=(60, WAVES)) / waves, rng.uniform(0, 2 * np.pi, (60, WAVES))
    u = (size[..., None] * np.sin(waves[:, None] * x + phase[..., None])).sum(1) + rng.normal(size=(60, 1))

    def slope(v: Array, order: int = 1) -> Array:
        return np.fft.irfft((1j * k) ** order * np.fft.rfft(v), GRID)

    def rate(v: Array) -> Array:
        made = np.fft.rfft(law(name, v, slope(v), slope(v, 2)))
        return np.fft.irfft(made * (k <= GRID / 3), GRID)

    h, frames = 1 / 400, [u]
    for _ in range(404):
        v = frames[-1]
        a = rate(v)
        b = rate(v + h / 2 * a)
        c = rate(v + h / 2 * b)
        frames.append(v + h / 6 * (a + 2 * b + 2 * c + rate(v + h * c)))
    path = np.stack(frames, 1)  # [start, time, x]
    i, j, m = rng.integers(60, size=count), rng.integers(2, 403, size=count), rng.integers(GRID, size=count)
    near = path[i[:, None], j[:, None] + np.array([-2, -1, 1, 2])]
    change = np.einsum("s,nsx->nx", np.array([1.0, -8.0, 8.0, -1.0]) / (12 * h), near)
    now = path[i, j]
    take = np.arange(count), m
    return {
        "x": x[m], "t": h * j, "u": now[take], "p": slope(now)[take], "q": slope(now, 2)[take], "s": change[take],
        "r": slope(change)[take],
    }  # fmt: skip


class Law(nn.Module):
    """A network for u_t of (u, u_x, u_xx), in units of the data."""

    def __init__(self, inputs: Tensor, answers: Tensor) -> None:
        super().__init__()
        self.centre, self.size, self.unit = inputs.mean(0), inputs.std(0), answers.std()
        self.body = nn.Sequential(nn.Linear(3, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3] to [N]."""
        return self.body((x - self.centre) / self.size)[:, 0] * self.unit


def trained(inputs: Tensor, answers: Tensor, seed: int) -> Law:
    """By AdamW on batches of 500."""
    torch.manual_seed(seed)
    net = Law(inputs, answers).double()
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(inputs), (500,))
        optimiser.zero_grad()
        ((net(inputs[rows]) - answers[rows]) / net.unit).square().mean().backward()
        optimiser.step()
        schedule.step()
    return net


def broken(j: dict[str, Array], slopes: Array, degree: int) -> Array:
    r"""$\eta^t - F_u \phi - F_p \eta^x - F_q \eta^{xx}$ of every field at every jet, [N, 3 * monomials]; `slopes` of F, [N, 3]."""
    at, p, q, s, r = np.stack([j["x"], j["t"], j["u"]], 1), j["p"], j["q"], j["s"], j["r"]
    f_u, f_p, f_q = slopes.T
    columns = []
    for part in "xtu":
        for power in powers(3, degree):

            def d(order: str, power: Power = power) -> Array:
                return monomial(power, at, tuple(order.count(v) for v in "xtu"))

            if part == "x":
                first, time_, own = -d("x") * p - d("u") * p**2, -d("t") * p - d("u") * p * s, 0.0
                second = -d("xx") * p - 2 * d("xu") * p**2 - d("uu") * p**3 - 2 * d("x") * q - 3 * d("u") * p * q
            elif part == "t":
                first, time_, own = -d("x") * s - d("u") * p * s, -d("t") * s - d("u") * s**2, 0.0
                second = -d("xx") * s - 2 * d("xu") * p * s - d("uu") * p**2 * s - 2 * d("x") * r - d("u") * s * q - 2 * d("u") * p * r
            else:
                first, time_, own = d("x") + d("u") * p, d("t") + d("u") * s, d("")
                second = d("xx") + 2 * d("xu") * p + d("uu") * p**2 + d("u") * q
            columns.append(time_ - f_u * own - f_p * first - f_q * second)
    return np.stack(columns, 1)


def angles(found: Array, truth: Array, at: Array) -> float:
    """The largest angle in degrees between spans of fields (columns), by their values at points, each variable in its own unit."""
    values = np.stack([monomial(p, at, (0, 0, 0)) for p in _N], 1)
    whole = np.concatenate([np.kron(np.eye(3)[i : i + 1], values) / at[:, i].std() for i in range(3)])
    one, two = (np.linalg.qr(whole @ span)[0] for span in (found, truth))
    return float(np.degrees(np.arccos(np.clip(np.linalg.svd(one.T @ two, compute_uv=False).min(), -1, 1))))


def on_equation(name: str, seed: int) -> dict[str, Any]:
    """What fields of degree 1 and 2 hold on an equation that is known by data alone, beside what is known of it."""
    clock, j = time.process_time(), jets(name, 2 * TRAIN + HELD, seed)
    inputs, answers = torch.tensor(np.stack([j["u"], j["p"], j["q"]], 1)), torch.tensor(j["s"])
    laws = [trained(inputs[i : i + TRAIN], answers[i : i + TRAIN], 2 * seed + k) for k, i in enumerate((0, TRAIN))]
    rest = {key: v[2 * TRAIN :] for key, v in j.items()}
    x = inputs[2 * TRAIN :].clone().requires_grad_()
    slopes = [torch.autograd.grad(f(x).sum(), x)[0].numpy() for f in laws]
    with torch.no_grad():
        error = [float(((f(x) - answers[2 * TRAIN :]).square().mean() / answers[2 * TRAIN :].var()).sqrt()) for f in laws]
    row: dict[str, Any] = {"equation": name, "seed": seed, "error": error}
    at = np.stack([rest["x"], rest["t"], rest["u"]], 1)
    for degree in (1, 2):
        own, other = (np.stack([broken(rest, move(s), degree) for s in slopes]) for move in (np.asarray, _rolled))
        breaking, columns = held(own, other, motions(at, degree))
        row |= {f"held_{degree}": int((breaking <= HOLDS).sum()), f"breaking_{degree}": breaking[:12].tolist()}
    truth = np.stack(TRUTH[name], 1)
    return row | {
        "angle": angles(columns[:, : truth.shape[1]], truth, at), "known": truth.shape[1], "seconds": time.process_time() - clock,
    }  # fmt: skip


def _rolled(slopes: Array) -> Array:
    return np.roll(slopes, 1, 0)


def main(seeds: int = SEEDS) -> None:
    """What is not there yet; each row is written when it is whole."""
    torch.set_num_threads(1)
    file = RESULTS / "nonlinear.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"machine": machine(), "maps": [], "equations": []}
    cases: dict[str, Case] = {case.name: case for case in (*CASES, *FINITE, *CONTROLS)}
    maps: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {"circle in curved coordinates": (curved, 2)}
    maps |= {name: (c.function, c.dimension) for name, c in cases.items() if not c.points and c.output == "invariant" and c.dimension < 4}
    for name, (function, n) in maps.items():
        if not any(r["map"] == name for r in kept["maps"]):
            x = torch.randn(20_000, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
            known = len(cases[name].algebra) if name in cases else 0
            kept["maps"].append({"map": name, "linear": known, **{f"held_{d}": on_map(function, x, d) for d in DEGREES}})
    for seed in range(seeds):
        for name in TRUTH:
            if not any((r["equation"], r["seed"]) == (name, seed) for r in kept["equations"]):
                kept["equations"].append(row := on_equation(name, seed))
                write_whole(file, lambda part: part.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8"))
                print(row, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS)

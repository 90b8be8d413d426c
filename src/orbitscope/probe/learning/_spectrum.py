"""Spectrum of the tangent kernel: in which directions of its outputs a model can move, and where its residual lies among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples, Trajectories
from ...emulators import smse
from ...training import as_loss
from .._gradients import Loss, example_gradients, gram, pullback, pushforward
from .._provenance import stamp
from .._sample import Transitions, sample_for
from .._subject import Subject

Array = NDArray[np.float64]
Of = Literal["outputs", "losses"]
Method = Literal["auto", "dense", "lanczos"]
_DENSE_OUTPUTS = 2048
_DENSE_NUMBERS = 2**27


@dataclass(frozen=True)
class _Found:
    """Eigenvalues (falling) and vectors of H, the whole of four functions of it, and how sure they are."""

    values: Array
    vectors: Array
    totals: dict[str, tuple[float, float]]
    damped: Array  # [damping, 2]: degrees of freedom, standard error
    captured: Array  # [damping]: r' H (H + damping)^-1 r / |r|^2
    size: int


def spectrum(
    model: nn.Module,
    data: Trajectories | Examples,
    *,
    of: Of = "outputs",
    method: Method = "auto",
    modes: int = 16,
    dampings: Sequence[float] = (1e-6, 1e-4, 1e-2),
    probes: int = 8,
    steps: int = 30,
    vectors: int = 0,
    loss: Loss | str | None = None,
    trajectories: int | None = 4,
    times: int | None = 2,
    seed: int = 0,
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Eigenvalues of the tangent kernel of `model` on a batch, and the alignment of the residual with its eigenvectors.

    `of="outputs"`: $H = J J^\top / M$, J the derivative of all M output values of the batch with respect to the parameters: the NTK, whose
    non-zero spectrum is that of the Gauss-Newton metric $J^\top J / M$; $H (H + \lambda)^{-1}$ is the hat matrix.
    `of="losses"`: $H = G G^\top / N$ with the gradients of the loss of each of the N examples as rows of G.

    * `eigenvalue` [mode]: largest first.
    * `alignment` [mode]: $(v_k \cdot r)^2 / |r|^2$ with r = y - f(x), all outputs of the batch in one vector; a random r has `chance` = 1/M
      on average. `aligned` sums it. For losses r is the vector of ones: how much of a mode all examples share.
    * `trace`, `stable_rank` $\mathrm{tr} H / s_1$, `participation` $(\mathrm{tr} H)^2 / \mathrm{tr} H^2$, `effective_rank`
      $\exp(-\sum p \log p)$, $p = s / \mathrm{tr} H$ (Roy and Vetterli, EUSIPCO 2007).
    * `freedom` [damping]: degrees of freedom $\mathrm{tr}\, H (H + \lambda)^{-1}$.
    * `captured` [damping]: $r^\top H (H + \lambda)^{-1} r / |r|^2$, the part of the residual that one damped Gauss-Newton step takes away,
      to first order; 1 = the model could fit this batch, 0 = its parameters do not reach the residual.
    * with `vectors` > 0, `vector` [vector_mode, transition, channel, x, y]: the first eigenvectors, of unit length (outputs only); of
      examples [vector_mode, transition, output], the numbers of an answer one after the other.

    Methods: "dense" takes all M gradients and is exact; "lanczos" takes the `modes` largest by products with H alone (ARPACK), and the
    totals from `probes` random sign vectors orthogonal to them, each with `steps` of Lanczos quadrature; each total then has a standard
    error, `..._error` (0 when dense). "auto" is dense up to 2048 outputs. A product costs one reverse and one forward pass over the batch.

    Eigenvalues carry the square of the units of the outputs per unit of parameter, so that only their ratios, ranks and alignments mean
    something across models. Raises `OrbitscopeError` for a model without parameters, wrong settings, and outputs that have no residual
    (class numbers: ask for the losses).

    * `data`: `Trajectories`, or `Examples` of any map.
    * `of`: "outputs" or "losses".
    * `method`: "auto", "dense" or "lanczos", see above.
    * `modes`: eigenvalues that "lanczos" takes.
    * `probes`, `steps`: of "lanczos": random sign vectors for the totals, and steps of quadrature of each.
    * `vectors`: how many eigenvectors are part of the result (outputs only).
    * `loss`: for "losses", a function (prediction, target), or a name for `training.as_loss`; None: the SMSE for trajectories,
      cross-entropy where y holds class numbers, the mean squared error elsewhere.
    * `dampings`: the $\lambda$ of `freedom` and `captured`, in units of the eigenvalues.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `chunk`: examples whose gradients are taken at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.
    """
    _check(of, method, modes, dampings, probes, steps, vectors)
    subject = Subject.of(model, data)
    if not subject.parameters:
        raise OrbitscopeError("model: it has no parameters, so its tangent kernel is zero.")
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)
    damping = np.asarray(list(dampings), dtype=float)
    if of == "losses":
        gradients, _ = example_gradients(subject, _loss(loss, data, pairs), pairs.x, pairs.y, chunk)
        matrix = gram(gradients, gradients).cpu().numpy() / len(gradients)
        found, residual = _dense(matrix, np.ones(len(matrix)), damping, modes), np.ones(len(matrix))
        used = "dense"
    else:
        residual = _residual(subject, pairs)
        used = _choose(method, residual.size, subject.count, modes)
        if used == "dense":
            found = _dense(_kernel(subject, pairs.x, chunk, progress), residual, damping, modes)
        else:
            product = _product(subject, pairs.x, chunk)
            found = _iterated(product, residual, damping, modes, probes, steps, seed, _tolerance(subject), progress)
    result = _dataset(found, residual, damping, pairs, data, vectors if of == "outputs" else 0)
    result.attrs.update(of=of, method=used, residual="y - f(x)" if of == "outputs" else "ones", sign="eigenvalues are not negative")
    count = {"trajectories": len(pairs.trajectories), "times": len(pairs.times)}
    return stamp(result, "spectrum", None, data, subject, seed=seed, modes=modes, probes=probes, steps=steps, **count)


def _check(of: str, method: str, modes: int, dampings: Sequence[float], probes: int, steps: int, vectors: int) -> None:
    if of not in ("outputs", "losses"):
        raise OrbitscopeError(f"spectrum: `of` should be 'outputs' or 'losses', got {of!r}.")
    if method not in ("auto", "dense", "lanczos"):
        raise OrbitscopeError(f"spectrum: `method` should be 'auto', 'dense' or 'lanczos', got {method!r}.")
    for name, value, least in (("modes", modes, 1), ("probes", probes, 2), ("steps", steps, 2), ("vectors", vectors, 0)):
        if value < least:
            raise OrbitscopeError(f"spectrum: `{name}` must be at least {least}, got {value}.")
    if vectors > modes:
        raise OrbitscopeError(f"spectrum: `vectors` = {vectors} are more than the `modes` = {modes} that are kept.")
    if not len(dampings) or not all(d > 0 for d in dampings):
        raise OrbitscopeError(f"spectrum: `dampings` should be positive numbers, got {tuple(dampings)}.")


def _choose(method: Method, outputs: int, parameters: int, modes: int) -> str:
    if method == "auto":
        method = "dense" if outputs <= _DENSE_OUTPUTS and outputs * parameters <= _DENSE_NUMBERS else "lanczos"
    if method == "lanczos" and modes > outputs - 2:
        raise OrbitscopeError(f"spectrum: `modes` = {modes} of {outputs} outputs are too many for 'lanczos'. Use method='dense'.")
    return method


def _loss(asked: Loss | str | None, data: Trajectories | Examples, pairs: Transitions) -> Loss:
    if asked is None:
        asked = smse if not isinstance(data, Examples) else "mse" if pairs.y.is_floating_point() else "cross_entropy"
    return as_loss(asked) if isinstance(asked, str) else asked


def _residual(subject: Subject, pairs: Transitions) -> Array:
    with torch.no_grad():
        answer = subject(subject.parameters, pairs.x)
    if answer.shape != pairs.y.shape:
        raise OrbitscopeError(
            f"spectrum: answers of shape {tuple(answer.shape[1:])} have no residual with y of shape {tuple(pairs.y.shape[1:])}. "
            "For classes ask for of='losses'."
        )
    return (pairs.y - answer).double().flatten().cpu().numpy()


def _kernel(subject: Subject, x: Tensor, chunk: int, progress: Callable[[int, int], None] | None) -> Array:
    """J J' / M in float64: the gradient of every output value. Examples do not see each other, so each has its own small batch."""
    per = subject.outputs(x[:1])
    unit = torch.eye(per, dtype=subject.dtype, device=x.device)
    rows = []
    for n in range(len(x)):
        rows.append(pullback(subject, x[n : n + 1], unit, 1, together=max(8, chunk)))
        if progress is not None:
            progress(n + 1, len(x))
    jacobian = torch.cat(rows)
    return gram(jacobian, jacobian).cpu().numpy() / subject.outputs(x)


def _product(subject: Subject, x: Tensor, chunk: int) -> Callable[[Array], Array]:
    def product(v: Array) -> Array:
        down = pullback(subject, x, torch.as_tensor(v.reshape(1, -1).copy()).to(x.device, subject.dtype), chunk)
        return pushforward(subject, x, down, chunk)[0].double().cpu().numpy() / subject.outputs(x)

    return product


def _tolerance(subject: Subject) -> float:
    return 0.0 if subject.dtype == torch.float64 else 10 * torch.finfo(subject.dtype).eps


def _dense(matrix: Array, residual: Array, damping: Array, modes: int) -> _Found:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    # What is left of a zero eigenvalue after rounding would count as a degree of freedom where the damping is small.
    values = np.where(values > len(values) * np.finfo(float).eps * values[-1], values, 0.0)
    values, vectors = values[::-1], vectors[:, ::-1]
    totals = {name: (float(f(values).sum()), 0.0) for name, f in _FUNCTIONS.items()}
    hat = values / (values + damping[:, None])
    share = (vectors.T @ residual) ** 2 / max(float(residual @ residual), 1e-300)
    freedom = np.stack([hat.sum(1), np.zeros(len(damping))], 1)
    return _Found(values[:modes], vectors[:, :modes], totals, freedom, hat @ share, len(matrix))


#: Sums over the spectrum that the ranks are made of.
_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "trace": lambda s: s,
    "square": lambda s: s * s,
    "entropy": lambda s: s * np.log(np.where(s > 0, s, 1.0)),
}


def _iterated(
    product: Callable[[Array], Array],
    residual: Array,
    damping: Array,
    modes: int,
    probes: int,
    steps: int,
    seed: int,
    tolerance: float,
    progress: Callable[[int, int], None] | None,
) -> _Found:
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    size, rng = len(residual), np.random.default_rng([seed, 0x57EC])
    operator = LinearOperator((size, size), matvec=lambda v: product(np.asarray(v, dtype=float)), dtype=np.float64)  # pyright: ignore
    try:
        values, vectors = eigsh(operator, modes, which="LA", tol=tolerance, v0=rng.standard_normal(size))  # pyright: ignore
    except ArpackNoConvergence as error:
        raise OrbitscopeError(
            f"spectrum: {len(error.eigenvalues)} of {modes} `modes` converged; the spectrum is too flat there. Ask for fewer, or use "
            "a float64 model."
        ) from error
    order = np.argsort(values)[::-1]
    values, vectors = np.clip(values[order], 0.0, None), vectors[:, order]
    outside = lambda v: v - vectors @ (vectors.T @ v)  # noqa: E731
    hats = [lambda s, d=d: s / (s + d) for d in damping]
    every = [*_FUNCTIONS.values(), *hats]
    samples = []
    for k in range(probes):
        z = outside(rng.choice([-1.0, 1.0], size=size))
        samples.append(_quadrature(product, z, steps, every, outside))
        if progress is not None:
            progress(k + 1, probes)
    drawn = np.array(samples)
    mean, error = drawn.mean(0), drawn.std(0, ddof=1) / np.sqrt(probes)
    top = np.array([f(values).sum() for f in every])
    totals = {name: (float(top[i] + mean[i]), float(error[i])) for i, name in enumerate(_FUNCTIONS)}
    freedom = np.stack([top + mean, error], 1)[len(_FUNCTIONS) :]
    share = (vectors.T @ residual) ** 2
    rest = outside(residual)
    captured = np.array([(h(values) * share).sum() for h in hats]) + _quadrature(product, rest, steps, hats, outside)
    return _Found(values, vectors, totals, freedom, captured / max(float(residual @ residual), 1e-300), size)


def _quadrature(
    product: Callable[[Array], Array],
    start: Array,
    steps: int,
    functions: Sequence[Callable[[Array], Array]],
    outside: Callable[[Array], Array],
) -> Array:
    r"""$z^\top f(H) z$ for each f, by `steps` of Lanczos from z with full re-orthogonalisation (Golub and Meurant)."""
    norm = float(np.linalg.norm(start))
    if norm == 0.0:
        return np.zeros(len(functions))
    basis, diagonal, beside = [start / norm], [], []
    for _ in range(min(steps, len(start))):
        w = outside(product(basis[-1]))
        diagonal.append(float(basis[-1] @ w))
        known = np.array(basis)
        for _ in range(2):
            w = w - known.T @ (known @ w)
        beside.append(float(np.linalg.norm(w)))
        if beside[-1] <= 1e-12 * max(abs(diagonal[0]), beside[0], 1e-300):
            break
        basis.append(w / beside[-1])
    n = len(diagonal)
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside[: n - 1], 1) + np.diag(beside[: n - 1], -1))
    weights, values = vectors[0] ** 2 * norm**2, np.clip(values, 0.0, None)
    return np.array([float((weights * f(values)).sum()) for f in functions])


def _dataset(found: _Found, residual: Array, damping: Array, pairs: Transitions, data: Trajectories | Examples, vectors: int) -> xr.Dataset:
    alignment = (found.vectors.T @ residual) ** 2 / max(float(residual @ residual), 1e-300)
    (trace, trace_error), (square, square_error), (entropy, entropy_error) = (found.totals[k] for k in ("trace", "square", "entropy"))
    first = float(found.values[0]) if found.values.size and found.values[0] > 0 else float("nan")
    trace = trace if trace > 0 else float("nan")
    # -sum p log p with p = s / tr: log tr - (sum s log s) / tr.
    effective = float(np.exp(np.log(trace) - entropy / trace))
    participation = trace**2 / square if square > 0 else float("nan")
    # To first order, the errors of the parts taken as independent.
    effective_error = effective * float(np.hypot(entropy_error / trace, trace_error * abs(1 / trace + entropy / trace**2)))
    participation_error = participation * float(np.hypot(2 * trace_error / trace, square_error / square if square > 0 else float("nan")))
    scalars = {
        "trace": (trace, trace_error, "tr H", "output^2"),
        "stable_rank": (trace / first, trace_error / first, "tr H over the largest eigenvalue", "1"),
        "effective_rank": (effective, effective_error, "exponential of the entropy of the normalised spectrum", "1"),
        "participation": (participation, participation_error, "(tr H)^2 / tr H^2", "1"),
    }
    result = xr.Dataset(
        {
            "eigenvalue": ("mode", found.values, {"long_name": "eigenvalue of the kernel", "units": "output^2"}),
            "alignment": ("mode", alignment, {"long_name": "part of |r|^2 along the eigenvector", "units": "1"}),
            "aligned": ("mode", alignment.cumsum(), {"long_name": "part of |r|^2 along this and earlier eigenvectors", "units": "1"}),
            "chance": ((), 1 / found.size, {"long_name": "alignment expected of a random vector", "units": "1"}),
            "freedom": ("damping", found.damped[:, 0], {"long_name": "degrees of freedom, tr H (H + damping)^-1", "units": "1"}),
            "freedom_error": ("damping", found.damped[:, 1], {"long_name": "standard error of freedom", "units": "1"}),
            "captured": ("damping", found.captured, {"long_name": "r' H (H + damping)^-1 r / |r|^2", "units": "1"}),
        },
        coords={"mode": np.arange(1, len(found.values) + 1), "damping": damping},
        attrs={"size": found.size},
    )
    for name, (value, error, words, units) in scalars.items():
        result[name] = ((), value, {"long_name": words, "units": units})
        result[f"{name}_error"] = ((), error, {"long_name": f"standard error of {name}", "units": units})
    if vectors:
        of_fields = isinstance(data, Trajectories)
        dims = ("vector_mode", "transition", *(("channel", *"xyz"[: data.grid.ndim]) if of_fields else ("output",)))
        shape = (vectors, *(pairs.y.shape if of_fields else (len(pairs.y), -1)))
        result["vector"] = (dims, found.vectors[:, :vectors].T.reshape(shape), {"long_name": "eigenvector of unit length", "units": "1"})
        result = result.assign_coords(vector_mode=np.arange(1, vectors + 1))
        result = result.assign_coords(channel=list(data.layout.channel_names)) if of_fields else result
        result = result.assign_coords(trajectory=("transition", pairs.trajectory_of), time=("transition", pairs.time_of))
    return result

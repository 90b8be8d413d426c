"""The verb: from examples or a model to a discovered symmetry."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from .._errors import OrbitscopeError
from .._version import __version__
from ..data import Examples
from ..symmetry import Action, LieGroup, Symmetry, mapped, parts
from ..training import FitConfig
from ._adversarial import Adversarial
from ._atlas import Atlas
from ._cosets import components
from ._discovery import Discovery
from ._evidence import Forms, weigh
from ._finite import finite_check
from ._gradient import Gradient
from ._hypothesis import hypothesis as searched
from ._predictors import check_answers, is_class, skill, trained
from ._problem import Array, Method, Problem, Tell, silent
from ._rates import rates


def discover_symmetry(
    data: Examples | tuple[Any, Any],
    hypothesis: str | LieGroup[Any] | Symmetry,
    method: str | Method = "gradient",
    *,
    output: str | Action[Any] = "invariant",
    model: nn.Module | Callable[[], nn.Module] | None = None,
    charts: int | None = None,
    candidates: int = 0,
    config: FitConfig | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    tell: Tell = silent,
) -> Discovery:
    r"""Which symmetry is in the data, or in a model: generators within a hypothesis group, with their uncertainty.

    * `data`: `Examples` or (x, y). With a trained `model` they are what it is examined on, all of them unseen.
    * `hypothesis`: the group within which to look ("gl2", "aff2", "lorentz", a `LieGroup`), or a `Symmetry` that also says how it acts.
    * `method`: "gradient", "atlas" or "adversarial" (one generator each), or a `Method` with its own settings.
    * `output`: how the group moves answers (see `discover.hypothesis`).
    * `model`: a trained module, examined as it is; or a callable that makes an untrained one, of which two are trained on parts of the data
      that do not overlap; by default a `ProductNet`. It has to work in float64.
    * `charts`: the number of charts, along axis 1 of x and y. `config`: of the training.
    * `candidates`: from how many random elements further components of the group are looked for (see `components`; 24 do); 0: not at all.
    * `out`: a folder for the training runs, in which an interrupted call goes on. `seed`: of the split, the training and the bootstrap.
    * `tell`: `tell(done, total, words)` hears of the progress.

    Raises `OrbitscopeError` for too few examples, constant answers, values that are not finite, predictors without skill, and a hypothesis
    that does not fit the data.

    A direction holds where the breaking that two predictors agree on is at most 1/20, in squares, of what unrelated examples give, and its
    interval too. Symmetries that the hypothesis does not hold are not seen, and those of other connected components with `candidates` only.

    >>> x = torch.randn(1500, 2, generator=torch.Generator().manual_seed(0))
    >>> quick = FitConfig(epochs=40, batch=32, learning_rate=3e-3)
    >>> found = discover_symmetry((x, torch.sin(x.square().sum(1, keepdim=True))), "gl2", config=quick)
    >>> found.count, found.identification().name
    (1, 'so(2)')
    """
    examples = data if isinstance(data, Examples) else Examples(*data)
    chosen = as_method(method)
    symmetry = searched(hypothesis, examples, output)
    _check_charts(examples, charts)
    check_answers(examples.y)
    problem, errors = _problem(examples, symmetry, model, charts, config, None if out is None else Path(out), seed, tell)
    found = rates(problem, tell)
    forms = Forms.of(found)
    learnt = None if isinstance(chosen, Gradient) else chosen.search(problem, tell)
    span = None if learnt is None else _coefficients(problem, learnt.basis)
    evidence = weigh(forms, found.moved, problem.examples.unit, span, seed=seed)
    basis = np.einsum("ik,iab->kab", evidence.directions, problem.basis())
    group, size = problem.group, basis.shape[1]
    # Beside a span that is not claimed, elements of the identity's component would pass for further ones.
    looked = candidates and not evidence.withdrawn
    known = float(np.quantile(evidence.spread, 0.95)) if len(evidence.spread) else 0.0
    others = components(problem, basis[: evidence.count], angle=known, candidates=candidates, tell=tell) if looked else None
    return Discovery(
        hypothesis=group.name, method=chosen.name, kind=group.kind.__name__, homogeneous=group.homogeneous, basis=basis, evidence=evidence,
        components=np.zeros((0, size, size)) if others is None else others.matrices, predictor_error=errors,
        finite=finite_check(problem, basis[: evidence.count]),
        about={
            "seed": seed, "examples": len(examples), "held": len(problem.examples), "predictors": len(problem.predictors),
            "model": None if model is None else type(model).__name__, "method": repr(chosen), "symmetry": repr(symmetry), "charts": charts,
            "output": output if isinstance(output, str) and not isinstance(hypothesis, Symmetry) else None,
            "collapsed": 0 if learnt is None else learnt.collapsed,
            "components": "not looked for" if others is None else others.sentence(),
            "versions": {"orbitscope": __version__, "torch": torch.__version__, "numpy": np.__version__},
        },
    )  # fmt: skip


def as_method(method: str | Method) -> Method:
    """The method called `method`, with its default settings; a `Method` is returned as it is."""
    if isinstance(method, Method):
        return method
    known = {m.name: m for m in (Gradient, Atlas, Adversarial)}
    if method not in known:
        raise OrbitscopeError(f"method: should be one of {', '.join(known)} or a Method, got {method!r}.")
    return known[method]()


def _problem(
    examples: Examples, symmetry: Symmetry, model: nn.Module | Callable[[], nn.Module] | None, charts: int | None,
    config: FitConfig | None, out: Path | None, seed: int, tell: Tell,
) -> tuple[Problem, tuple[float, ...]]:  # fmt: skip
    """Predictors and what they have not seen."""
    if not isinstance(model, nn.Module):
        made = trained(examples, symmetry.output, model, config=config, out=out, seed=seed, tell=tell)
        return Problem(symmetry, _wide(made.held), made.predictors, charts, seed), made.error
    double = copy.deepcopy(model).double().eval()  # the caller's stays as it is
    error, spread = skill(double, examples, is_class(symmetry.output, examples.y), seed)
    if error + spread > 0.95:
        raise OrbitscopeError(
            f"model: it has no skill on the data: its error is {error:.2f} (± {spread:.2f}) of that of the best constant. Nothing can be "
            "discovered from a model that knows nothing."
        )
    return Problem(symmetry, _wide(examples), (double,), charts, seed), (error,)


def _wide(examples: Examples) -> Examples:
    wide = lambda s: mapped(lambda t: t.double() if t.is_floating_point() else t, s)  # noqa: E731
    return Examples(wide(examples.x), wide(examples.y), examples.unit, examples.slot, examples.name, examples.about)


def _coefficients(problem: Problem, basis: Array) -> Array:
    """Matrices of the algebra [k, N, N] as columns [m, k] in its orthonormal basis."""
    return problem.basis().reshape(problem.size, -1) @ basis.reshape(len(basis), -1).T


def _check_charts(examples: Examples, charts: int | None) -> None:
    if charts is None:
        return
    for what, state in (("x", examples.x), ("y", examples.y)):
        if any(p.ndim < 2 or p.shape[1] != charts for p in parts(state)):
            shapes = [tuple(p.shape) for p in parts(state)]
            raise OrbitscopeError(f"charts: {charts} charts need axis 1 of {what} to have {charts} entries, got {shapes}.")

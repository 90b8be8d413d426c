"""Which layers make the Lie derivative of a model."""

from collections.abc import Callable, Sequence

import torch
import torch.autograd.forward_ad as forward_ad
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Trajectories
from .._gradients import _differentiable, _explained
from .._provenance import stamp
from .._subject import Subject
from ._generators import Generator
from ._lie import prepared, resolved, window_of

_TINY = 1e-300
OUTPUT = "(output)"


def lie_layers(
    model: nn.Module,
    data: Trajectories,
    along: str | Generator = "tx",
    *,
    modules: Sequence[str] | None = None,
    trajectories: int | None = 4,
    times: int | None = 2,
    seed: int = 0,
    batch: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Which layers make the Lie derivative: a decomposition of $L_X f(x)$ into one term per layer, which add up to it.

    The features after each layer are moved as scalar fields on their own grid. With $D_k$ the tangent of the output when the tangents
    after layers 1 .. k have been replaced by $X h$, the term of layer k is $D_{k-1} - D_k$: how far layer k turns a moved input into
    something else than its moved output, pushed forward to the output of the model by the rest. For a chain of layers this is the chain
    rule of Gruver et al. (arXiv 2210.02984); it needs no chain. Everything between two layers (a functional non-linearity, a
    concatenation, an interpolation) is charged to the later layer; what follows the last one, to "(output)".

    * `contribution` [layer, transition]: norm of the term over $\|f(x)\|$; terms may cancel, so these do not add up.
    * `share` [layer, transition]: projection of the term on the whole, over the whole squared; adds up to 1; negative: it makes up for
      others.
    * `lie` [transition]: the whole, as in `lie_derivative`; `rest` [transition]: norm of whole minus sum of terms over $\|f(x)\|$,
      rounding.

    `modules`: names of submodules; by default all without children whose output is an image [N, K, a, b] or tokens [N, a b, K] of the
    aspect of the grid. A module that is called several times has one term in all. Cost: one forward-mode pass per call.

    * `model`: a `torch.nn.Module`, in evaluation mode while it is measured.
    * `data`: `Trajectories`.
    * `along`: a generator, by name or itself.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `batch`: states that the model answers at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.

    Where it fails: hidden channels of an equivariant network for vectors or rotations are not scalars, then the terms are large
    and cancel; terms tell where the motion is lost and regained, not which weights to blame. Raises `OrbitscopeError` for generators
    that do not move features (boosts, scalings), unknown names, and modules without spatial output.
    """
    (g,) = resolved(along, data, None)
    if g.hidden is None:
        raise OrbitscopeError(f"lie_layers: {g.name!r} changes values, and what it does to features is not known. Use tx, ty or rotation.")
    subject, pairs = prepared(model, data, trajectories, times, seed, batch)
    calls = _calls(subject, pairs.x[:1], data, modules)
    batches = pairs.x.split(batch)
    names = list(dict.fromkeys(name for name, _ in calls)) + [OUTPUT]
    rows: dict[str, list[Tensor]] = {name: [] for name in ("contribution", "share", "lie", "rest")}
    for number, x in enumerate(batches):
        terms, whole, answer = _terms(subject, g, x, calls, names, data)
        for name, value in _shares(terms, whole, answer, window_of(g, x)).items():
            rows[name].append(value)
        if progress is not None:
            progress(number + 1, len(batches))
    result = xr.Dataset(
        {
            **{name: (("layer", "transition"), torch.cat(rows[name], 1).cpu().numpy()) for name in ("contribution", "share")},
            **{name: (("transition",), torch.cat(rows[name]).cpu().numpy()) for name in ("lie", "rest")},
        },
        coords={"layer": names, "trajectory": ("transition", pairs.trajectory_of), "time": ("transition", pairs.time_of)},
    )
    for name, words, units in (
        ("contribution", "||term of the layer|| / ||f(x)||", f"1/({g.unit})"),
        ("share", "<term, whole> / <whole, whole>; adds up to 1", "1"),
        ("lie", "||L_X f(x)|| / ||f(x)||", f"1/({g.unit})"),
        ("rest", "||whole - sum of terms|| / ||f(x)||", f"1/({g.unit})"),
    ):
        result[name].attrs.update(long_name=words, units=units)
    result["share"].attrs.update(sign="positive = adds to the error, negative = makes up for others")
    result.attrs.update(generator=g.name, unit=g.unit)
    return stamp(result, "lie_layers", None, data, subject, seed=seed, trajectories=len(pairs.trajectories), times=len(pairs.times))


Call = tuple[str, tuple[int, int] | None]
"""A call of a module: its name, and the grid of its tokens (None: its output is an image)."""


def _calls(subject: Subject, x: Tensor, data: Trajectories, wanted: Sequence[str] | None) -> list[Call]:
    """The calls of the chosen modules, in the order in which they finish."""
    listed = dict(subject.module.named_modules())
    if wanted is not None and (unknown := [name for name in wanted if name not in listed or not name]):
        raise OrbitscopeError(f"lie_layers: the model has no submodule {unknown[0]!r}. Some that it has: {', '.join(list(listed)[1:6])}.")
    chosen = [n for n, m in listed.items() if n and not any(m.children())] if wanted is None else list(wanted)
    calls: list[Call] = []

    def note(name: str, out: object) -> None:
        found = _places(out, data.grid.shape)
        if found:
            calls.append((name, found[0]))
        elif wanted is not None:
            came = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise OrbitscopeError(f"lie_layers: the output of {name!r}, {came}, is neither an image nor tokens on the grid of the data.")

    hooks = [listed[n].register_forward_hook(lambda m, i, out, n=n: note(n, out)) for n in chosen]
    try:
        with torch.no_grad(), _differentiable():
            subject(subject.parameters, x)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _places(out: object, grid: tuple[int, ...]) -> list[tuple[int, int] | None]:
    """[None] for an image, [(a, b)] for tokens on a grid of a x b, [] for anything else."""
    if not isinstance(out, Tensor) or not out.is_floating_point():
        return []
    if out.ndim == 4:
        a, b = out.shape[2:]
        return [None] if a * grid[1] == b * grid[0] and a > 1 else []
    if out.ndim == 3:
        sides = (a for a in range(2, out.shape[1] + 1) if a * a * grid[1] == out.shape[1] * grid[0] and out.shape[1] % a == 0)
        return [(a, out.shape[1] // a) for a in sides]
    return []


def _hidden(g: Generator, out: Tensor, places: tuple[int, int] | None) -> Tensor:
    assert g.hidden is not None
    if places is None:
        return g.hidden(out)
    image = out.transpose(1, 2).reshape(len(out), out.shape[2], *places)
    return g.hidden(image).flatten(2).transpose(1, 2)


@torch.no_grad()
def _terms(
    subject: Subject, g: Generator, x: Tensor, calls: list[Call], names: list[str], data: Trajectories
) -> tuple[Tensor, Tensor, Tensor]:
    """(terms [layer, N, C, X, Y], L_X f(x), f(x))."""
    answer, before = _replaced(subject, g, x, calls, 0)
    whole = before - g.after(answer)
    terms = torch.zeros(len(names), *answer.shape, dtype=answer.dtype, device=answer.device)
    for k, (name, _) in enumerate(calls, start=1):
        after = _replaced(subject, g, x, calls, k)[1]
        terms[names.index(name)] += before - after
        before = after
    terms[-1] = before - g.after(answer)
    return terms, whole, answer


def _replaced(subject: Subject, g: Generator, x: Tensor, calls: list[Call], count: int) -> tuple[Tensor, Tensor]:
    """Output and its tangent, when the tangents after the first `count` calls are those of the moved features."""
    listed, done = dict(subject.module.named_modules()), 0

    def replace(name: str, out: object) -> Tensor | None:
        nonlocal done
        if done >= count or name != calls[done][0]:
            return None
        assert isinstance(out, Tensor)
        primal = forward_ad.unpack_dual(out).primal
        done += 1
        return forward_ad.make_dual(primal, _hidden(g, primal, calls[done - 1][1]))

    hooks = [listed[n].register_forward_hook(lambda m, i, out, n=n: replace(n, out)) for n in dict.fromkeys(name for name, _ in calls)]
    try:
        with _differentiable(), _explained("directional derivatives"), forward_ad.dual_level():
            out = forward_ad.unpack_dual(subject(subject.parameters, forward_ad.make_dual(x, g.moved(x, subject.frames))))
            tangent = torch.zeros_like(out.primal) if out.tangent is None else out.tangent
            return out.primal.clone(), tangent.clone()
    finally:
        for hook in hooks:
            hook.remove()


def _shares(terms: Tensor, whole: Tensor, answer: Tensor, mask: Tensor) -> dict[str, Tensor]:
    terms, whole, answer = ((v * mask).double().flatten(-3) for v in (terms, whole, answer))
    size = answer.norm(dim=-1) + _TINY
    return {
        "contribution": terms.norm(dim=-1) / size,
        "share": (terms * whole).sum(-1) / (whole.square().sum(-1) + _TINY),
        "lie": whole.norm(dim=-1) / size,
        "rest": (whole - terms.sum(0)).norm(dim=-1) / size,
    }

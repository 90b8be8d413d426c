"""The Lie derivative of a model: its equivariance error under infinitely small moves."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples, Trajectories
from ...physics import Equation
from ...symmetry import Action, GridAction, Symmetry
from .._gradients import _differentiable, _explained
from .._packing import packed_symmetry
from .._provenance import stamp
from .._sample import Transitions, sample_for
from .._subject import Subject, doubled
from ._generators import Generator, generator, generators_of

_TINY = 1e-300
_SAMPLE = 4


def lie_derivative(
    model: nn.Module,
    data: Trajectories | Examples,
    generators: str | Generator | Symmetry | Sequence[str | Generator] = ("tx", "ty"),
    *,
    equation: Equation | None = None,
    trajectories: int | None = 16,
    times: int | None = 4,
    seed: int = 0,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Lie derivative of `model` along each generator, per transition:

    $$L_X f(x) = \frac{d}{dt} g'_{-t} f(g_t x) \Big|_{t=0} = J_f(x)\, X x - X' f(x)$$

    by one forward-mode derivative, no finite step, no interpolation. 0 for a model that commutes with every small move.

    * `lie` [generator, transition]: $\|L_X f(x)\| / \|f(x)\|$, L2 over channels and space (inside the window of the generator), per unit of
      the generator's parameter: times a small t it is the commutator under $g_t$.
    * `relative`: `lie` divided by $\|X x\| / \|x\|$, dimensionless: 1 means as wrong as a model that ignores the move altogether.
    * `lie_by_channel` [generator, transition, channel]: numerator and denominator restricted to one channel.
    * `size` [generator, transition]: $\|X x\| / \|x\|$, over all states that the model sees.
    * `floor` [generator]: what float precision alone leaves of `lie`, measured against float64 on a few states.

    `generators`: names (see `generator`), `Generator`s, or a `Symmetry` whose group is a Lie group: one for each element of the basis of
    its algebra, also for examples that are no fields. Where it fails: a non-linearity aliases, so a plain CNN that commutes with all
    whole-cell shifts has a Lie derivative along them well above 0; that is no fault of the measurement. A model with a kink (ReLU) has
    the derivative of the side it is on. Rotation and dilation see what enters the inner disc from outside.

    * `data`: `Trajectories`; `Examples` of any map where `group` is a `Symmetry`.
    * `equation`: of the states, for generators that change the time step; None: the one that the data's provenance names.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `batch`: states that the model answers at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.

    Source: Gruver, Finzi, Goldblum, Wilson, "The Lie Derivative for Measuring Learned Equivariance", arXiv 2210.02984. Raises
    `OrbitscopeError` for a model that cannot be probed or differentiated and for generators that the data do not allow.

    >>> import orbitscope as osc
    >>> values = torch.randn(2, 2, 1, 8, 8, dtype=torch.float64)
    >>> data = osc.Trajectories(values, osc.Layout.of("density"), osc.Grid.square(8), dt=0.1)
    >>> circular = nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular").double()
    >>> bool(lie_derivative(circular, data)["lie"].max() < 1e-12)
    True
    """
    subject, pairs = prepared(model, data, trajectories, times, seed, batch)
    chosen = resolved(generators, data, equation)
    measure = _measurer(generators, data, subject)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("lie", "relative", "lie_by_channel", "size")}
    floors = []
    for done, g in enumerate(chosen):
        parts = [_derivative(subject, g, x) for x in pairs.x.split(batch)]
        defect, answer = (torch.cat([p[i] for p in parts]) for i in (0, 1))
        tangent = torch.cat([g.moved(x, subject.frames) for x in pairs.x.split(batch)])
        for name, value in measure(defect, answer, pairs.x, tangent, g).items():
            rows[name].append(value)
        floors.append(_floor(subject.module, g, pairs.x[:_SAMPLE], defect[:_SAMPLE], answer[:_SAMPLE]))
        if progress is not None:
            progress(done + 1, len(chosen))
    dims = ("generator", "transition")
    result = xr.Dataset(
        {
            **{name: (dims, np.stack(rows[name])) for name in ("lie", "relative", "size")},
            "lie_by_channel": ((*dims, "channel"), np.stack(rows["lie_by_channel"])),
            "floor": ("generator", np.array(floors)),
        },
        coords={
            "generator": [g.name for g in chosen],
            "unit": ("generator", [g.unit for g in chosen]),
            "channel": _channels(generators, data),
            "trajectory": ("transition", pairs.trajectory_of),
            "time": ("transition", pairs.time_of),
        },
    )
    for name, words, units in (
        ("lie", "||L_X f(x)|| / ||f(x)||", "1/unit"),
        ("lie_by_channel", "||(L_X f(x))_c|| / ||f(x)_c||", "1/unit"),
        ("relative", "||L_X f(x)|| / ||f(x)|| over ||X x|| / ||x||", "1"),
        ("size", "||X x|| / ||x||", "1/unit"),
        ("floor", "what float precision leaves of lie", "1/unit"),
    ):
        result[name].attrs.update(long_name=words, units=units, sign="0 = commutes with small moves, larger is worse")
    notes = "; ".join(f"{g.name}: {g.note}" for g in chosen if g.note)
    result.attrs.update(notes=notes)
    return stamp(result, "lie_derivative", None, data, subject, seed=seed, trajectories=len(pairs.trajectories), times=len(pairs.times))


def resolved(
    asked: str | Generator | Symmetry | Sequence[str | Generator], data: Trajectories | Examples, equation: Equation | None
) -> list[Generator]:
    """Generators from words; of a symmetry those of the basis of its group's algebra."""
    if isinstance(asked, Symmetry):
        return generators_of(packed_symmetry(asked, data) if isinstance(data, Examples) else asked)
    if isinstance(data, Examples):
        raise OrbitscopeError("lie_derivative: examples do not say how they move. Give a Symmetry with a Lie group in place of words.")
    listed = [asked] if isinstance(asked, str | Generator) else list(asked)
    if not listed:
        raise OrbitscopeError("lie_derivative: `generators` is empty; name some, for example ('tx', 'ty').")
    return [generator(g, data, equation) if isinstance(g, str) else g for g in listed]


def prepared(
    model: nn.Module, data: Trajectories | Examples, trajectories: int | None, times: int | None, seed: int, batch: int
) -> tuple[Subject, Transitions]:
    if batch < 1:
        raise OrbitscopeError(f"lie_derivative: `batch` must be at least 1, got {batch}.")
    subject = Subject.of(model, data)
    return subject, sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)


@torch.no_grad()
def _derivative(subject: Subject, g: Generator, x: Tensor) -> tuple[Tensor, Tensor]:
    """(L_X f(x), f(x))."""
    with _differentiable(), _explained("directional derivatives"):
        answer, pushed = torch.func.jvp(lambda s: subject(subject.parameters, s), (x,), (g.moved(x, subject.frames),))[:2]
    defect = pushed - g.after(answer)
    if not bool(torch.isfinite(defect).all()):
        raise OrbitscopeError(
            f"model: its Lie derivative along {g.name!r} holds NaN or infinite values. A norm or root at 0 is the usual cause."
        )
    return defect, answer


def _channels(asked: object, data: Trajectories | Examples) -> list[str]:
    return list(asked.output.channels if isinstance(asked, Symmetry) else data.layout.channel_names)  # pyright: ignore[reportAttributeAccessIssue]


def _measurer(asked: object, data: Trajectories | Examples, subject: Subject) -> Callable[..., dict[str, np.ndarray]]:
    """How the sizes of tangents are taken: over the window of a grid, or channel by channel of the actions' blocks."""
    if not isinstance(asked, Symmetry) or isinstance(asked.output, GridAction):
        return lambda defect, answer, x, tangent, g: _measured(defect, answer, x, tangent, window_of(g, x))
    symmetry = packed_symmetry(asked, data) if isinstance(data, Examples) else asked

    def sizes(action: Action, values: Tensor) -> Tensor:
        blocks = action.blocks(values) if action.linear else (values.reshape(len(values), -1, 1),)
        return torch.cat([b.double().norm(dim=2) for b in blocks], 1)

    def measure(defect: Tensor, answer: Tensor, x: Tensor, tangent: Tensor, g: Generator) -> dict[str, np.ndarray]:
        return _ratios(*(sizes(symmetry.output, v) for v in (defect, answer)), *(sizes(symmetry.input, v) for v in (x, tangent)))

    return measure


def window_of(g: Generator, x: Tensor) -> Tensor:
    window = torch.ones(x.shape[2:], dtype=torch.bool) if g.window is None else g.window
    return window.to(x)


def _measured(defect: Tensor, answer: Tensor, x: Tensor, tangent: Tensor, mask: Tensor) -> dict[str, np.ndarray]:
    wrong, whole, state, moved = ((v * mask).double().flatten(2).norm(dim=2) for v in (defect, answer, x, tangent))
    return _ratios(wrong, whole, state, moved)


def _ratios(wrong: Tensor, whole: Tensor, state: Tensor, moved: Tensor) -> dict[str, np.ndarray]:
    """From norms by channel [N, C] of the defect, the answer, the state and its tangent."""
    lie = wrong.norm(dim=1) / (whole.norm(dim=1) + _TINY)
    size = moved.norm(dim=1) / (state.norm(dim=1) + _TINY)
    values = {"lie": lie, "relative": lie / (size + _TINY), "lie_by_channel": wrong / (whole + _TINY), "size": size}
    return {name: value.cpu().numpy() for name, value in values.items()}


def _floor(model: nn.Module, g: Generator, x: Tensor, defect: Tensor, answer: Tensor) -> float:
    """Distance of the Lie derivative to that of the same model in float64; in float64, or if that fails, ten rounding units of X f(x)."""
    size = float(answer.double().norm()) + _TINY
    fallback = 10 * torch.finfo(answer.dtype).eps * float((g.after(answer).double().norm() + defect.double().norm()) / size)
    if answer.dtype == torch.float64:
        return fallback
    try:
        exact, _ = _derivative(Subject.of(doubled(model)), g, x.double())
    except (RuntimeError, TypeError, NotImplementedError, OrbitscopeError):
        return fallback
    return float((defect.double() - exact).norm() / size)

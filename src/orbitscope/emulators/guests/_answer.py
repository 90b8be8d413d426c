"""The next state in what somebody else's model answers: picked out of tuples, dicts and objects, its axes put in our order."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from torch import Tensor

from ..._errors import OrbitscopeError
from ._axes import Axes, is_pattern

Step = int | str | Callable[[Any], Any]


@dataclass(frozen=True)
class Answer:
    """Steps into the answer (an index, a key or attribute, a function), the axes of the tensor there, and which of its states is next."""

    axes: Axes
    picks: tuple[Step, ...] = ()
    step: int | None = None
    stated: bool = field(default=True)
    """Whether the axes were said, and not taken to be those of the input."""

    def read(self, answer: Any, ndim: int, sizes: Mapping[str, int]) -> Tensor:
        """The next state [b, channel, *space]; raises saying what came and what can be picked from it."""
        for one in self.picks:
            answer = _pick(answer, one)
        if not isinstance(answer, Tensor):
            raise OrbitscopeError(
                f"out: the model answers with {_named(answer)}, not with a tensor. Say where the next state is: {_places(answer)}."
            )
        axes = self.axes
        if not self.stated and (axes.stacked or answer.ndim != _count(axes, ndim)):
            axes = axes.without_time  # what went in had room for several states, one comes out
        if not self.stated and answer.ndim != _count(axes, ndim):
            raise OrbitscopeError(
                f"out: the answer has shape {tuple(answer.shape)}, which is not {axes.text!r}. Say its axes: out='b c x y', or "
                "out=(0, 'b c x y') to pick first."
            )
        return self._next(axes.back(answer, ndim, sizes))

    def _next(self, states: Tensor) -> Tensor:
        count = states.shape[1]
        if self.step is None and count > 1:
            raise OrbitscopeError(
                f"step: the answer holds {count} states. Say which one is next: step=-1 where each answers one of the "
                "past states (causal models), step=0 where the model forecasts several states at once."
            )
        step = 0 if self.step is None else self.step
        if not -count <= step < count:
            raise OrbitscopeError(f"step: the answer holds {count} states, so there is no step {step}.")
        return states[:, step]


def answer_of(out: Any, axes: Axes, step: int | None) -> Answer:
    """From the words of `adapt`: None, a pattern, an index, a key, a function, or several of these with the pattern last."""
    parts = list(out) if isinstance(out, list | tuple) else [] if out is None else [out]
    own = Axes(parts.pop(), "out") if parts and is_pattern(parts[-1]) else None
    wrong = [p for p in parts if is_pattern(p) or isinstance(p, bool) or not (isinstance(p, int | str) or callable(p))]
    if wrong:
        raise OrbitscopeError(
            f"out: cannot use {wrong[0]!r}. Give an index (0), a key or attribute ('output'), a function, a pattern ('b c x y'), or "
            "several of these with the pattern last: (0, 'b x y t c')."
        )
    if step is not None and (isinstance(step, bool) or not isinstance(step, int)):
        raise OrbitscopeError(f"step: should be the index of a state in the answer, such as -1, got {step!r}.")
    return Answer(Axes(axes.text, "out") if own is None else own, tuple(parts), step, own is not None)


def _count(axes: Axes, ndim: int) -> int:
    """How many axes a tensor of this pattern has; a bracket is one."""
    return len(re.sub(r"\([^()]*\)", "g", axes.letters(ndim)[0]).split())


def _pick(answer: Any, step: Step) -> Any:
    if callable(step):
        return step(answer)
    try:
        if isinstance(step, int):
            return answer[step]
        return answer[step] if isinstance(answer, Mapping) else getattr(answer, step)
    except (LookupError, AttributeError, TypeError):
        raise OrbitscopeError(f"out: {step!r} is not in the answer, {_named(answer)}. There is: {_places(answer)}.") from None


def _named(answer: Any) -> str:
    if isinstance(answer, Tensor):
        return f"a tensor of shape {tuple(answer.shape)}"
    if isinstance(answer, Mapping):
        return f"a {type(answer).__name__} with keys {', '.join(map(str, list(answer)[:8]))}"
    if isinstance(answer, Sequence) and not isinstance(answer, str):
        kinds = ", ".join(str(tuple(a.shape)) if isinstance(a, Tensor) else type(a).__name__ for a in list(answer)[:8])
        return f"a {type(answer).__name__} of {len(answer)} ({kinds})"
    return type(answer).__name__


def _places(answer: Any) -> str:
    """What `out` could say."""
    if isinstance(answer, Mapping):
        known = {k: v for k, v in answer.items() if isinstance(v, Tensor)} or dict(answer)
        return ", ".join(f"out={k!r}" for k in list(known)[:8]) or "nothing"
    if isinstance(answer, Sequence) and not isinstance(answer, str):
        return ", ".join(f"out={k}" for k, a in enumerate(list(answer)[:8]) if isinstance(a, Tensor)) or "no tensor"
    names = [f.name for f in fields(answer)] if is_dataclass(answer) else [k for k in getattr(answer, "__dict__", {})]
    tensors = [k for k in names if isinstance(getattr(answer, k, None), Tensor)]
    return ", ".join(f"out={k!r}" for k in tensors[:8]) or "no tensor, so give a function"

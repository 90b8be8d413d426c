"""Which single change of a declaration would mend it."""

import itertools
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ._env_symmetry import EnvSymmetry
from ._pairs import Steps, stepped

Array = NDArray[np.float64]
_PAIRS, _MENDED = 10, 1e-6


class _Sizes(Protocol):
    """Of `audit_environment`."""

    state: Array
    observation: Array
    reward: float
    transition: float

    def norms(self, gap: Array) -> Array: ...


def repairs(env: Any, symmetry: EnvSymmetry, g: Any, steps: Steps, sizes: _Sizes) -> list[str]:
    """Sentences on the changes that mend what `g` breaks, or that none of those that were tried does."""
    try:
        layouts = {what: symmetry.layout(what) for what in ("state", "action", "observation")}
    except OrbitscopeError:  # images have no signs to change
        return []
    rows = np.linspace(0, len(steps) - 1, min(_PAIRS, len(steps))).astype(int)
    some = steps.take(rows)
    matrices = {what: layout.matrix(g) for what, layout in layouts.items()}
    before = _gap(env, matrices["state"], matrices["action"], some, sizes)
    said, state = [], matrices["state"]
    if before > _MENDED:
        found, words, state = _best(env, layouts, matrices, some, sizes)
        if found <= _MENDED:
            said.append(f"It would be exact if {words}.")
        elif found < 0.2 * before:
            said.append(f"It would be {before / found:.0f} times as true if {words}.")
        else:
            said.append(
                "No change of one sign, of one field or exchange of two components mends it, so it is the environment that breaks it."
            )
            state = matrices["state"]
    return said + _observed(env, layouts, matrices, state, some, sizes)


def _gap(env: Any, state: Array, action: Array, some: Steps, sizes: _Sizes) -> float:
    """Transitions and rewards together, in shares of unrelated ones."""
    moved = stepped(env, some.state @ state.T, some.action @ action.T)
    gap = float(np.sqrt(np.square(sizes.norms(moved.after - some.after @ state.T)).mean())) / sizes.transition
    return max(gap, float(np.abs(moved.reward - some.reward).max()) / max(sizes.reward, 1e-6))


def _best(env: Any, layouts: Any, matrices: dict[str, Array], some: Steps, sizes: _Sizes) -> tuple[float, str, Array]:
    best, words, chosen = np.inf, "", matrices["state"]
    for what, change, said in _changes(layouts):
        given = {**matrices, what: change @ matrices[what]}
        gap = _gap(env, given["state"], given["action"], some, sizes)
        if gap < best:
            best, words, chosen = gap, said, given["state"]
        if best <= _MENDED:
            break
    return best, words, chosen


def _changes(layouts: Any) -> Iterator[tuple[str, Array, str]]:
    """Signs of components and of whole fields, and exchanges of two components of the action."""
    for what in ("action", "state"):
        layout, size = layouts[what], layouts[what].channels
        fields = np.asarray(layout.field_of_channel)
        for k, f in enumerate(layout.fields):
            signs = np.where(fields == k, -1.0, 1.0)
            yield what, np.diag(signs), f"{what} {f.name} changed its sign (it is declared {f.representation!r})"
        for k, name in enumerate(layout.channel_names):
            if layout.sizes[fields[k]] > 1:
                yield what, np.diag(np.where(np.arange(size) == k, -1.0, 1.0)), f"{what} {name} alone changed its sign"
    names = layouts["action"].channel_names
    for i, j in itertools.combinations(range(len(names)), 2):
        swap = np.eye(len(names))
        swap[[i, j]] = swap[[j, i]]
        yield "action", swap, f"actions {names[i]} and {names[j]} were exchanged"


def _observed(env: Any, layouts: Any, matrices: dict[str, Array], state: Array, some: Steps, sizes: _Sizes) -> list[str]:
    """What each observation that fails becomes in fact."""
    moved = stepped(env, some.state @ state.T, some.action @ matrices["action"].T).observation
    declared = some.observation @ matrices["observation"].T
    said, names = [], layouts["observation"].channel_names
    for i, name in enumerate(names):
        if np.abs(moved[:, i] - declared[:, i]).max() <= _MENDED * sizes.observation[i]:
            continue
        row = matrices["observation"][i]
        fits = [
            f"{'-' if sign < 0 else ''}{names[j]}"
            for j, sign in itertools.product(range(len(names)), (1, -1))
            if np.abs(moved[:, i] - sign * some.observation[:, j]).max() <= _MENDED * sizes.observation[i]
        ]
        was = " + ".join(f"{'-' if v < 0 else ''}{names[j]}" for j, v in enumerate(row) if abs(abs(v) - 1) < 1e-9) or "a mixture"
        became = f"it becomes {fits[0]}" if fits else "it becomes no single one of them"
        said.append(f"Observation {name} is declared to become {was}; {became}.")
    return said

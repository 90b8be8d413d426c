r"""How much a law, or a network, departs from a symmetry: the same measure for both, and the published data error.

Departure of a map $f$ (one step) under $g$ over states x of unseen tasks, y the true next state:
$\sqrt{\mathrm{mean}_{fields} \sum \|g^{-1} f(g x) - f(x)\|^2 / \sum \|y - x\|^2}$.
0 commutes, 1 is as much as a step changes. For the *law* f is the solver with the force that belongs to the side where the plume is (x
turned to another side gets that side's force); for a *network* f is the network.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from plumes import ELEMENTS, PATTERNS, SEEN, TURNS, Plumes, Task
from torch import Tensor

import orbitscope as osc

FIELDS = (slice(0, 1), slice(1, 3))
Step = Callable[[Tensor, osc.Isometry], Tensor]


def elements(data: str) -> tuple[str, ...]:
    """What can be asked of a set: D4 of the rotation sets, the flip of x where the force differs between left and right."""
    return {"translation": ("s",), "scale": ()}.get(data, ELEMENTS)


def departure(step: Step, x: Tensor, y: Tensor, words: Sequence[str], action: osc.GridAction) -> dict[str, float]:
    """Element -> departure of `step`, a function of (states, element that moved them); x and y [B, 3, n, n], seen channels."""
    group = osc.dihedral(4)
    with torch.no_grad():
        still = step(x, group["e"])
        found = {}
        for word in words:
            g = group[word]
            gap = action(g.inverse(), step(action(g, x), g)) - still
            parts = [float(gap[:, f].double().square().sum() / (y - x)[:, f].double().square().sum()) for f in FIELDS]
            found[word] = (sum(parts) / len(parts)) ** 0.5
    return found


def probe_states(plumes: Plumes, times: int) -> tuple[Tensor, list[Task], Tensor]:
    """States of unseen tasks at `times` times of the window and the next ones, all six channels, and their tasks."""
    numbers = plumes.where("domain")
    values = plumes.whole.tensor()[numbers]
    at = torch.linspace(0, values.shape[1] - 2, times).round().long()
    return values[:, at].flatten(0, 1), [plumes.tasks[n] for n in numbers for _ in at], values[:, at + 1].flatten(0, 1)


def law_departure(plumes: Plumes, data: str, law: osc.Equation, times: int) -> dict[str, float]:
    """Departure of the law that made the data, as far as what the networks see goes."""
    words = elements(data)
    if not words:
        return {}
    x, tasks, y = probe_states(plumes, times)
    dt, whole = plumes.whole.dt, osc.GridAction(law.layout, law.grid(x.shape[-1]))

    def step(_: Tensor, g: osc.Isometry) -> Tensor:
        moved = whole(g, x)
        moved[:, 4:] = x[:, 4:] if data == "translation" else _force_there(plumes, moved, tasks)
        return law.step(moved, dt)[:, :3]

    seen = osc.GridAction(plumes.whole.select(SEEN).layout, plumes.whole.grid)
    return departure(step, x[:, :3], y[:, :3], words, seen)


def _force_there(plumes: Plumes, moved: Tensor, tasks: list[Task]) -> Tensor:
    """The buoyancy of a moved state, scaled to that of the side it now comes from, in the same round."""
    force = {(t.round, t.side): t.force for t in plumes.tasks}
    towards = torch.tensor([[0.0, 1.0], [-1.0, 0.0], [0.0, -1.0], [1.0, 0.0]])  # bottom, right, top, left
    sides = (moved[:, 4:].mean((2, 3)) @ towards.T).argmax(1).tolist()
    ratio = torch.tensor([force[t.round, side] / t.force for t, side in zip(tasks, sides, strict=True)])
    return moved[:, 4:] * ratio[:, None, None, None]


def data_error(plumes: Plumes, data: str) -> dict[str, float]:
    r"""The published measure, the mean of $|v_0 - g_j^{-1} v_j|$ over tasks, times and cells (velocity), and the same over mean $|v|$.

    Pairs: the sides of a round against the bottom one; a place against its mirror image; a box against the smallest one.
    """
    velocity = plumes.whole.select("velocity")
    values, action, group = velocity.tensor(), osc.GridAction(velocity.layout, velocity.grid), osc.dihedral(4)
    gaps: list[Tensor] = []
    by = {(t.round, t.side): n for n, t in enumerate(plumes.tasks)}
    for (number, side), n in by.items():
        if data in PATTERNS or data == "rotation":
            first, moved = by[number, 0], action(group[TURNS[side]].inverse(), values[n])
        elif data == "translation":
            first, moved = by[number, 0], action(group["s"], values[n])
        else:
            first, moved = by[0, 0], values[n]
        if n != first:
            gaps.append((moved - values[first]).abs().mean())
    absolute = float(torch.stack(gaps).mean())
    return {"data_error": absolute, "relative_data_error": absolute / float(values.abs().mean())}


def set_rows(plumes: Plumes, data: str, law: osc.Equation, times: int) -> dict[str, list[dict[str, Any]]]:
    """Tables of one set: its data error, and its departure per element."""
    true = law_departure(plumes, data, law, times)
    forces = {f"force_{side}": _mean([t.force for t in plumes.tasks if t.side == side]) for side in sorted({t.side for t in plumes.tasks})}
    return {
        "sets": [{**data_error(plumes, data), **forces, "trajectories": len(plumes.tasks)}],
        "law": [{"element": g, "departure": v} for g, v in true.items()],
    }


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)

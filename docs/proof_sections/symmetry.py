"""How exactly every solver commutes with every symmetry that it declares."""

import html

import torch
from proofs.commutation import cases, commutation, states

from orbitscope.physics import scenarios

from ._section import Numbers, Run, Section, power, table

#: What the tests ask of one short step.
_BOUND = 1e-10


def _compute(run: Run) -> Numbers:
    found: Numbers = {}
    for name in cases():
        law = states(name, 1, n=8)[0]
        n = 8 if law.layout.ndim == 3 else run.pick(16, 8)
        # A twentieth of the scenario's time: 0.05 where it runs to 1.
        dt = scenarios()[name].t_end / 20 if name in scenarios() else 0.05
        groups: Numbers = {}
        for dtype in (torch.float64, torch.float32):
            solver, x = states(name, run.pick(3, 1), dtype, n)
            for item in commutation(solver, x, dt, n):
                group = groups.setdefault(item.group.name, {})
                group.setdefault(str(dtype).removeprefix("torch."), {})[item.element] = item.error
        found[name] = {"groups": groups, "points": n, "dt": dt, "law": law.name}
    return found


def _is_shift(group: str) -> bool:
    return group[:1] == "T" and group[1:2] in "xyz"


def _render(numbers: Numbers) -> str:
    rows, elements = [], []
    for name, case in numbers.items():
        groups = case["groups"]
        turns, shifts = ([g for g in groups if _is_shift(g) == wanted] for wanted in (False, True))
        row = [name, ", ".join(turns), ", ".join(shifts) or "–", f"{case['dt']:g}"]
        for part in (turns, shifts):
            for kind in ("float64", "float32"):
                worst = max((max(groups[g][kind].values()) for g in part), default=None)
                word = "–" if worst is None else power(worst)
                broken = worst is not None and kind == "float64" and worst > _BOUND
                row.append(f"**{word}**" if broken else word)
        rows.append(row)
        for group in turns:
            cells = ", ".join(f"{g} {power(e)}" for g, e in groups[group]["float64"].items())
            elements.append(f"<li><code>{name}</code>, {group}: {html.escape(cells)}</li>")
    header = ["case", "group", "shifts", "time", "group, float64", "float32", "shifts, float64", "float32"]
    return "\n\n".join(
        [
            "Solve and act, or act and solve: the largest difference over all elements of the declared group, three states and all cells, "
            "relative to the largest value of the field (a vector as a whole; the worst field counts). A vector's components turn with it, "
            "a pseudoscalar changes sign under reflections. `Tx16` are the sixteen shifts along x by whole cells. The Euler kernel "
            "does the same "
            "arithmetic in every orientation, so that most of its errors are 0, to the last bit. "
            f"**Bold** is what exceeds {power(_BOUND, 0)} in float64, the bound of the tests on a short step: a chaotic flow over a "
            f"long time may, a "
            "short one may not.",
            table(header, rows, 3),
            "<details><summary>Element by element, float64</summary>\n<ul>\n" + "\n".join(elements) + "\n</ul>\n</details>",
        ]
    )


SECTION = Section("symmetry", "Declared symmetries", _compute, _render)

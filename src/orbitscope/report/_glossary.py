"""The words of the verdict table, defined above it from what these cases hold: groups, elements, breaking, coherence, samples."""

from collections.abc import Sequence

import numpy as np

from ._case import Case, Group, labels
from ._text import count, element_list


def glossary(cases: Sequence[Case]) -> list[tuple[str, str]]:
    """Term and definition, in the order in which the table needs them; nothing that these cases do not use."""
    groups: dict[str, Group] = {}
    for case in cases:
        for group in case.groups:
            groups.setdefault(group.title, group)
    found = [
        (
            "x, g, f",
            "x is a state, g a move (an element of a group), gx the moved state; f is the model, so that f(gx) is the forecast from the "
            "moved state and g f(x) the moved forecast. A model has a symmetry where the two are equal.",
        )
    ]
    found += [(name, said) for name, group in groups.items() if (said := described(group))]
    if any(g.part("equivariance") is not None for g in groups.values()):
        found.append(
            (
                "breaking",
                "The part of the squared error by which the forecasts from x and from all gx, brought back, differ among themselves; "
                "averaging them would remove it. “Holds”: at most the margin (5 % by default) with its 95 % interval; “broken”: more; "
                "“exact”: none but rounding. “Moving costs” compares the errors on gx and on x.",
            )
        )
    if any(g.part("influence") is not None for g in groups.values()):
        found.append(
            (
                "coherence",
                "Whether a training step on x and one on gx ask for the same change of the weights: 1 they do, 0 they do not interact. "
                "Unrelated states, the comparison, are those of other trajectories at the same time; the excess is the coherence with gx "
                "above theirs. “Shared”: the excess is above 0 by its interval and a permutation test.",
            )
        )
    sampled = {name: n for name, group in groups.items() if (n := _sampled(group))}
    if sampled:
        some = "; ".join(f"{name}: {element_list(n)}" for name, n in sampled.items())
        found.append(
            (
                "sample of elements",
                "The learning is dear to measure and so is measured on some elements of a large group: the first ones in a row, where the "
                f"mark of a stride or a patch shows, and the others spread evenly (`influence_elements` sets how many). {some}.",
            )
        )
    return found


def described(group: Group) -> str:
    """What the elements of a group do, from the coordinates of the results; empty where they do not say."""
    names = group.elements
    if group.translations:
        return (
            f"The {len(names)} shifts along {group.axis} by multiples of 1/{len(names)} of the period; the element k, 0 to {names[-1]}, "
            "shifts by k of them."
        )
    angle, determinant, still = (group.about(f"element_{n}") for n in ("angle", "determinant", "translation"))
    if angle is None or determinant is None or still is None or len(names) < 2:
        return ""
    turns = [n for n, d in zip(names, determinant, strict=True) if d > 0]
    mirrors = [n for n, d in zip(names, determinant, strict=True) if d < 0]
    angles = np.asarray([a for a, d in zip(angle, determinant, strict=True) if d > 0], dtype=float)
    if not np.isfinite(angles).all() or len(turns) + len(mirrors) != len(names) or len(set(angles.round(6))) != len(turns):
        return ""
    step = 360 / len(turns)
    parts = [f"{count(len(turns), 'rotation')} by multiples of {step:g}°"] if len(turns) > 1 else []
    parts += [f"{count(len(mirrors), 'reflection')}"] if mirrors else []
    said = " and ".join(parts)
    names_said = []
    if group.identity:
        names_said.append(f"{', '.join(sorted(group.identity))} leaves a state as it is")
    if {"r", "r2"} <= set(turns):
        names_said.append(f"r turns it by {step:g}°, r2 by {2 * step:g}°")
    if "s" in mirrors:
        names_said.append("s mirrors it along the first axis")
    if "sr" in mirrors:
        names_said.append("sr turns it by r, then mirrors")
    return f"{said[:1].upper()}{said[1:]}: {', '.join(names_said)}." if names_said else f"{said}."


def _sampled(group: Group) -> list[str]:
    """The elements with an influence, where they are not all; without the identity."""
    influence = group.part("influence")
    names = labels(influence) if influence is not None else ()
    return [n for n in names if n not in group.identity] if 0 < len(names) < len(group.elements) else []

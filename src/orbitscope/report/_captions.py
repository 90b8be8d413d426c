"""The sentences around the figures, each made from the numbers that the figure shows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._case import Case, Group, array, labels
from ._plot import quartiles
from ._text import MISSING, as_float, element_list, number, span


@dataclass(frozen=True)
class Caption:
    """What a kind of figure shows, which a printed page says once, and what this one found."""

    definition: str
    found: str = ""


def output(groups: Sequence[Group]) -> Caption:
    """What the error figure shows, with its range."""
    text = (
        "Share of the error: the part of the squared error over x and gx that the broken symmetry carries, with its 95 % interval over "
        "trajectories; an interval below the dashed margin holds, one above it is broken. "
        "Relative error, median and quartiles over transitions: the error of the forecast from the moved state over that from the "
        "original; 1 (dashed) means that moving the state costs nothing, which a model that breaks the symmetry with all of its error "
        "can reach. Commutator, ‖f(gx) − g f(x)‖ ⁄ ‖f(x)‖: the gap between moving before and after the model, no truth "
        "involved; the noise floor is the smallest gap that this measurement can see."
    )
    found = []
    for group in groups:
        data = group.part("equivariance")
        if data is not None:
            error, commutator = (_range_of_medians(group, data, n) for n in ("relative_error", "commutator"))
            found.append(f"{group.title}, medians apart from the identity: relative error {error}, commutator {commutator}.")
    return Caption(text, " ".join(found))


def learning(group: Group) -> Caption:
    """What the coherence figure shows, in which metric."""
    data = group.part("influence")
    text = (
        "Coherence between the gradient at x and at gx (median and quartiles over transitions) against its null, the same number between "
        "different trajectories. Excess is the first minus the second with its bootstrap 95 % interval. Shared, an interval above 0 and "
        "a permutation test corrected for all elements, means specific to this state; it does not mean that training on copies helps."
    )
    if data is None:
        return Caption(text)
    if array(data, "control", "element") is not None:
        text += " Green diamonds: the group-averaged model, where theory demands exactly 1."
    found = ""
    if data.attrs.get("metric"):
        damping = data.attrs.get("damping")
        found = f"Metric: {_words(data.attrs['metric'])}"
        found += f", damping {number(damping)}." if math.isfinite(as_float(damping)) else "."
    return Caption(text, found)


def time(group: Group) -> str:
    """What the matrices show, and the sign."""
    data = group.part("influence")
    sign = _words(data.attrs.get("sign") or "") if data is not None else ""
    text = (
        "Each cell is a median over trajectories: does a gradient step on the transition at the ket's time lower the loss of the "
        "transition at the bra's time, moved by g? Pairs from one trajectory beside pairs from different ones, which are the null."
    )
    return f"{text} {_sentence(sign)} Red is positive, blue negative." if sign else f"{text} Red: a small step helps. Blue: it harms."


def pictures(group: Group) -> str:
    """How the pictures are drawn."""
    return (
        "x points right and y up. The first four columns share one colour scale per field (all components of a vector together); the last "
        "column has its own, symmetric about zero and shared by all rows, and names its largest absolute value. A model that commutes "
        "leaves the last column blank."
    )


def convention(case: Case) -> Caption:
    """Which convention fits."""
    attrs = case.audit.attrs if case.audit is not None else {}
    fits = attrs.get("convention_fits")
    text = "Each mark is one check of one way to read the file; the reading with the smallest scores is the one the values obey."
    return Caption(text, f"Fits best: {fits}." if fits else "")


def audit(groups: Sequence[Group]) -> str:
    """What the audit figure shows."""
    return (
        "Physics: a transition (x, y) is moved to (gx, gy) and handed to the solver; the residual compares what the solver makes of gx "
        "with gy, in units of the step itself. At the dotted floor the moved transition obeys the physics as well as the original. "
        "Distribution: the corrected p-value of a two-sample test between moved and original states; below the dashed line the file's "
        "distribution is not invariant, even where the physics is."
    )


def audit_verdict(case: Case) -> str:
    """The file's verdict in words."""
    if case.audit is None:
        return ""
    attrs = case.audit.attrs
    verdict = attrs.get("verdict")
    return " ".join(str(t) for t in (f"Verdict on the file: {verdict}." if verdict else "", attrs.get("explanation") or "") if t)


def training(case: Case) -> str:
    """Test error against persistence."""
    attrs = case.training.attrs if case.training is not None else {}
    test, persistence = as_float(attrs.get("test_smse")), as_float(attrs.get("persistence_smse"))
    text = "Scaled mean square error of one step. Persistence is the forecast “nothing changes”; a model above it has learnt nothing."
    if test > 0 and persistence > 0:
        text += f" Test {number(test)}, persistence {number(persistence)}: a factor {number(persistence / test, 2)}."
        text += "" if test < persistence else " This model does not beat persistence: read nothing into its symmetry."
    return text


def missing(group: Group) -> str:
    """Which instruments were not run."""
    absent = [name for name in ("equivariance", "influence") if group.part(name) is None]
    return f"Not measured for this group: {' and '.join(absent)}." if absent else ""


def _range_of_medians(group: Group, data, name: str) -> str:
    values = array(data, name, "element", "transition")
    if values is None:
        return MISSING
    names, middle = labels(data), quartiles(values, len(values))[1]
    others = [i for i, e in enumerate(names) if e not in group.identity] or list(range(len(names)))
    if not np.isfinite(middle[others]).any():
        return MISSING
    worst = others[int(np.nanargmax(middle[others]))]
    return f"{span(middle[others])}" + (f" (largest for {element_list([names[worst]])})" if len(others) > 1 else "")


def _words(value: object) -> str:
    return str(value).replace("_", " ")


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."

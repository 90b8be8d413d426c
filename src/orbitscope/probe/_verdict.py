"""From numbers to words: what holds in the data, in the output, in the learning, and what to do next."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ..symmetry import Group, Isometry
from ._audit import CONTRADICTS, NOT, PHYSICS_ONLY
from ._cures import cures
from ._learning_words import SHARED, UNKNOWN, learning_sentence, learning_words
from ._learnt import learnt_subgroup
from ._listed import listed

OBEYS, NEARLY, BROKEN = "holds", "approximate", "broken"
_OF_PHYSICS = "symmetry of the physics"  # all words of the audit that say so begin like this
_NEARLY_FACTOR = 2.0
_SKILL = 0.5  # of the error of persistence; above it a relative error near 1 says "equally wrong"
_FLOORS = 10.0  # a commutator within so many floors is exact, skill or not
_ROUNDING = 1e-3  # a floor above it is no rounding but resampling, and then "within the floor" may be far from exact


def verdict(
    group: Group,
    equivariance: xr.Dataset,
    influence: xr.Dataset | None = None,
    audit: xr.Dataset | None = None,
    *,
    tolerance: float = 1.25,
) -> xr.Dataset:
    """Words per element and sentences per group, from the results of the three instruments.

    * output: median relative error at most `tolerance` = holds; at most twice that = approximate; else broken. A commutator at its
      floor of rounding holds whatever the error is. A model that is not plainly better than persistence (median `skill` above 0.5)
      is equally wrong everywhere, which looks like a relative error of 1: undetermined.
    * learning: the 95 % interval of the excess coherence above 0, and the permutation test significant after Holm's correction for all
      elements (if so many trajectories allow that at all) = shared; interval below 0 = opposed; else no more than chance.
    * learnt subgroup: the largest subgroup of elements whose output holds. It rests on the error; the coherence is evidence of mechanism,
      and where the two disagree the sentence says so. `shared_subgroup` asks for both. `_support` is the share of resampled
      trajectories that give the same subgroup (see `learnt_subgroup`).
    """
    names = [str(n) for n in equivariance["element"].values]
    error = equivariance["relative_error"].median("transition").values
    skill = float(equivariance["skill"].median())
    output = np.where(error <= tolerance, OBEYS, np.where(error <= _NEARLY_FACTOR * tolerance, NEARLY, BROKEN)).astype(object)
    if not skill <= _SKILL:
        output[output != BROKEN] = UNKNOWN
    floor = equivariance["floor"].values
    exact = (floor <= _ROUNDING) & (equivariance["commutator"].median("transition").values <= _FLOORS * floor)
    output[exact] = OBEYS
    learning = _per_element(names, influence, learning_words)
    data = _per_element(names, audit, lambda a: [str(v) for v in a["verdict"].values])
    holding = [group[n] for n, o in zip(names, output, strict=True) if o == OBEYS]
    learnt = [g.name for g in group.largest_subgroup(holding)]
    refused = audit is not None and audit.attrs["verdict"] == CONTRADICTS
    result = xr.Dataset(
        {"data": ("element", data), "output": ("element", list(map(str, output))), "learning": ("element", learning)},
        coords={"element": names},
    )
    result.attrs.update(
        sentence_data=_data_sentence(names, data, audit),
        sentence_output=_output_sentence(names, output, error, skill),
        sentence_learning=learning_sentence(names, learning, influence, group) + _disagreement(names, learning, output, influence, group),
        sentence_next=_next_sentence(group, names, data, output, audit, refused),
        learnt_subgroup=", ".join(learnt),
        **_support(group, equivariance, influence, tolerance, learnt, holding),
        learnt_order=len(learnt),
        output_tolerance=float(tolerance),
        skill=skill,
        group=group.name,
    )
    return result


def _per_element(names: list[str], result: xr.Dataset | None, words: object) -> list[str]:
    if result is None:
        return [UNKNOWN] * len(names)
    known = dict(zip((str(n) for n in result["element"].values), words(result), strict=True))  # pyright: ignore[reportCallIssue]
    return [known.get(n, UNKNOWN) for n in names]


def _support(
    group: Group, equivariance: xr.Dataset, influence: xr.Dataset | None, tolerance: float, learnt: list[str], holding: list[Isometry]
) -> dict[str, object]:
    """How often resampled trajectories give the learnt subgroup, and the subgroup on which output and learning both hold."""
    if "trajectory" not in equivariance.coords or len(holding) < 1:
        return {}
    drawn = learnt_subgroup(group, equivariance, influence, tolerance=tolerance, resamples=200)
    words = [str(w) for w in drawn["output_subgroup"].values]
    same = words.index(", ".join(learnt)) if ", ".join(learnt) in words else None
    attributes: dict[str, object] = {"learnt_support": 0.0 if same is None else float(drawn["output_subgroup_support"][same])}
    if influence is not None:
        attributes |= {
            "shared_subgroup": drawn.attrs["learnt_subgroup"], "shared_order": drawn.attrs["learnt_subgroup_order"],
            "shared_support": drawn.attrs["learnt_subgroup_support"],
        }  # fmt: skip
    return attributes


def _members(names: list[str], words: Sequence[str], wanted: str) -> list[str]:
    return [n for n, w in zip(names, words, strict=True) if w == wanted]


def _data_sentence(names: list[str], data: list[str], audit: xr.Dataset | None) -> str:
    if audit is None:
        return "Not audited."
    if audit.attrs["verdict"] == CONTRADICTS:
        return f"REFUSED: the file contradicts its declared convention; {audit.attrs['convention_fits']} fits. {audit.attrs['explanation']}"
    kinds = [k for k in dict.fromkeys(data) if k != UNKNOWN]
    if len(kinds) == 1:
        return f"All {len(_members(names, data, kinds[0]))} elements: {kinds[0]}."
    return " ".join(f"{listed(_members(names, data, k))}: {k}." for k in kinds)


def _output_sentence(names: list[str], output: np.ndarray, error: np.ndarray, skill: float) -> str:
    parts = []
    for word, text in ((OBEYS, "Holds on"), (NEARLY, "approximate on"), (BROKEN, "broken on"), (UNKNOWN, "undetermined on")):
        mine = [i for i, o in enumerate(output) if o == word]
        if mine:
            low, high = float(error[mine].min()), float(error[mine].max())
            span = f"{low:.3g}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g}"
            whole = f"all {len(names)} elements" if len(mine) == len(names) else listed([names[i] for i in mine])
            parts.append(f"{text} {whole} (relative error {span})")
    sentence = "; ".join(parts)
    sentence = sentence[0].upper() + sentence[1:] + "."
    if UNKNOWN in output:
        sentence += (
            f" The model has too little skill to tell: its error is {skill:.2g} of that of persistence, so it is wrong alike everywhere."
        )
    return sentence


def _disagreement(names: list[str], learning: list[str], output: np.ndarray, influence: xr.Dataset | None, group: Group) -> str:
    """What to say where the words on the output and on the learning do not go together; empty if they do."""
    if influence is None:
        return ""
    pairs = [(n, w, o) for n, w, o in zip(names, learning, output, strict=True) if n != group.identity.name and w != UNKNOWN]
    apart = [n for n, word, holds in pairs if holds == OBEYS and word != SHARED]
    against = [n for n, word, holds in pairs if holds == BROKEN and word == SHARED]
    sentence = ""
    if apart:
        sentence += (
            f" Output and learning disagree on {listed(apart)}: the output commutes, but what is left of the error is not shared "
            "along the orbit."
        )
    if against:
        sentence += f" On {listed(against)} learning is shared though the output is broken: more training, or data, may still mend it."
    return sentence


def _next_sentence(group: Group, names: list[str], data: list[str], output: np.ndarray, audit: xr.Dataset | None, refused: bool) -> str:
    if refused:
        assert audit is not None
        return (
            f"Convert the file ({audit.attrs['convention_fits']}) and train again. A broken element below says nothing about the model: "
            "under the wrong convention it is no symmetry of these data."
        )
    if UNKNOWN in output:
        return "Train the model to a fraction of the error of persistence first, then probe again."
    broken = [n for n, o in zip(names, output, strict=True) if o != OBEYS]
    if not broken:
        return "Nothing to mend on these transitions. Confirm on longer roll-outs and on other initial conditions."
    state = dict(zip(names, data, strict=True))
    absent = [n for n in broken if state[n] == PHYSICS_ONLY]
    wrong = [n for n in broken if state[n] == NOT]
    shown = [n for n in broken if state[n].startswith(_OF_PHYSICS) and n not in absent]
    doubtful = [n for n in broken if n not in (*absent, *wrong, *shown)]
    advice = []
    if doubtful:
        advice.append(f"Whether the physics has {listed(doubtful)} is not known: audit the file with its equation first.")
    if shown:
        advice.append(f"Train longer or on more data, which may be enough for {listed(shown)}.")
    if absent:
        advice.append(f"The file never shows {listed(absent)} though the physics has it{cures().of_the_kind()}.")
    if len(broken) > len(wrong):
        advice.append(cures().sentence(listed([n for n in broken if n not in wrong])))
    if wrong:
        advice.append(f"Leave {listed(wrong)}: not a symmetry of these data.")
    step = _shift_step(names, output)
    if step:
        advice.append(
            f"The output holds for multiples of {step} cells only, the mark of a stride or patch of {step}: augment with shifts, "
            "or remove the stride."
        )
    return " ".join(advice)


def _shift_step(names: list[str], output: np.ndarray) -> int:
    """The step s > 1 if exactly the multiples of s hold among numbered shifts; else 0."""
    if not all(n.isdigit() for n in names):
        return 0
    holding = {int(n) for n, o in zip(names, output, strict=True) if o == OBEYS}
    for step in range(2, len(names) // 2 + 1):
        if len(names) % step == 0 and holding == set(range(0, len(names), step)):
            return step
    return 0

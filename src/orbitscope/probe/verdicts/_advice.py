"""What to do next, with the gain measured on this model where there is one, and the study's where there is not."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...symmetry import Group, Isometry
from ..data import BREAKS, CONTRADICTS, NOT, PHYSICS_ONLY
from ._cures import cures
from ._interval import FEWEST
from ._learnt import BROKEN, COSTS, EXACT, GAIN, HOLDS, UNDECIDED
from ._listed import listed
from ._output_words import Output, percent, title

_OF_PHYSICS = "symmetry of the physics"  # all words of the audit that say so begin like this


def next_sentence(group: Group, data: Sequence[str], found: Output, audit: xr.Dataset | None) -> str:
    """Averaging now, more trajectories, training, a layer or nothing; see `verdict`."""
    if audit is not None and audit.attrs["verdict"] == CONTRADICTS:
        return (
            f"Convert the file ({audit.attrs['convention_fits']}) and train again. A broken element below says nothing about the model: "
            "under the wrong convention it is no symmetry of these data."
        )
    if audit is not None and audit.attrs["verdict"] == BREAKS:
        return (
            "Find out first why the file breaks the laws of its equation (another equation, other parameters, changed values): until "
            "then nothing below tells a fault of the model from one of the file."
        )
    if all(w == EXACT for w in found.word):
        skill = "" if found.skilled or not found.truth else " Its error is another matter: train it further."
        return f"Nothing to gain from this symmetry in the output, which has it.{skill} Confirm on longer roll-outs."
    if not found.truth:
        return "Bring transitions, states with those that follow them: then the breaking can be compared with the error."
    if not found.enough:
        return f"Probe at least {FEWEST} trajectories, better 8: fewer give no interval, and no word."
    if not found.skilled:
        return f"Train the model to a fraction of the error of {found.baseline} first, then probe again."
    advice = [*_averaging(group, data, found), *_mending(data, found)]
    undecided = [n for n, w in zip(found.names, found.word, strict=True) if w == UNDECIDED]
    if undecided:
        advice.append(f"Whether {listed(undecided)} hold is not decided: probe more trajectories than {found.trajectories}.")
    step = _shift_step(group, found)
    if step:
        advice.append(
            f"The output holds for multiples of {step} cells only, the mark of a stride or patch of {step}: augment with shifts, "
            "or remove the stride."
        )
    return " ".join(advice) or "No element of this group is a symmetry of these data, so nothing follows for the model."


def _averaging(group: Group, data: Sequence[str], found: Output) -> list[str]:
    """What averaging the finished model over its copies gains on the originals, or costs."""
    table = found.table
    member = table["member"].values
    wrong = np.array([w == NOT for w in data])
    allowed = [s for s in np.argsort(-member.sum(1), kind="stable") if member[s].sum() > 1 and not (member[s] & wrong).any()]
    if not allowed:
        return []
    gaining = [s for s in allowed if float(table["gain_low"][s]) > GAIN and str(table["word"].values[s]) != EXACT]
    if gaining:
        row = table.isel(subgroup=gaining[0])
        if str(row["word"].values) == HOLDS:
            return [_little(group, row)]
        gain, low, high = (percent(float(row[k])) for k in ("gain", "gain_low", "gain_high"))
        return [
            f"Average over {title(group, row)} (`osc.symmetrize`): on these transitions the squared error falls by {gain} "
            f"({low} to {high}), without training, at {int(row['member'].sum())} times the arithmetic of a step. A layer that has the "
            "symmetry, or training on moved copies, would spare that price; what it gains, training must show."
        ]
    row = table.isel(subgroup=allowed[0])
    if float(row["gain_high"]) < -GAIN:
        more, least = (_more(-float(row[k])) for k in ("gain", "gain_high"))
        return [
            f"Do not average the finished model over {title(group, row)}: the squared error on the originals would be {more} "
            f"(at least {least}), since the model is good on their orientation only."
        ]
    if str(row["word"].values) in (HOLDS, EXACT):
        return [_little(group, row)]
    return [
        f"Averaging over {title(group, row)} changes the squared error on the originals by {_signed(-float(row['gain_high']))} to "
        f"{_signed(-float(row['gain_low']))}: not decided; probe more trajectories."
    ]


def _little(group: Group, row: xr.Dataset) -> str:
    removed = (
        f"averaging over {title(group, row)} would remove at most {percent(float(row['share_high']))} of the squared error over the copies"
    )
    return f"Little to gain from this symmetry: {removed}, at {int(row['member'].sum())} times the arithmetic of a step."


def _more(change: float) -> str:
    """How much larger: in per cent, or from twice on as a factor."""
    return f"{1 + change:.2g} times as large" if change >= 1 else f"{percent(change)} larger"


def _signed(change: float) -> str:
    return ("+" if change >= 0 else "−") + percent(abs(change))


def _mending(data: Sequence[str], found: Output) -> list[str]:
    """For elements on which moving costs: what the data say of them, and what mended such networks in the study of cures."""
    state = dict(zip(found.names, data, strict=True))
    costly = found.having(COSTS)
    wrong = [n for n, w in state.items() if w == NOT and (n in costly or n in found.having(BROKEN))]
    absent = [n for n in costly if state[n] == PHYSICS_ONLY]
    shown = [n for n in costly if state[n].startswith(_OF_PHYSICS) and n not in absent]
    doubtful = [n for n in costly if n not in (*absent, *wrong, *shown)]
    advice = []
    if doubtful:
        advice.append(f"Whether the physics has {listed(doubtful)} is not known: audit the file with its equation first.")
    if shown:
        advice.append(f"Train longer or on more data, which may be enough for {listed(shown)}.")
    if absent:
        advice.append(f"The file never shows {listed(absent)} though the physics has it{cures().of_the_kind()}.")
    if len(costly) > len([n for n in costly if n in wrong]):
        advice.append(cures().sentence(listed([n for n in costly if n not in wrong])))
    if wrong:
        advice.append(f"Leave {listed(wrong)}: not a symmetry of these data.")
    return advice


def _shift_step(group: Group, found: Output) -> int:
    """The step s > 1 if the output commutes or holds for exactly every s-th of equal shifts along one axis; else 0."""
    if not group.finite:
        return 0
    elements = [group[n] for n in found.names]
    count = len(elements)
    if count != len(group) or not all(isinstance(g, Isometry) and g.is_translation for g in elements):
        return 0
    shifts = np.array([[float(s) for s in g.shift] for g in elements])
    along = shifts.max(1)
    if (shifts > 0).any(0).sum() != 1 or not np.allclose(np.sort(along), np.arange(count) / count):
        return 0
    holding = {round(count * a) for a, w in zip(along, found.word, strict=True) if w in (EXACT, HOLDS)}
    exact = all(w in (EXACT, BROKEN, UNDECIDED) for w in found.word)
    largest = count // (2 if exact else 4)  # that half a period holds too may be the data's doing
    steps = (s for s in range(2, largest + 1) if count % s == 0 and holding == set(range(0, count, s)))
    return next(steps, 0)

"""What to do next, with the gain measured on this model where there is one, and the study's where there is not."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr

from ...symmetry import Group, Isometry
from ..data import BREAKS, CONTRADICTS, NEARLY, NOT, PHYSICS_ONLY
from ._cures import cures
from ._interval import FEWEST
from ._learnt import BROKEN, COSTS, EXACT, GAIN, HOLDS, UNDECIDED
from ._listed import listed
from ._output_words import Output, percent, title

_OF_PHYSICS = "symmetry of the physics"  # all words of the audit that say so begin like this


@dataclass(frozen=True)
class Advice:
    """One thing to do: `text` says it of this group; `general` and `here` say it apart, so that a page says `general` once.

    `kind` is a word that does not change with the text.
    """

    kind: str
    text: str
    general: str
    here: str = ""


def advice_json(advice: Sequence[Advice]) -> str:
    """For the attribute `advice` of a verdict."""
    return json.dumps([asdict(a) for a in advice], ensure_ascii=False)


def advise(group: Group, data: Sequence[str], found: Output, audit: xr.Dataset | None) -> list[Advice]:
    """Averaging now, more trajectories, training, a layer or nothing; see `verdict`."""
    if (first := _before_all(found, audit)) is not None:
        return [first]
    advice = [*_averaging(group, data, found), *_mending(data, found)]
    undecided = [n for n, w in zip(found.names, found.word, strict=True) if w == UNDECIDED]
    if undecided:
        text = f"Whether {listed(undecided)} hold is not decided: probe more trajectories than {found.trajectories}."
        general = f"Whether some elements hold is not decided: probe more trajectories than {found.trajectories}."
        advice.append(Advice("undecided", text, general, listed(undecided)))
    step = _shift_step(group, found)
    if step:
        text = (
            f"The output holds for multiples of {step} cells only, the mark of a stride or patch of {step}: augment with shifts, "
            "or remove the stride."
        )
        general = "The output holds for multiples of some cells only, the mark of a stride or patch: augment with shifts, or remove it."
        advice.append(Advice("stride", text, general, f"multiples of {step} cells"))
    nothing = "No element of this group is a symmetry of these data, so nothing follows for the model."
    return advice or [Advice("nothing", nothing, nothing)]


def _before_all(found: Output, audit: xr.Dataset | None) -> Advice | None:
    """What comes before any advice on the breaking, or None."""
    if audit is not None and audit.attrs["verdict"] == CONTRADICTS:
        fits = str(audit.attrs["convention_fits"])
        rest = "A broken element below says nothing about the model: under the wrong convention it is no symmetry of these data."
        return Advice("convert", f"Convert the file ({fits}) and train again. {rest}", f"Convert the file and train again. {rest}", fits)
    plain = (
        (
            audit is not None and audit.attrs["verdict"] == BREAKS,
            "law",
            "Find out first why the file breaks the laws of its equation (another equation, other parameters, changed values): until "
            "then nothing below tells a fault of the model from one of the file.",
        ),
        (
            all(w == EXACT for w in found.word),
            "exact",
            "Nothing to gain from this symmetry in the output, which has it."
            + ("" if found.skilled or not found.truth else " Its error is another matter: train it further.")
            + " Confirm on longer roll-outs.",
        ),
        (
            not found.truth,
            "truth",
            "Bring transitions, states with those that follow them: then the breaking can be compared with the error.",
        ),
        (
            not found.enough,
            "few",
            f"Probe at least {FEWEST} trajectories, better 8: fewer give no interval, and no word.",
        ),
        (
            not found.skilled,
            "skill",
            f"Train the model to a fraction of the error of {found.baseline} first, then probe again.",
        ),
    )
    return next((Advice(kind, text, text) for applies, kind, text in plain if applies), None)


_AVERAGE = (
    "Average the forecasts of the finished model over the group (`osc.symmetrize`): the squared error on these transitions falls, "
    "without training, at as many times the arithmetic of a step as the group has elements. A layer that has the symmetry, or training "
    "on moved copies, would spare that price; what it gains, training must show."
)


def _averaging(group: Group, data: Sequence[str], found: Output) -> list[Advice]:
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
        times = int(row["member"].sum())
        text = (
            f"Average over {title(group, row)} (`osc.symmetrize`): on these transitions the squared error falls by {gain} "
            f"({low} to {high}), without training, at {times} times the arithmetic of a step. A layer that has the "
            "symmetry, or training on moved copies, would spare that price; what it gains, training must show."
        )
        return [Advice("average", text, _AVERAGE, f"over {title(group, row)} by {gain} ({low} to {high}), at {times} times the arithmetic")]
    row = table.isel(subgroup=allowed[0])
    if float(row["gain_high"]) < -GAIN:
        more, least = (_more(-float(row[k])) for k in ("gain", "gain_high"))
        text = (
            f"Do not average the finished model over {title(group, row)}: the squared error on the originals would be {more} "
            f"(at least {least}), since the model is good on their orientation only."
        )
        general = (
            "Do not average the finished model: the squared error on the originals would rise, for it is good on their orientation only."
        )
        return [Advice("harm", text, general, f"over {title(group, row)} {more} (at least {least})")]
    if str(row["word"].values) in (HOLDS, EXACT):
        return [_little(group, row)]
    span = f"{_signed(-float(row['gain_high']))} to {_signed(-float(row['gain_low']))}"
    text = f"Averaging over {title(group, row)} changes the squared error on the originals by {span}: not decided; probe more trajectories."
    general = "Whether averaging over the group lowers the squared error on the originals is not decided: probe more trajectories."
    return [Advice("open", text, general, f"over {title(group, row)} it changes by {span}")]


def _little(group: Group, row: xr.Dataset) -> Advice:
    share, times = percent(float(row["share_high"])), int(row["member"].sum())
    removed = f"averaging over {title(group, row)} would remove at most {share} of the squared error over the copies"
    return Advice(
        "little",
        f"Little to gain from this symmetry: {removed}, at {times} times the arithmetic of a step.",
        "Little to gain: the output holds, and averaging over the group would remove only a small part of the squared error.",
        f"over {title(group, row)} at most {share}, at {times} times the arithmetic",
    )


def _more(change: float) -> str:
    """How much larger: in per cent, or from twice on as a factor."""
    return f"{1 + change:.2g} times as large" if change >= 1 else f"{percent(change)} larger"


def _signed(change: float) -> str:
    return ("+" if change >= 0 else "−") + percent(abs(change))


def _mending(data: Sequence[str], found: Output) -> list[Advice]:
    """For elements on which moving costs: what the data say of them, and what mended such networks in the study of cures."""
    state = dict(zip(found.names, data, strict=True))
    costly = found.having(COSTS)
    wrong = [n for n, w in state.items() if w == NOT and (n in costly or n in found.having(BROKEN))]
    absent = [n for n in costly if state[n] == PHYSICS_ONLY]
    shown = [n for n in costly if state[n].startswith(_OF_PHYSICS) and n not in absent]
    nearly = [n for n in costly if state[n] == NEARLY]
    doubtful = [n for n in costly if n not in (*absent, *wrong, *shown, *nearly)]
    kinds = (
        ("nearly", nearly, "The physics has {} only nearly: a network that starts with it and may leave it can use what is there."),
        ("doubtful", doubtful, "Whether the physics has {} is not known: audit the file with its equation first."),
        ("train", shown, "Train longer or on more data, which may be enough for {}."),
        ("absent", absent, f"The file never shows {{}} though the physics has it{cures().of_the_kind()}."),
    )
    some = "the elements on which moving costs"
    advice = [Advice(kind, text.format(listed(mine)), text.format(some), listed(mine)) for kind, mine, text in kinds if mine]
    mendable = [n for n in costly if n not in wrong]
    if mendable:
        advice.append(Advice("cures", cures().sentence(listed(mendable)), cures().sentence(some), listed(mendable)))
    if wrong:
        text = f"Leave {listed(wrong)}: not a symmetry of these data."
        advice.append(Advice("leave", text, "Leave what is not a symmetry of these data.", listed(wrong)))
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

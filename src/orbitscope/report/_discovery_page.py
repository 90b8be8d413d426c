"""The page of one discovery: in words first, then spectrum, generators, how well they are known, names, finite motions, charts."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from .._errors import OrbitscopeError
from ..discover import Discovery
from ..symmetry import LieGroup, euclidean, lorentz, special_euclidean, special_linear, special_orthogonal
from ._captions import Caption
from ._discovery_figures import SHOWN, angle_figure, chart_figure, generator_figure, sizes, spectrum_figure
from ._page import Counter, FigureView, SectionView, versions
from ._tables import TextTable
from ._text import count, join, number, percent

_MATRIX = 6  # matrices up to this size are printed


@dataclass(frozen=True)
class Words:
    """The head of the page: the answer, and a list of term and sentence."""

    answer: str
    known: tuple[tuple[str, str], ...]


def discovery_view(found: Discovery, source: str = "") -> dict[str, Any]:
    """Everything that the template needs, except title and command."""
    numbers = Counter()
    sections = [
        s for s in (_spectrum(found, numbers), _generators(found, numbers), _names(found), _finite(found), _charts(found, numbers)) if s
    ]
    return {
        "kicker": "Discovered symmetry", "words": _words(found),
        "sections": sections, "figures": numbers.value, "provenance": _provenance(found, source),
        "next": _next(found, source), "versions": versions(), "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }  # fmt: skip


def _words(found: Discovery) -> Words:
    about, e = found.about, found.evidence
    looked = f"All of {found.hypothesis} ({count(len(e.words), 'direction')}), by the method {found.method}."
    if about.get("output"):
        moved = {"invariant": "leaves y as it is", "vector": "moves y as a vector", "point": "moves y as a point"}
        looked += f" A motion of x is a symmetry where it {moved.get(str(about['output']), 'moves y accordingly')}."
    predictors = int(about.get("predictors", len(found.predictor_error)))
    error = " and ".join(percent(v) for v in found.predictor_error)
    if predictors > 1:
        known = (
            f"{count(predictors, 'predictor')} were trained on parts of the data that do not overlap, and judged on "
            f"{about.get('held', 'held-out')} examples that none has seen. Only breaking on which they agree counts; what they disagree on "
            "is their noise."
        )
    else:
        known = f"One model was examined as it is, on {about.get('held', 'unseen')} examples. What is said holds for the model."
    skill = f"Their error is {error} of that of the best constant." if predictors > 1 else f"Its error is {error} of the best constant's."
    held = [w for w in e.words if w in ("exact", "approximate")]
    tally = [
        count(n, f"{word} direction") for word in ("exact", "approximate", "undetermined", "broken", "unseen") if (n := e.words.count(word))
    ]
    decided = f"{join(tally)}. A direction holds where its breaking, with the whole interval, is below {percent(_limit(found))}."
    if held and found.angle == found.angle:
        decided += f" The span of those that hold is known to {number(found.angle, 2)} degrees (95 % of the resamples)."
    return Words(found.sentence(), (("What was searched", looked), ("How it is known", f"{known} {skill}"), ("What was decided", decided)))


def _limit(found: Discovery) -> float:
    return math.sqrt(found.evidence.settings.get("holds", math.nan))


def _spectrum(found: Discovery, numbers: Counter) -> SectionView | None:
    plot = spectrum_figure(found)
    if plot is None:
        return None
    caption = Caption(
        "Every direction of the algebra that was searched, from the most symmetric: how much an infinitesimal motion along it changes the "
        "answer, over what it changes where the derivative is taken at an unrelated example (1: the motion has nothing to do with the "
        "answer). Bars: 95 % interval over units. Colour and mark say the word: exact, within the predictors' noise; approximate, small "
        "but known not to be zero; undetermined, the predictors disagree too much; broken.",
        f"Levels of the spectrum: a gap behind direction {join([str(k) for k in found.evidence.levels])}." if found.evidence.levels else "",
    )
    e = found.evidence
    rows = tuple(
        (str(k + 1), w, *(number(v[k]) for v in (sizes(e.breaking), sizes(e.low), sizes(e.high), sizes(e.noise))))
        for k, w in enumerate(e.words)
    )
    table = TextTable("Directions, sizes over those of unrelated examples", ("direction", "word", "breaking", "from", "to", "noise"), rows)
    return SectionView("spectrum", "How many directions hold", [], [numbers("Spectrum", caption, plot, main=True)], [table])


def _generators(found: Discovery, numbers: Counter) -> SectionView | None:
    plot = generator_figure(found)
    if plot is None:
        return None
    figures: list[FigureView] = []
    what = "that hold" if found.count else "that are least broken (none holds)"
    plane = found.basis.shape[1] - found.homogeneous == 2
    drawn = (
        "arrows show where points go at first, the broad lines where three points go further on"
        if plane
        else "each is a matrix that acts on columns of coordinates"
    )
    more = f" {found.count - SHOWN} more are in the file." if found.count > SHOWN else ""
    text = f"The directions {what}, as motions of the inputs: {drawn}. Their size has no meaning.{more}"
    figures.append(numbers("Generators", Caption(text), plot, main=True))
    if spread := angle_figure(found):
        text = "The largest angle between the span of the generators and that found in resampled held-out examples."
        figures.append(numbers("Uncertainty of the span", Caption(text), spread))
    size = found.basis.shape[1]
    tables = []
    if size <= _MATRIX and found.count:
        rows = tuple(
            (f"generator {k + 1}, row {i + 1}", *(f"{v:.3f}" for v in row)) for k, x in enumerate(found.algebra) for i, row in enumerate(x)
        )
        tables.append(TextTable("Generators as matrices of Frobenius norm 1", ("row", *(f"column {j + 1}" for j in range(size))), rows))
    if len(found.components) and size <= _MATRIX:
        rows = tuple(
            (f"component {k + 1}, row {i + 1}", *(f"{v:.3f}" for v in row))
            for k, x in enumerate(found.components)
            for i, row in enumerate(x)
        )
        tables.append(TextTable("Elements of further components", ("row", *(f"column {j + 1}" for j in range(size))), rows))
    return SectionView("generators", "What they do", [], figures, tables)


def _names(found: Discovery) -> SectionView | None:
    if not found.count:
        return None
    one = found.identification()
    rows = [("name, up to a change of coordinates", one.name), ("brackets leave the span by", number(one.closure))]
    rows.append(("signs of the Killing form (+, −, 0)", ", ".join(map(str, one.killing))))
    if one.metric is not None:
        values = np.linalg.eigvalsh(one.metric)
        rows.append(("keeps one metric, of eigenvalues", ", ".join(number(v) for v in values)))
    about = TextTable("The algebra", ("what", "value"), tuple(rows))
    named = []
    for name, group in _known(found):
        cosines = found.cosines(group)
        whole = "the same" if len(group.algebra) == found.count and cosines.min() > math.cos(math.radians(2)) else ""
        whole = whole or ("holds it" if found.count > len(group.algebra) and cosines.min() > math.cos(math.radians(2)) else "")
        whole = whole or ("lies in it" if found.count < len(group.algebra) and cosines.min() > math.cos(math.radians(2)) else "no")
        named.append((name, str(len(group.algebra)), " ".join(f"{c:.4f}" for c in cosines), whole))
    table = TextTable(
        "Against algebras in these coordinates: cosines of the principal angles (1: a common direction)",
        ("algebra", "generators", "cosines", "the found one is"), tuple(named),
    )  # fmt: skip
    words = (
        "The name is that of the algebra in any coordinates: so(2) may turn along ellipses. The cosines compare it, as it is, with "
        "algebras in the coordinates of the data."
    )
    return SectionView("names", "What algebra it is", [], [], [], words, [about, table])


def _known(found: Discovery) -> list[tuple[str, LieGroup[Any]]]:
    """Algebras of the same matrices."""
    n = found.basis.shape[1] - found.homogeneous
    if found.homogeneous:
        shifts = LieGroup("translations", special_euclidean(n).algebra[n * (n - 1) // 2 :], homogeneous=True) if n > 0 else None
        known: list[tuple[str, LieGroup[Any]]] = [(f"translations({n})", shifts)] if shifts is not None else []
        return [*known, (f"se({n})", euclidean(n))] if n > 1 else known
    known = [("scaling", LieGroup("scaling", np.eye(n)[None]))]
    if n > 1:
        known += [(f"so({n})", special_orthogonal(n)), (f"sl({n})", special_linear(n)), (f"so(1,{n - 1})", lorentz(1, n - 1, kind="SO+"))]
    return known


def _finite(found: Discovery) -> SectionView | None:
    if not len(found.finite.get("size", ())):
        return None
    columns = [(k, found.finite[k]) for k in ("size", "found", "hypothesis", "outside") if k in found.finite]
    heads = {"size": "size of X", "found": "along what was found", "hypothesis": "along any direction", "outside": "moved out of the data"}
    rows = tuple(tuple(number(v[i]) if k == "size" else percent(v[i]) for k, v in columns) for i in range(len(found.finite["size"])))
    table = TextTable(
        "Change of the answers under finite motions e^X, over that of unrelated answers", tuple(heads[k] for k, _ in columns), rows
    )
    words = (
        "Generators are found from derivatives. Here the inputs are really moved, by random elements along what was found and, for "
        "comparison, along any direction of the hypothesis. Where moved inputs leave the data, answers are extrapolated."
    )
    return SectionView("finite", "What finite motions do", [], [], [], words, [table])


def _charts(found: Discovery, numbers: Counter) -> SectionView | None:
    plot = chart_figure(found)
    if plot is None:
        return None
    text = (
        "The breaking of every direction in every chart, in units of that chart: where the symmetry holds (pale) and where it fails (red)."
    )
    return SectionView("charts", "Where it holds", [], [numbers("Charts", Caption(text), plot)], [])


def _next(found: Discovery, source: str) -> list[str]:
    """What can be done with it."""
    if not found.count and not len(found.components):
        return [
            "Nothing was found within this group. A larger group, an output that moves otherwise, or better predictors may tell more; "
            "that there is no such symmetry is an answer, too."
        ]
    path = source or "found.nc"
    said = [
        f"On vectors and points the group itself is taken: `osc.equivariance(model, examples, {path!r})`, or "
        f"`osc.load_discovery({path!r}).group()` in a Symmetry of your own."
    ]
    try:
        acting = found.on_grid()
    except OrbitscopeError as error:
        return [*said, f"On grids it does not act. {str(error).removeprefix('discovery: ')}"]
    words = " ".join(acting.words) if acting.words else "without a word"
    return [*said, f"On grids `--group {path}` stands for {words} in audit, probe and train.{acting.left}"]


def _provenance(found: Discovery, source: str) -> TextTable:
    rows = [("file", source)] if source else []
    rows += [("hypothesis", found.hypothesis), ("method", found.method)]
    rows += [
        ("method, with settings" if k == "method" else k.replace("_", " "), v if isinstance(v, str) else json.dumps(v))
        for k, v in found.about.items()
        if v is not None
    ]
    rows += [("settings", ", ".join(f"{k} = {number(v)}" for k, v in found.evidence.settings.items()))]
    return TextTable("Discovery", ("what", "value"), tuple(rows))

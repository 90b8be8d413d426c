"""What the template shows: the cases with their figures numbered, the headline, the provenance."""

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import xarray as xr

from . import _captions as captions
from ._answer import answer
from ._answer_figures import answer_caption, answer_figure
from ._audit_figures import audit_figure, convention_figure, training_figure
from ._captions import Caption
from ._case import Case, Group
from ._element_figures import learning_figure, output_figure
from ._emulator_figures import calibration_caption, calibration_figure, calibration_table
from ._example_figures import example_caption, example_figure, example_table
from ._field_pictures import Picture, field_pictures
from ._glossary import glossary
from ._mesh_figures import mesh_caption, mesh_pictures, mesh_table
from ._order_figures import order_caption, order_figure, order_pictures, order_table, picture_caption
from ._plot import Figure
from ._relaxed_figures import relaxed_caption, relaxed_figure
from ._shift_figures import learning_curves, output_curves
from ._standardised_figures import standardised_caption, standardised_figure
from ._step_figures import damping_caption, damping_figure, step_caption, step_figure
from ._tables import TextTable, audit_table, convention_table, integer, measures_table, number_table, provenance_table, training_table
from ._text import as_float, count, number
from ._time_figures import time_figure
from ._todo import todo
from ._verdict import VerdictRow, rows_of, warning_of

CHIPS = 12
"""Up to so many elements are shown by name; more are marks in a strip."""


@dataclass
class FigureView:
    """One numbered figure: a plot or pictures, with a caption that can stand alone.

    On paper only the `main` ones are shown, and a definition that an earlier figure has given is left out (`again`).
    """

    number: int
    title: str
    caption: Caption
    plot: Figure | None = None
    pictures: list[Picture] = field(default_factory=list)
    main: bool = False
    again: bool = False


@dataclass
class SectionView:
    """One part of a case: a group or all shifts together."""

    anchor: str
    title: str
    rows: list[VerdictRow]
    figures: list[FigureView]
    tables: list[TextTable]
    missing: str = ""
    open_tables: list[TextTable] = field(default_factory=list)


@dataclass
class CaseView:
    """One case on the page."""

    anchor: str
    number: int
    title: str
    subtitle: str
    warning: str
    rows: list[VerdictRow]
    sections: list[SectionView]
    audit: SectionView | None
    audit_shared: str
    relaxed: SectionView | None
    meshes: SectionView | None
    measures: SectionView | None
    training: SectionView | None
    provenance: TextTable


def build(cases: Sequence[Case], progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """Everything that the template needs, except the title, the introduction and the command."""
    rows, numbers = rows_of(cases), Counter()
    views: list[CaseView] = []
    for i, case in enumerate(cases):
        twin = next((v for v, other in zip(views, cases, strict=False) if _same_audit(case, other)), None)
        views.append(_case(case, i, [r for r in rows if r.case_index == i], numbers, twin))
        if progress:
            progress(i + 1, len(cases))
    return {
        "cases": views,
        "answer": answer(rows),
        "glossary": glossary(cases),
        "todo": todo(rows),
        "figures": numbers.value,
        "strips": any(len(r.elements) > CHIPS for r in rows),
        "versions": versions(),
        "created": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "subtitle": f"{count(len(cases), 'case')}, {count(sum(len(c.groups) for c in cases), 'group table')}",
    }


class Counter:
    """Numbers the figures of a page."""

    def __init__(self) -> None:
        self.value = 0
        self.said: set[str] = set()

    def __call__(
        self, title: str, caption: Caption | str, plot: Figure | None = None, pictures: list[Picture] | None = None, main: bool = False
    ) -> FigureView:
        self.value += 1
        caption = caption if isinstance(caption, Caption) else Caption(caption)
        if plot is not None:
            plot.label = f"{title}. {caption.definition} {caption.found}".strip()
        again = main and caption.definition in self.said
        self.said |= {caption.definition} if main else set()
        return FigureView(self.value, title, caption, plot, pictures or [], main, again)


def _case(case: Case, index: int, rows: list[VerdictRow], numbers: Counter, twin: CaseView | None) -> CaseView:
    anchor = f"case-{index + 1}"
    shifts = [g for g in case.groups if g.translations]
    sections = [_group(case, g, anchor, rows, numbers) for g in case.groups if not g.translations]
    if shifts:
        sections.append(_shifts(case, shifts, anchor, rows, numbers))
    audited = case.audit is not None or any(g.part("audit") is not None for g in case.groups)
    return CaseView(
        anchor=anchor,
        number=index + 1,
        title=case.title,
        subtitle=_subtitle(case),
        warning=warning_of(case),
        rows=rows,
        sections=sections,
        audit=_audit(case, anchor, numbers) if audited and not (twin and twin.audit) else None,
        audit_shared=f"{twin.anchor}-audit" if twin and twin.audit else "",
        relaxed=_relaxed(case, anchor, numbers),
        meshes=_meshes(case, anchor, numbers),
        measures=_measures(case, anchor),
        training=_training(case, anchor, numbers),
        provenance=provenance_table(case),
    )


def _group(case: Case, group: Group, anchor: str, rows: list[VerdictRow], numbers: Counter) -> SectionView:
    figures = []
    if plot := output_figure(group):
        figures.append(numbers("In the output", captions.output([group]), plot, main=True))
    if plot := learning_figure(group):
        figures.append(numbers("In the learning", captions.learning(group), plot))
    if plot := time_figure(group):
        figures.append(numbers("Who helps whom, over time", captions.time(group), plot))
    if plot := standardised_figure(group):
        figures.append(numbers("Standardised influence", standardised_caption(group), plot))
    figures += _trust(group, numbers)
    if plot := answer_figure(group):
        figures.append(numbers(f"Answers, moved by elements of {group.title}", answer_caption(group), plot))
    if plot := example_figure(group):
        figures.append(numbers(f"One example, moved by elements of {group.title}", example_caption(group), plot))
    figures += _pictures(case, group, numbers)
    mine = [r for r in rows if r.group == group.title]
    tables = [t for t in (example_table(group), number_table(group)) if t]
    return SectionView(f"{anchor}-{_slug(group.key)}", f"Group {group.title}", mine, figures, tables, captions.missing(group))


def _shifts(case: Case, groups: list[Group], anchor: str, rows: list[VerdictRow], numbers: Counter) -> SectionView:
    figures = []
    if plot := output_curves(case, groups):
        figures.append(numbers("In the output, over the shift", captions.output(groups), plot, main=True))
    if plot := learning_curves(case, groups):
        figures.append(numbers("In the learning, over the shift", captions.learning(groups[0]), plot))
    for group in groups:
        if plot := time_figure(group):
            figures.append(numbers(f"Who helps whom, over time ({group.title})", captions.time(group), plot))
        figures += _pictures(case, group, numbers)
    mine = [r for r in rows if r.group in {g.title for g in groups}]
    tables = [t for g in groups if (t := number_table(g))]
    names = " and ".join(g.title for g in groups)
    return SectionView(f"{anchor}-shifts", f"Translations: {names}", mine, figures, tables, captions.missing(groups[0]))


def _trust(group: Group, numbers: Counter) -> list[FigureView]:
    """Whether the influence is to be believed, where that was measured."""
    figures = []
    if plot := step_figure(group):
        figures.append(numbers("Steps that were taken", step_caption(group), plot))
    if plot := damping_figure(group):
        figures.append(numbers("Other dampings", damping_caption(group), plot))
    return figures


def _pictures(case: Case, group: Group, numbers: Counter) -> list[FigureView]:
    pictures = field_pictures(case, group)
    return [numbers(f"One state, moved by elements of {group.title}", captions.pictures(group), pictures=pictures)] if pictures else []


def _audit(case: Case, anchor: str, numbers: Counter) -> SectionView:
    figures, shifts = [], [g for g in case.groups if g.translations]
    if plot := convention_figure(case):
        figures.append(numbers("Which convention the file keeps", captions.convention(case), plot, main=True))
    for group in (g for g in case.groups if not g.translations):
        if plot := audit_figure(case, [group]):
            figures.append(numbers(f"What holds in the data, {group.title}", captions.audit([group]), plot))
    if shifts and (plot := audit_figure(case, shifts)):
        figures.append(numbers("What holds in the data, translations", captions.audit(shifts), plot))
    tables = [t for g in case.groups if (t := audit_table(g))]
    scores = convention_table(case)
    return SectionView(
        f"{anchor}-audit", "The data, audited", [], figures, tables, captions.audit_verdict(case), [scores] if scores else []
    )


def _relaxed(case: Case, anchor: str, numbers: Counter) -> SectionView | None:
    plot = relaxed_figure(case)
    if plot is None:
        return _order(case, anchor, numbers)
    return SectionView(f"{anchor}-relaxed", "What the relaxed layers broke", [], [numbers("Kernels", relaxed_caption(case), plot)], [])


def _order(case: Case, anchor: str, numbers: Counter) -> SectionView | None:
    """The relaxed weights of a network on points."""
    plot = order_figure(case)
    if plot is None:
        return _error_bars(case, anchor, numbers)
    figures = [numbers("Order parameters", order_caption(case), plot)]
    if pictures := order_pictures(case):
        figures.append(numbers("Broken directions", picture_caption(), pictures=pictures))
    tables = [t for t in [order_table(case)] if t]
    return SectionView(f"{anchor}-relaxed", "What the relaxed weights broke", [], figures, [], open_tables=tables)


def _error_bars(case: Case, anchor: str, numbers: Counter) -> SectionView | None:
    """What the error bars of an emulator of statistics are worth."""
    plot = calibration_figure(case)
    if plot is None:
        return None
    figures = [numbers("Error bars against held-out points", calibration_caption(case), plot)]
    tables = [t for t in [calibration_table(case)] if t]
    return SectionView(f"{anchor}-relaxed", "Error bars", [], figures, [], open_tables=tables)


def _meshes(case: Case, anchor: str, numbers: Counter) -> SectionView | None:
    """A few bodies in other meshes, and what that does to the answer."""
    pictures = mesh_pictures(case)
    if not pictures:
        return None
    figures = [numbers("The same body in other meshes", mesh_caption(case), pictures=pictures, main=True)]
    tables = [t for t in [mesh_table(case)] if t]
    return SectionView(f"{anchor}-meshes", "What another mesh changes", [], figures, [], open_tables=tables)


def _measures(case: Case, anchor: str) -> SectionView | None:
    """What the system of the model measures beside symmetries."""
    table = measures_table(case)
    return None if table is None else SectionView(f"{anchor}-measures", "What the system measures", [], [], [], open_tables=[table])


def _training(case: Case, anchor: str, numbers: Counter) -> SectionView | None:
    if case.training is None:
        return None
    plot = training_figure(case)
    figures = [numbers("Training", captions.training(case), plot)] if plot else []
    table = training_table(case)
    return SectionView(f"{anchor}-training", "Training", [], figures, [], open_tables=[table] if table and table.rows else [])


def _subtitle(case: Case) -> str:
    parameters = case.attrs.get("model_parameters")
    model = case.text("model")
    if model and parameters is not None and integer(parameters) != "not available":
        model += f" ({integer(parameters)} parameters)"
    data = case.text("data_description") or case.text("data_path")
    said = " on ".join(part for part in (model, data) if part)
    attrs = case.training.attrs if case.training is not None else {}
    test, persistence = as_float(attrs.get("test_smse")), as_float(attrs.get("persistence_smse"))
    return f"{said}; test error {number(persistence / test)} times below persistence" if test > 0 and persistence > test else said


def _same_audit(one: Case, other: Case) -> bool:
    """Whether two cases rest on the same audited file, so that its audit is shown once."""
    if not one.text("data_path") or one.text("data_path") != other.text("data_path") or (one.audit is None) != (other.audit is None):
        return False
    if one.audit is not None and other.audit is not None and not one.audit.identical(other.audit):
        return False
    mine, theirs = ({g.title: g.part("audit") for g in c.groups} for c in (one, other))
    return mine.keys() == theirs.keys() and all(_identical(mine[k], theirs[k]) for k in mine)


def _identical(one: xr.Dataset | None, other: xr.Dataset | None) -> bool:
    return one is other or (one is not None and other is not None and one.identical(other))


def _slug(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name).strip("-").lower() or "group"


def versions() -> str:
    """The programs that made the page."""
    names = ("orbitscope", "xarray", "numpy", "plotly", "matplotlib")
    return ", ".join(f"{n} {version(n)}" for n in names) + f", Python {platform.python_version()}"

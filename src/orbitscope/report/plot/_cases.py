"""Figures of whole cases: verdicts, readings of the file, training, examples and pictures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from ..._errors import OrbitscopeError
from .._answer_figures import answer_figure
from .._audit_figures import convention_figure, training_figure
from .._case import Case
from .._example_figures import example_figure
from .._field_pictures import field_figures
from .._plot import FONT, plain
from .._relaxed_figures import relaxed_figure
from .._verdict import verdict_rows
from ._take import Probe, case_of, group_of, shown

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from matplotlib.figure import Figure


def verdicts(probes: Probe | Sequence[Probe]) -> "go.Figure":
    """The verdict table: a row per case and group, what holds in the data, the output and the learning, and the learnt subgroup.

    * `probes`: trees of `osc.examine`, or their files.

    Raises `OrbitscopeError` where one is no probe.
    """
    import plotly.graph_objects as go

    if not isinstance(probes, Probe) and not (isinstance(probes, Sequence) and all(isinstance(p, Probe) for p in probes)):
        raise OrbitscopeError(f"probes: expected trees of `osc.examine` or their files, got {type(probes).__name__}.")
    rows = verdict_rows([probes] if isinstance(probes, Probe) else probes)
    columns = (
        ("Case", [r.case for r in rows]), ("Group", [r.group for r in rows]), ("In the data", [r.data.brief for r in rows]),
        ("In the output", [_told(r.output) for r in rows]), ("In the learning", [_told(r.learning) for r in rows]),
        ("Learnt subgroup", [r.learnt_subgroup or "nothing yet" for r in rows]),
    )  # fmt: skip
    table = go.Table(
        header={"values": [f"<b>{name}</b>" for name, _ in columns], "align": "left"},
        cells={"values": [[plain(v) for v in values] for _, values in columns], "align": "left"},
    )
    return go.Figure(table, layout={"font": {"family": FONT}, "margin": {"l": 0, "r": 0, "t": 10, "b": 0}})


def readings(result: Any) -> "go.Figure":
    """How badly every reading of a file (components, axes, time, places) breaks every law; lower fits better, no unit.

    * `result`: of `osc.audit`, or a probe.

    Raises `OrbitscopeError` for another kind of result, and where no law was checked.
    """
    if isinstance(result, Probe):
        return shown(convention_figure(case_of(result)), "score of a reading")
    return shown(convention_figure(group_of(result, "audit", ("verdict",), None)[0]), "score of a reading")


def training(probe: Probe) -> "go.Figure":
    """Training and validation error by epoch, with persistence and test error as lines.

    * `probe`: of a run folder, whose history it holds. Raises `OrbitscopeError` for another.
    """
    return shown(training_figure(case_of(probe)), "training history")


def relaxation(result: Any) -> "go.Figure":
    """What the relaxed layers of a model broke, by layer and element: relative change of the kernel (0 = strict).

    * `result`: of `osc.nn.relaxation`, or a probe of such a model. Raises `OrbitscopeError` for another.
    """
    if isinstance(result, xr.Dataset):
        if "broken" not in result.variables:
            raise OrbitscopeError("plot: this figure needs `broken`, as `osc.nn.relaxation` gives it.")
        return shown(relaxed_figure(Case("", {}, None, None, (), relaxation=result)), "change of a kernel")
    return shown(relaxed_figure(case_of(result)), "change of a kernel")


def answers(probe: Probe, *, group: str | None = None) -> "go.Figure":
    """Answers to moved states over moved answers, for answers that are no picture; on the dashed line the model commutes.

    * `probe`: of examples. `group`: which of its groups. Raises `OrbitscopeError` where no answers were kept.
    """
    return shown(answer_figure(group_of(probe, "answers", ("f_gx", "g_fx"), group)[1]), "answer")


def example(probe: Probe, *, group: str | None = None) -> "go.Figure":
    """One example beside its moved copies: points of a cloud or a graph, vectors.

    * `probe`: of examples with such states. `group`: which of its groups. Raises `OrbitscopeError` where there is no example to draw.
    """
    return shown(example_figure(group_of(probe, "example", (), group)[1]), "place")


def fields(probe: Probe, channel: int | str = 0, *, group: str | None = None) -> "Figure":
    """Pictures of one state: x, gx, f(gx), g f(x) and their difference, a row per element; a matplotlib figure.

    * `probe`: of states on a grid of two dimensions. `channel`: number or name. `group`: which of its groups.

    Units stand at the colour bars; x points right, y up. Raises `OrbitscopeError` where no fields were kept, and for an unknown channel.
    """
    case, found = group_of(probe, "fields", ("gx", "f_gx", "g_fx"), group)
    made = field_figures(case, found)
    names = list(made)
    if not names:
        raise OrbitscopeError("plot: this probe kept no pictures of two-dimensional fields.")
    if isinstance(channel, int) and -len(names) <= channel < len(names):
        return made[names[channel]]()
    label = next((n for n in names if n == channel or n.split(" [")[0] == channel), None)
    if label is None:
        raise OrbitscopeError(f"channel: expected a number below {len(names)} or one of {', '.join(names)}, got {channel!r}.")
    return made[label]()


def _told(finding: Any) -> str:
    return f"{finding.brief} ({finding.detail})" if finding.detail else finding.brief

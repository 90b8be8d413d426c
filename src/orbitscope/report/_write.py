"""The report file: rendered whole, then put in place in one step."""

import json
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import jinja2
import xarray as xr
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from .._errors import OrbitscopeError
from .._whole import write_whole
from ..discover import Discovery, load_discovery
from ..probe import open_results
from ..systems import Story
from ._agent_page import agent_view
from ._case import read_cases
from ._discovery_page import discovery_view
from ._environment_page import environment_view
from ._page import build
from ._plan_page import plan_view
from ._plot import DARK
from ._story_page import story_view
from ._text import code, element_list
from ._verdict import NOT_MEASURED

TITLE = "Which symmetries did the model learn?"
TRUE = "How true is its symmetry?"
LEARNT = "What did the agent learn, and what did it break?"
PLANNED = "Does every decision turn with the world?"
DISCOVERED = "Which symmetry is there that nobody declared?"


def write_report(
    cases: Sequence[xr.DataTree | Path | str],
    out: Path | str,
    *,
    title: str = TITLE,
    intro: str = "",
    force: bool = False,
    command: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write one HTML file that needs no network: verdicts in words, then figures, how to read them, and where they come from.

    - `cases`: probe results (DataTrees, or paths of the files that hold them), one per model and data set. Every node but the root
      is optional; what was not measured is left out of the page.
    - `out`: the file to write; its folder is made. `force`: whether an existing file is replaced.
    - `title`, `intro`: plain text for the head of the page. `command`: the command line that made the report.
    - `progress(done, total)`: called after every case.

    Returns `out`. The file is about 5 MB (the plotting library inside) plus some 0.5 MB per case with field pictures. Quantities are
    dimensionless except the fields, whose units stand at their colour bars; positive influence means that a step on the ket lowers the
    loss of the bra. Raises OrbitscopeError when no case is given, one is not a probe result, or `out` exists or cannot be written.
    """
    out = _free(out, force)
    return _written(out, _render("report.html.j2", build(read_cases(cases), progress), title=title, intro=intro, command=command))


def write_discovery(
    found: Discovery | Path | str, out: Path | str, *, title: str = DISCOVERED, force: bool = False, command: str = ""
) -> Path:
    """Write one HTML file on a discovered symmetry: in words, then spectrum, generators, names, finite motions and charts.

    - `found`: a `Discovery`, or the file that holds one. `out`: the file to write; its folder is made.
    - `title`: the headline. `force`: whether an existing file is replaced. `command`: the command line that made the page.

    Returns `out`, about 5 MB (the plotting library inside). Raises OrbitscopeError for a file that holds no discovery, and when `out`
    exists or cannot be written.
    """
    out = _free(out, force)
    source = "" if isinstance(found, Discovery) else str(found)
    found = found if isinstance(found, Discovery) else load_discovery(found)
    return _written(out, _render("discovery.html.j2", discovery_view(found, source), title=title, command=command))


def write_agents(summaries: Sequence[xr.DataTree], out: Path | str, *, title: str = LEARNT, force: bool = False, command: str = "") -> Path:
    """Write one HTML file on trained agents: in words, then returns, what was broken, departures of policy and critic, bounds on values.

    - `summaries`: one of `agent_summary` for each run. `out`: the file to write; its folder is made.
    - `title`: the headline. `force`: whether an existing file is replaced. `command`: the command line that made the page.

    Returns `out`, about 5 MB (the plotting library inside). Raises OrbitscopeError for anything but summaries, and when `out` exists or
    cannot be written.
    """
    out = _free(out, force)
    return _written(out, _render("discovery.html.j2", agent_view(summaries), title=title, command=command))


def write_story(told: Story, out: Path | str, *, title: str, source: str = "", force: bool = False, command: str = "") -> Path:
    """Write one HTML file on what policies did: one sentence, a table, pictures.

    - `told`: what a system says. `out`: the file to write; its folder is made. `title`: the headline.
    - `source`: where it comes from. `force`: whether an existing file is replaced. `command`: the command line that made the page.

    Returns `out`. Raises OrbitscopeError when `out` exists or cannot be written.
    """
    out = _free(out, force)
    return _written(out, _render("story.html.j2", story_view(told, source), title=title, command=command, plotly=""))


def write_environment(
    found: xr.DataTree | Path | str, out: Path | str, *, title: str = TRUE, force: bool = False, command: str = ""
) -> Path:
    """Write one HTML file on an audited environment: in words, then element by element how far a step is from moving with the group.

    - `found`: what `orbitscope audit NAME --out FILE` wrote, or its file. `out`: the file to write; its folder is made.
    - `title`: the headline. `force`: whether an existing file is replaced. `command`: the command line that made the page.

    Returns `out`, about 5 MB (the plotting library inside). Raises OrbitscopeError for another file, and when `out` exists or cannot be
    written.
    """
    out = _free(out, force)
    tree, source = (found, "") if isinstance(found, xr.DataTree) else (open_results(Path(found)), str(found))
    return _written(out, _render("discovery.html.j2", environment_view(tree, source), title=title, command=command))


def write_plan(
    plans: Sequence[xr.Dataset | Path | str], out: Path | str, *, title: str = PLANNED, force: bool = False, command: str = ""
) -> Path:
    """Write one HTML file on episodes of planners: in words, then ways, decisions and rewards, and whether decisions turn with the world.

    - `plans`: what `plan_episodes` returned, or files of `orbitscope plan`, several to compare planners. `out`: the file to write; its
      folder is made.
    - `title`: the headline. `force`: whether an existing file is replaced. `command`: the command line that made the page.

    Returns `out`, about 5 MB (the plotting library inside). Raises OrbitscopeError for another file, and when `out` exists or cannot be
    written.
    """
    out = _free(out, force)
    found = [(p, "") if isinstance(p, xr.Dataset) else (open_results(Path(p)).to_dataset(), str(p)) for p in plans]
    return _written(out, _render("discovery.html.j2", plan_view(found), title=title, command=command))


def _free(out: Path | str, force: bool) -> Path:
    out = Path(out)
    if out.is_dir():
        raise OrbitscopeError(f"out: {out} is a folder. Give the name of a file, for instance {out / 'report.html'}.")
    if out.exists() and not force:
        raise OrbitscopeError(f"out: {out} exists. Choose another name, or replace it with force=True (--force).")
    return out


def _written(out: Path, text: str) -> Path:
    write_whole(out, lambda part: part.write_text(text, encoding="utf-8", newline="\n"))
    return out


def _render(template: str, page: dict, **texts: str) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("orbitscope.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.globals.update(
        style=_packaged("style.css"), script=_packaged("page.js"), plotly=_safe(get_plotlyjs()), element_list=element_list
    )
    environment.globals.update(not_measured=NOT_MEASURED, dark=Markup(json.dumps(DARK)))
    environment.filters["code"] = code
    environment.filters["paragraphs"] = lambda text: [p.strip() for p in str(text).split("\n\n") if p.strip()]
    environment.filters["safe_json"] = Markup
    return environment.get_template(template).render(**page, **texts)


def _packaged(name: str) -> Markup:
    return Markup(files("orbitscope.report").joinpath("templates", name).read_text(encoding="utf-8"))


def _safe(script: str) -> Markup:
    """A script for inlining: it must not close its own element."""
    return Markup(script.replace("</script", "<\\/script"))

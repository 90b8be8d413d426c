"""The work of `orbitscope plan`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from .._errors import OrbitscopeError
from .._whole import write_whole
from ..probe import command, kind_of, open_results
from ..report import write_plan
from ..systems.control import PLAN_KIND, plan_episodes, plan_picture, save_plan
from ._early import check_out
from ._output import record
from ._progress import stages

if TYPE_CHECKING:
    from ._verbs_plan import Plan


def plan_to_file(asked: "Plan") -> int:
    """Plan, write the file and the picture beside it, print what came of it."""
    picture = asked.out.with_suffix(".png")
    check_out(asked.force, out=asked.out)
    check_out(asked.force, out=picture)
    with stages() as bars:
        found = plan_episodes(
            asked.environment, planner=asked.planner, group=asked.group, episodes=asked.episodes, steps=asked.steps, horizon=asked.horizon,
            samples=asked.samples, temperature=asked.temperature, std=asked.std, seed=asked.seed, progress=bars,
        )  # fmt: skip
    found = found.assign_attrs(command=command())
    save_plan(found, asked.out)
    figure = plan_picture(found)
    write_whole(picture, lambda part: figure.savefig(part, format="png", dpi=120))
    record(files=[asked.out, picture], returns=_returns(found), **_decisions(found), settings=dict(found.attrs))
    print(_said(found))
    print(asked.out)
    return 0


def describe_plan(path: Path) -> str:
    """Words on a file of `orbitscope plan`."""
    found = open_results(path).to_dataset()
    record(kind="plan", returns=_returns(found), **_decisions(found), settings=dict(found.attrs))
    return f"{found.attrs['environment']}, planned by {found.attrs['planner']}: {found.attrs.get('command', 'in Python')}\n{_said(found)}"


def report_plans(paths: Sequence[Path], out: Path, *, title: str | None, force: bool) -> int:
    """Write the page on one plan or several, print what came of each and where the page is."""
    if other := [p for p in paths if not p.is_file() or kind_of(p) != PLAN_KIND]:
        raise OrbitscopeError(f"probes: plans have a page of their own, and {other[0]} is none. Report it in another call.")
    options = {} if title is None else {"title": title}
    write_plan(paths, out, force=force, command=command(), **options)
    record(file=out, plans=paths)
    print("\n".join(describe_plan(p) for p in paths))
    print(out)
    return 0


def _returns(found: xr.Dataset) -> list[float]:
    return found.reward.sum("step", skipna=True).values.tolist()


def _decisions(found: xr.Dataset) -> dict[str, float]:
    return {"decision_error": float(found.decision_error.max()), "decision_scale": float(found.decision_scale)}


def _said(found: xr.Dataset) -> str:
    about, name = _decisions(found), found.attrs["environment"]
    return (
        f"{name}: return {', '.join(f'{r:.4g}' for r in _returns(found))}\n"
        f"decisions turn with {found.attrs['compared']}: largest error {about['decision_error']:.1e}, beside actions of "
        f"{about['decision_scale']:.2g}"
    )

"""The work of `orbitscope plan`."""

from typing import TYPE_CHECKING

from .._whole import write_whole
from ..systems.control import plan_episodes, plan_picture, save_plan
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
    save_plan(found, asked.out)
    figure = plan_picture(found)
    write_whole(picture, lambda part: figure.savefig(part, format="png", dpi=120))
    worst, scale = float(found.decision_error.max()), float(found.decision_scale)
    returns = found.reward.sum("step", skipna=True).values.tolist()
    record(files=[asked.out, picture], returns=returns, decision_error=worst, decision_scale=scale, settings=dict(found.attrs))
    print(f"{asked.environment}: return {', '.join(f'{r:.4g}' for r in returns)}")
    print(f"decisions turn with {found.attrs['compared']}: largest error {worst:.1e}, beside actions of {scale:.2g}")
    print(asked.out)
    return 0

# ruff: noqa: E501 - prose templates
"""The sections of the page on the reduced pixel task, and on how often the audit of an agent's world says a wrong word."""

from pathlib import Path

import figures
import matplotlib.pyplot as plt
import pandas as pd
from bars import difference, signed, spread
from harness import Tables, table
from scipy.stats import beta
from study import ARMS

CURVES = "approximate-equivariance-rl-pictures.png"
_SCENES = {"cartpole_pixels-balance": "floor and sky left out", "cartpole_pixels": "as the suite draws it"}


def pictures(t: Tables, docs: Path) -> str:
    """What agents reach that see small pictures, beside how true the mirror is of those pictures."""
    s, agents, worlds = t.meta["settings"], t["agents"], t["environments"]
    scenes = [n for n in _SCENES if (agents["environment"] == n).any()]
    if scenes:
        _draw(t, scenes, docs)
    audited = [
        [_SCENES[str(r["environment"])], f"{r['epsilon_r']:.2g}", f"{r['epsilon_p']:.2g}", f"{r['observation_share']:.2g}", f"{r['observation_error']:.2g}"]
        for _, r in worlds[worlds["environment"].isin(_SCENES)].iterrows()
    ]  # fmt: skip
    rows = []
    for scene in scenes:
        mine = agents[agents["environment"] == scene]
        for arm in (a for a in ARMS if (mine["arm"] == a).any()):
            one = mine[mine["arm"] == arm]
            cells = [spread(one[c], d) for c, d in (("return", 0), ("area", 0), ("policy_asymmetry", 3), ("critic_asymmetry", 3))]
            rows.append(
                [
                    _SCENES[scene],
                    arm,
                    *cells,
                    f"{one['parameters'].iloc[0]:,.0f}",
                    f"{1000 * one['step_seconds'].mean():.0f}",
                    str(len(one)),
                ]
            )
    left = t.meta["planned_runs"] - t.meta["measured_runs"]
    missing = "" if not left else f"\n\n{left} of {t.meta['planned_runs']} planned runs were not made, for want of time."
    return f"""## From pictures: a reduced task

The published study learns from pictures of 85 x 85 for a million frames and more. This is a **reduced** task: cartpole-balance seen in two grey pictures of 32 x 32 for each action (half way through it, and at its end), {s["steps"]:,} steps of the agent, three convolutions of eight channels, no random shifts of pictures; `studies/approximate_equivariance_rl/run.py --config pixels.toml`. An earlier form of the task (cartpole-swingup, another encoder and another drawing) had been run for 2,000 steps on seed 0, where no arm learnt anything; the task, a normalisation behind the convolutions and the drawing were changed after that was seen, so seeds 3 to 5 judge here. Sizes are what the time allowed.

The mirror of the world is exact. Is it one of its pictures? `orbitscope audit cartpole_pixels-balance` measures it: the share is the root mean square difference of a mirrored picture from the picture of the mirrored state over that of pictures of unrelated states. Without floor and sky what is left are pixels of an edge, which rounding in the drawing gives to either side; the chequers and stars of the suite are not their own mirror images, and that alone is of the size of all that moves in the picture.

{table(["scene", "epsilon R", "epsilon P", "share of unrelated, pictures", "largest difference, of their size"], audited)}

{_learnt(agents, t["still"], scenes, rows)}{missing}"""


def _learnt(agents: pd.DataFrame, still: pd.DataFrame, scenes: list[str], rows: list[list[str]]) -> str:
    """What agents reached, and what that says."""
    if not rows:
        return "No agent was trained on pictures yet: that the encoders have the mirror, and learn at all, is tested, and what they reach is not known."
    heads = ["scene", "arm", "return", "area", "commutator of the policy", "of the critic", "parameters", "ms a step", "seeds"]
    return f"""{table(heads, rows)}

{_beside_nothing(agents, still, scenes)}{_judged(agents, scenes)}

![Learning curves from pictures: mean over seeds, shaded from the worst to the best.]({CURVES})"""


def _beside_nothing(agents: pd.DataFrame, still: pd.DataFrame, scenes: list[str]) -> str:
    """The trivial policy beside the arms, and what it leaves of their differences."""
    said = []
    for scene in scenes:
        mine, idle = agents[agents["environment"] == scene], still[still["environment"] == scene]
        if not len(idle):
            continue
        best = mine.groupby("arm")["return"].mean()
        line = f"Doing nothing returns {spread(idle['return'], 0)} in the same episodes ({_SCENES[scene]}; `still.py`)"
        if best.max() < idle["return"].mean():
            line += f": **no arm is ahead of it**, the best, {best.idxmax()}, reaches {best.max():.0f} in the mean. What follows tells how little an arm does that it should not, a push to one side above all, which a policy with the mirror cannot do on its own; it is no evidence that any arm has learnt to balance"
        said.append(line + ".")
    return " ".join(said) + "\n\n" * bool(said)


def wrong_words(found: pd.DataFrame) -> str:
    """How often each word of the audit is wrong, by what was planted."""
    exact = found[~found["broken"]]
    alarms = exact[exact["said"] != "exact"]
    rows = [
        [
            "nothing, or a breaking that leaves the element alone",
            "–",
            str(len(exact)),
            f"{len(alarms)} called broken",
            _rate(len(alarms), len(exact)),
        ]
    ]
    broken = found[found["broken"]]
    for (kind, size), mine in broken.groupby(["kind", "size"]):
        missed = mine[mine["said"] == "exact"]
        said = ", ".join(f"{word} {int(n)}" for word, n in mine["said"].value_counts().items())
        rows.append([str(kind), f"{size:g}", str(len(mine)), said, _rate(len(missed), len(mine))])
    misses = int((broken["said"] == "exact").sum())
    seeds = found["seed"].nunique()
    tasks = ", ".join(sorted(found["task"].unique()))
    return f"""## How often is the audit of an agent's world wrong?

`probe` and `report` of an agent say of each element whether the *world* has it: exact, approximate or not a symmetry, by paired steps on the agent's own way. Here it is known: {tasks} as they are, and with the first action, the reward or gravity broken by a small size, {seeds} seed{"s" * (seeds > 1)} of an untrained agent each (`studies/approximate_equivariance_rl/audit_words.py`). Of {len(exact)} elements that are exact {len(alarms)} were called otherwise; of {len(broken)} that are broken {misses} were called exact. Nobody can say from outside where approximate ends and no symmetry begins; that line, half of the difference of unrelated steps, is a convention, so only these two errors are counted; elements of one world are no independent draws, so the limits in brackets are too narrow. An audit sees what the agent met: where nothing was earned, a bonus is not seen.{_hidden(broken)}

{table(["planted", "size", "elements", "said", "wrong (95 % below)"], rows)}"""


def _hidden(broken: pd.DataFrame) -> str:
    """Of which kind the misses are."""
    kinds = sorted(broken.loc[broken["said"] == "exact", "kind"].unique())
    return f" All misses are of the kind {', '.join(kinds)}." if kinds else ""


def _rate(wrong: int, total: int) -> str:
    """A rate and the upper end of its exact (Clopper-Pearson) interval."""
    upper = 1.0 if wrong == total else float(beta.ppf(0.975, wrong + 1, total - wrong))
    return f"{wrong} of {total} ({upper:.2g})"


def _judged(agents: pd.DataFrame, scenes: list[str]) -> str:
    """Differences to the plain arm, seed by seed."""
    said = []
    for scene in scenes:
        mine = agents[agents["environment"] == scene].pivot_table(index="seed", columns="arm", values="return")
        for arm in ("exact", "relaxed"):
            if arm not in mine or "plain" not in mine:
                continue
            gap = difference(mine[arm], mine["plain"])
            said.append(f"{arm}, {_SCENES[scene]}: {signed(gap)}{'' if gap[1] == gap[1] else '; fewer than three seeds judge nothing'}")
    if not said:
        return "Too few runs for a comparison."
    return f"Return minus that of the plain arm, seed by seed, with Student's 95 % interval: {'; '.join(said)}. An interval around 0 says that these runs do not tell the arms apart."


def _draw(t: Tables, scenes: list[str], docs: Path) -> None:
    curves = t["curves"]
    figure, axes = plt.subplots(1, len(scenes), figsize=(4.6 * len(scenes) + 0.8, 3.1), layout="constrained", squeeze=False)
    for ax, scene in zip(axes[0], scenes, strict=True):
        some = curves[curves["environment"] == scene]
        for arm in ARMS:
            figures.band(ax, some[some["arm"] == arm], "steps", arm)
        ax.set(xlabel="steps of the agent", ylabel="return", title=_SCENES[scene])
    figures.legend(figure)
    figures.save(figure, docs / CURVES)

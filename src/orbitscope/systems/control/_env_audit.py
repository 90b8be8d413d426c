"""How true is the declared symmetry of an environment? Measured by paired steps in the simulator, element by element."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..._errors import OrbitscopeError
from ..._expect import expect_number
from ..._json import json_text
from ._env_repair import repairs
from ._env_symmetry import EnvSymmetry
from ._pairs import Policy, Steps, moved_steps, scales, visited

Array = NDArray[np.float64]
EXACT = 1e-9
"""Relative size up to which a symmetry is exact to rounding."""
NONE = 0.5
"""Share of the difference between unrelated steps from which on nothing is left of a symmetry."""
AUDIT_KIND = "orbitscope audit of an environment"


def audit_environment(
    env: Any,
    symmetry: EnvSymmetry,
    *,
    episodes: int = 64,
    length: int = 4,
    horizon: int = 50,
    seed: int = 0,
    policy: Policy | None = None,
    elements: int | None = None,
    repair: bool = True,
    progress: Callable[[str, float, float], None] | None = None,
) -> xr.Dataset:
    r"""Measured $\epsilon_R$ and $\epsilon_P$ of a declared symmetry, with a verdict, and what is wrong with the declaration.

    $$\epsilon_R(g) = \max |R(s, a) - R(gs, ga)|, \qquad \epsilon_P(g) = \max \| g s' - (gs)' \|$$

    over states s on the way of a policy; s' and (gs)' follow s and gs under a and ga. The norm is the mean square over fields of the
    state, each in units of its own size there (at least 1e-6); for deterministic steps it is the Wasserstein-1 distance.

    * `env`: a gymnasium environment with `get_state()` and `set_state(state)`. `symmetry`: what is declared, with its `state`.
    * `episodes`, `length`: states from so many episodes, so many steps each; every eighth episode lasts eight times as long.
      `policy(observation)`: gives actions on the way; None: drawn evenly from their box.
    * `horizon`: steps of a whole paired roll-out, whose error at the end is `rollout_error`.
    * `seed`: of states and actions. `elements`: at most so many of the group; None: all, or 16 of an infinite one.
    * `repair`: whether a declaration that fails is changed, one sign or exchange at a time, to see which change would mend it.
    * `progress(stage, done, total)`: called now and then.

    A share is the root mean square difference over that between unrelated steps (another action from the moved state; rewards and
    observations of other states), a scale that does not vanish where the environment reacts to its actions. Verdicts by element:
    "exact" (all relative differences at most 1e-9), "approximate", "not a symmetry" (a share of 0.5 or more). Returns a data set;
    `attrs["explanation"]` says it in words. Sign: larger is more broken. It fails to see what the visited states do not show: a reward
    that was constant there is "not tested", an obstacle that was not reached is not there.

    Raises `OrbitscopeError` for an environment without `set_state`, one whose step is not decided by its state, spaces that do not fit,
    and a symmetry without `state`.

    Source: Park et al., AISTATS 2025, for the definitions.
    """
    for name, value in (("episodes", episodes), ("length", length), ("horizon", horizon)):
        expect_number(value, f"audit_environment: `{name}`", whole=True)
        if value < 1:
            raise OrbitscopeError(f"audit_environment: `{name}` should be at least 1, got {value}.")
    symmetry.check(env)
    layout = symmetry.layout("state")
    steps = visited(env, episodes, length, seed, policy, lambda done: progress("visit", done, episodes) if progress else None)
    if steps.state.shape[1] != layout.channels:
        raise OrbitscopeError(
            f"audit_environment: `state` declares {layout.channels} numbers ({', '.join(layout.channel_names)}), `get_state` gives "
            f"{steps.state.shape[1]}."
        )
    chosen = symmetry.group.probes(elements, seed)
    rng = np.random.default_rng([seed, 0xA0D1])
    sizes = _Sizes(env, symmetry, chosen[-1], steps, rng)
    rows, words = [], []
    for k, g in enumerate(chosen):
        row = _measured(env, symmetry, g, steps, sizes)
        row["rollout_error"] = _rolled(env, symmetry, g, steps, sizes, horizon, rng)
        rows.append(row)
        if row["verdict"] != "exact":
            words.append(f"{g!r}: {row['words']}" + (" " + " ".join(repairs(env, symmetry, g, steps, sizes)) if repair else ""))
        if progress:
            progress("audit", k + 1, len(chosen))
    return _table(env, symmetry, chosen, rows, words, sizes, steps, seed)


class _Sizes:
    """What differences are compared with."""

    def __init__(self, env: Any, symmetry: EnvSymmetry, g: Any, steps: Steps, rng: np.random.Generator) -> None:
        self.state = scales(steps.state, symmetry.layout("state").field_of_channel)
        self.fields = _fields(symmetry)
        values = steps.observation.reshape(len(steps), -1)
        self.observation = scales(values, self.fields or (0,) * values.shape[1])
        other = rng.permutation(len(steps))
        unrelated = moved_steps(env, symmetry, g, steps, symmetry.act(g, steps.action[other]))
        self.transition = max(self.rms(unrelated.after - symmetry.move(g, steps.after)), 1e-3 * self.rms(steps.after - steps.state), 1e-9)
        gap = steps.reward - steps.reward[other]
        self.reward = float(np.sqrt(np.square(gap).mean()))
        self.reward_seen = bool(np.ptp(steps.reward) > 1e-12)
        looks = self.looks(steps.observation - steps.observation[other])
        self.look = np.maximum(np.sqrt(np.square(looks).mean(0)), 1e-3)

    def looks(self, gap: Array) -> Array:
        """Sizes of differences of observations, [N, numbers]; of an image one, the root mean square over its pixels."""
        found = np.abs(gap).reshape(len(gap), -1) / self.observation
        return found if self.fields else np.sqrt(np.square(found).mean(1, keepdims=True))

    def norms(self, gap: Array) -> Array:
        """Of differences of states, [N]."""
        return np.sqrt(np.square(gap / self.state).mean(1))

    def rms(self, gap: Array) -> float:
        """Over all pairs."""
        return float(np.sqrt(np.square(self.norms(gap)).mean()))


def _fields(symmetry: EnvSymmetry) -> tuple[int, ...]:
    """The field of each number that is observed; of an image none."""
    try:
        return symmetry.layout("observation").field_of_channel
    except OrbitscopeError:
        return ()


def _measured(env: Any, symmetry: EnvSymmetry, g: Any, steps: Steps, sizes: _Sizes) -> dict[str, Any]:
    moved = moved_steps(env, symmetry, g, steps)
    gaps = sizes.norms(moved.after - symmetry.move(g, steps.after))
    rewards = np.abs(moved.reward - steps.reward)
    looks = sizes.looks(moved.observation - symmetry.observe(g, steps.observation))
    scale = max(float(np.abs(steps.reward).max()), 1e-6)
    same = np.nan if rewards.max() <= EXACT * scale else 1.0  # a constant reward, to rounding, was not tested
    row: dict[str, Any] = {
        "reward_epsilon": rewards.max(), "transition_epsilon": gaps.max(), "observation_error": looks.max(0),
        "transition_share": np.sqrt(np.square(gaps).mean()) / sizes.transition,
        "reward_share": np.sqrt(np.square(rewards).mean()) / sizes.reward if sizes.reward_seen else same,
        "observation_share": np.sqrt(np.square(looks).mean(0)) / sizes.look,
        "ends_differ": float((moved.ended != steps.ended).mean()),
    }  # fmt: skip
    whats = ("transitions", "rewards", "observations", "ends")
    errors = dict(zip(whats, (gaps.max(), rewards.max() / scale, looks.max(), row["ends_differ"]), strict=True))
    parts = (row["transition_share"], np.nan_to_num(row["reward_share"]), row["observation_share"].max(), row["ends_differ"])
    shares = dict(zip(whats, map(float, parts), strict=True))
    worst = max(shares, key=lambda k: shares[k])
    row["verdict"] = "exact" if max(errors.values()) <= EXACT else "not a symmetry" if shares[worst] >= NONE else "approximate"
    broken = [
        f"{k} differ by {errors[k]:.2g} of their size, {shares[k]:.2g} of that of unrelated ones" for k in errors if errors[k] > EXACT
    ]
    row["words"] = f"{row['verdict']}: " + "; ".join(broken) + "." if broken else "exact."
    return row


def _rolled(env: Any, symmetry: EnvSymmetry, g: Any, steps: Steps, sizes: _Sizes, horizon: int, rng: np.random.Generator) -> float:
    """Largest difference after whole paired roll-outs from two of the states."""
    worst = 0.0
    box = env.action_space
    for row in (0, len(steps) // 2):
        actions = rng.uniform(box.low, box.high, (horizon, *box.shape))
        ends = []
        for start, given in ((steps.state[row], actions), (symmetry.move(g, steps.state[row]), symmetry.act(g, actions))):
            env.set_state(start)
            for action in given:
                env.step(action)
            ends.append(np.asarray(env.get_state(), dtype=np.float64))
        worst = max(worst, float(sizes.norms((ends[1] - symmetry.move(g, ends[0]))[None])[0]))
    return worst


def _table(
    env: Any, symmetry: EnvSymmetry, chosen: Any, rows: list[dict[str, Any]], words: list[str], sizes: _Sizes, steps: Steps, seed: int
) -> xr.Dataset:
    channels = list(symmetry.observation.channels) if sizes.fields else []
    if len(channels) != len(rows[0]["observation_error"]):
        channels = ["picture"] if not sizes.fields else [str(i) for i in range(len(rows[0]["observation_error"]))]
    about = {
        "reward_epsilon": ("largest |R(s, a) - R(gs, ga)|", "unit of the reward"),
        "transition_epsilon": ("largest |g s' - (gs)'|, fields in units of their size", "1"),
        "transition_share": ("root mean square over that of unrelated actions", "1"),
        "reward_share": ("root mean square over that of unrelated steps; nan: the reward was constant", "1"),
        "ends_differ": ("part of the pairs of which one ends alone", "1"),
        "rollout_error": ("largest difference after a whole paired roll-out", "1"),
    }  # fmt: skip
    data: dict[str, Any] = {
        name: ("element", np.array([float(r[name]) for r in rows]), {"long_name": said, "units": unit, "sign": "larger is more broken"})
        for name, (said, unit) in about.items()
    }
    for name in ("observation_error", "observation_share"):
        data[name] = (("element", "observation"), np.stack([r[name] for r in rows]), {"units": "1", "sign": "larger is more broken"})
    data["verdict"] = ("element", [r["verdict"] for r in rows])
    verdicts = {str(r["verdict"]) for r in rows}
    verdict = next(v for v in ("not a symmetry", "approximate", "exact") if v in verdicts)
    untested = (
        ""
        if sizes.reward_seen
        else " The reward was the same in all steps, so its symmetry was not tested: start nearer to it, or give a policy."
    )
    explanation = (f"All {len(rows)} elements are exact to rounding." if verdict == "exact" else " ".join(words)) + untested
    return xr.Dataset(
        data,
        {"element": [g.name for g in chosen], "observation": channels},
        {
            "kind": AUDIT_KIND, "environment": str(getattr(env, "name", type(env).__name__)), "group": symmetry.group.name,
            "verdict": verdict, "explanation": explanation, "steps": len(steps), "seed": seed, "reward_scale": sizes.reward,
            "transition_scale": sizes.transition, "findings": json_text(words, what="findings"),
        },
    )  # fmt: skip


def epsilons(table: xr.Dataset) -> tuple[float, float]:
    r"""$(\epsilon_R, \epsilon_P)$ of an audit: the largest over its elements.

    * `table`: of `audit_environment`.
    """
    return float(table["reward_epsilon"].max()), float(table["transition_epsilon"].max())

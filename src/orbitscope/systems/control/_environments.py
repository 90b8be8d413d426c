"""Environments by name, with the symmetry that is declared of each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..._errors import OrbitscopeError
from ..._expect import near
from ...symmetry import Group, parse_group
from ._balls import BALLS, balls
from ._env_symmetry import EnvSymmetry
from ._gym_tasks import GYM_TASKS
from ._pixel_tasks import PIXEL_TASKS, pixel_symmetry
from ._suite_tasks import ALIASES, TASKS, SuiteTask, suite_task
from ._trading_symmetry import trading_symmetry


@dataclass(frozen=True)
class EnvironmentSpec:
    """An environment that is known by name.

    * `name`: what the command line calls it. `description`: one line.
    * `make(**options)`: a fresh gymnasium environment.
    * `symmetry`: what is declared of it, with the group that is taken where none is asked for.
    * `largest`: within which every group that is asked for lies, as a word.
    * `note`: what a user should know.
    """

    name: str
    description: str
    make: Callable[..., Any]
    symmetry: EnvSymmetry
    largest: str
    note: str = ""


TRADING = "trading"
_OWN: dict[str, EnvironmentSpec] = {}


def register_environment(
    name: str, make: Callable[..., Any], symmetry: EnvSymmetry, *, largest: str | None = None, description: str = "", note: str = ""
) -> EnvironmentSpec:
    """Make an environment known by name, so that agents, audits and the command line's functions find it.

    * `name`: letters, digits, "_", and a hyphen before a variant. `make(**options)`: a fresh gymnasium environment.
    * `symmetry`: what is declared of it. `largest`: word of a group within which others may be asked for; None: its own alone.
    * `description`: one line. `note`: what a user should know.

    Raises `OrbitscopeError` for a name of the table.
    """
    if name in TASKS or name in ALIASES or name in BALLS or name in GYM_TASKS or name in PIXEL_TASKS or name == TRADING:
        raise OrbitscopeError(f"register_environment: {name!r} is an environment that comes with the library. Take another name.")
    _OWN[name] = EnvironmentSpec(name, description, make, symmetry, largest or symmetry.group.name, note)
    return _OWN[name]


def environments() -> tuple[str, ...]:
    """The full names of all environments that are known."""
    return (*TASKS, *PIXEL_TASKS, *GYM_TASKS, *BALLS, TRADING, *_OWN)


def environment_spec(name: str) -> EnvironmentSpec:
    """What is known of the environment of that `name`; raises `OrbitscopeError` for another."""
    if name in _OWN:
        return _OWN[name]
    if name in BALLS:
        return _of_balls(name)
    if name == TRADING:
        return _of_trading()
    if name in GYM_TASKS:
        return _of_gymnasium(name)
    if name in PIXEL_TASKS:
        return _of_pixels(name)
    if ALIASES.get(name, name) not in TASKS:
        meant = near(name, (*environments(), *ALIASES))
        raise OrbitscopeError(
            f"environment: there is none called {name!r}.{meant} Known: {', '.join(environments())}; short: {', '.join(ALIASES)}."
        )
    return _of_suite(suite_task(name))


def environment(name: str, **options: Any) -> Any:
    """A fresh gymnasium environment; one of the table also has `get_state()` and `set_state(state)`.

    * `name`: such as "reacher", "cartpole-swingup"; with a breaking behind, "reacher+wind=0.2" (see `Broken`). `options`: of the
      environment, such as repeat=2 of those of the suite.

    Raises `OrbitscopeError` for an unknown name and for options that it does not take.
    """
    plain, *breakings = name.split("+")
    spec = environment_spec(plain)
    try:
        made = spec.make(**options)
    except TypeError as error:
        raise OrbitscopeError(f"environment: {plain} does not take {options} ({error}).") from error
    except ModuleNotFoundError as error:
        raise OrbitscopeError(f"environment: {plain} needs the package {error.name}: pip install 'orbitscope[robots]'.") from error
    for words in breakings:
        from ._breaking import broken

        made = broken(words)(made)
    return made


def symmetry_of(name: str, group: Group[Any] | str | None = None) -> EnvSymmetry:
    """The declared symmetry of an environment.

    * `name`: of the environment; what is behind a "+" does not count. `group`: another group than the usual one, or its word.

    Raises `OrbitscopeError` for a group with elements of which nothing is declared.
    """
    spec = environment_spec(name.partition("+")[0])
    if group is None:
        return spec.symmetry
    made = parse_group(group, ndim=spec.symmetry.group.ndim) if isinstance(group, str) else group
    largest = parse_group(spec.largest, ndim=spec.symmetry.group.ndim)
    continuous = largest.sampled  # o2: every motion of the plane that keeps the origin
    for g in made.probes(None, 0):
        fits = getattr(g, "ndim", None) == spec.symmetry.group.ndim and not any(getattr(g, "shift", ()))
        if not (fits if continuous else fits and g in largest):
            raise OrbitscopeError(
                f"group: nothing is declared of {g!r} of {made.name} for {name}. Its groups lie within {largest.name}; the usual one is "
                f"{spec.symmetry.group.name}. {spec.note}".rstrip()
            )
    return spec.symmetry.within(made)


def _of_suite(task: SuiteTask) -> EnvironmentSpec:
    name = f"{task.domain}-{task.task}"

    def make(**options: Any) -> Any:
        from ._suite import SuiteEnv

        return SuiteEnv(name, **options)

    symmetry = EnvSymmetry(task.group, task.observation, task.action, task.state)
    return EnvironmentSpec(name, task.description, make, symmetry, task.largest, task.note)


def _of_pixels(name: str) -> EnvironmentSpec:
    task, background = PIXEL_TASKS[name]

    def make(**options: Any) -> Any:
        from ._pixel_env import PixelEnv

        return PixelEnv(**{"name": task, "background": background, **options})

    told = "as the suite draws it" if background else "without floor and sky, so that pictures have the mirror too"
    return EnvironmentSpec(
        name, f"{task} seen in small grey pictures, {told}", make, pixel_symmetry(task), "d1",
        "Chequers of the floor and stars are not their own mirror images.",
    )  # fmt: skip


def _of_gymnasium(name: str) -> EnvironmentSpec:
    task = GYM_TASKS[name]

    def make(**options: Any) -> Any:
        from ._gym_env import GymEnv

        return GymEnv(name, **options)

    symmetry = EnvSymmetry(task.group, task.observation, task.action, task.state)
    return EnvironmentSpec(name, task.description, make, symmetry, task.largest, task.note)


def _of_balls(name: str) -> EnvironmentSpec:
    world = balls(name)

    def make(**options: Any) -> Any:
        from ._balls_env import BallsEnv

        return BallsEnv(name, **options)

    fields, action = world.words()
    group = parse_group("d4" if world.ndim == 2 else "oh", ndim=world.ndim)
    symmetry = EnvSymmetry(group, fields, action, fields)
    many = f"{world.count} balls" if world.count > 1 else "a ball"
    note = "Forces are cut to length 1 ball by ball, so that all rotations hold."
    return EnvironmentSpec(
        name, f"drive {many} to targets in {world.ndim} dimensions", make, symmetry, "o2" if world.ndim == 2 else "oh", note
    )


def _of_trading() -> EnvironmentSpec:
    def make(**options: Any) -> Any:
        from ._trading_env import TradingEnv

        return TradingEnv(**options)

    return EnvironmentSpec(
        TRADING, "daily positions in two stock indices (package arch)", make, trading_symmetry(), "d4",
        "What a position earns has it exactly; whether the market does, `audit` of its returns says.",
    )  # fmt: skip

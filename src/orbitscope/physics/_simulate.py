"""Scenarios (an equation and a law of initial conditions) and the generator of trajectories."""

import contextlib
import inspect
import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .._errors import OrbitscopeError
from .._executor import Where, run_parts
from .._expect import near
from ._equation import Equation, SolverError
from ._initial import Initial

_CHUNK_BYTES = 128 * 2**20
_CHUNKS = 256  # where several workers share them, whatever their number


@dataclass(frozen=True)
class Scenario:
    """One way to make trajectories: which equation, which initial states, how long, how many snapshots.

    * `name`: by which it is asked for.
    * `equation`: makes the equation.
    * `initial`: (grid, seed, index, dtype) -> state [C, X, Y].
    * `description`: one line, for lists.
    * `alias`: a second name, such as the one of PDEgym; may be empty.
    * `t_end`: time of the last snapshot.
    * `frames`: snapshots, the initial state included.
    * `notes`: what a published description leaves open and what was chosen here; belongs in a file's provenance, as do
      `initial_parameters`.
    """

    name: str
    equation: Callable[..., Equation]
    initial: Initial
    description: str
    alias: str = ""
    t_end: float = 1.0
    frames: int = 21
    notes: str = ""

    @property
    def initial_parameters(self) -> dict[str, Any]:
        """The parameters of the law of initial states, by name; change them with `scenario(name, **parameters)`."""
        options = inspect.signature(self.initial).parameters.values()
        return {o.name: o.default for o in options if o.kind is o.KEYWORD_ONLY and o.default is not o.empty}


_SCENARIOS: dict[str, Scenario] = {}


def register_scenario(new: Scenario) -> Scenario:
    """Make a scenario known by its name, here and on the command line.

    * `new`: the scenario.

    Raises `OrbitscopeError` for a name that exists.
    """
    if new.name in _SCENARIOS:
        raise OrbitscopeError(f"register_scenario: {new.name!r} exists already. Choose another name.")
    _SCENARIOS[new.name] = new
    return new


def scenarios() -> dict[str, Scenario]:
    """Every scenario by name."""
    return dict(_SCENARIOS)


def scenario(name: str, **parameters: Any) -> Scenario:
    """The scenario of that name, or of that PDEgym name, upper or lower case; `parameters` change its law of initial states.

    * `name`: as `scenarios()` lists it, or that of PDEgym.

    Raises `OrbitscopeError` for an unknown name and an unknown parameter.

    >>> scenario("CE-RP").name
    'euler.riemann'
    >>> scenario("CE-CRP", p=3).initial_parameters["p"]
    3
    """
    for s in _SCENARIOS.values():
        if name.lower() in (s.name, s.alias.lower()):
            if unknown := sorted(set(parameters) - set(s.initial_parameters)):
                known = ", ".join(s.initial_parameters) or "none"
                raise OrbitscopeError(f"scenario: {s.name} has no parameter {', '.join(unknown)}. Known: {known}.")
            return replace(s, initial=partial(s.initial, **parameters)) if parameters else s
    known = ", ".join(f"{s.name} ({s.alias})" if s.alias else s.name for s in _SCENARIOS.values())
    raise OrbitscopeError(f"scenario: no scenario is called {name!r}.{near(name, _SCENARIOS)} Known: {known}.")


def initial_condition(name: str, **parameters: Any) -> Initial:
    """The law of initial states of the scenario `name`: a function (grid, seed, index, dtype) -> state [C, X, Y].

    * `parameters`: of the law; the rest keep their defaults.
    """
    return scenario(name, **parameters).initial


def simulate(
    name: str | Scenario,
    *,
    trajectories: int,
    resolution: int,
    frames: int | None = None,
    t_end: float | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
    batch: int | None = None,
    indices: Sequence[int] | None = None,
    refine: int = 1,
    equation: Equation | None = None,
    progress: Callable[[int, int], None] | None = None,
    executor: Where = None,
) -> Generator[tuple[tuple[int, ...], Tensor]]:
    r"""Trajectories of a scenario, chunk by chunk: pairs (indices of the chunk, values [b, frames, C, *grid] on the CPU).

    - `name`: of a scenario, or a `Scenario` itself, as made by `scenario(name, **parameters)`.
    - `trajectories`: how many there are in all, numbered from 0.
    - `indices`: the numbers of those to make (to resume, to share the work); None: all.
    - `frames`: snapshots, at times 0, dt, ..., `t_end`, dt = t_end / (frames - 1); None: the scenario's, usually 21.
    - `t_end`: time of the last snapshot; None: the scenario's, usually 1.0.
    - `refine`: the solver runs on refine * resolution points per axis; snapshots are averaged over cells (Euler, conservative) or cut
      to the stored modes (Navier-Stokes, whose spectral viscosity then belongs to the finer grid).
    - `batch`: trajectories per chunk; it changes memory and speed, never the numbers. By default what fits in some 128 MiB.
    - `progress(done, total)`: called after every chunk.
    - `resolution`: points per axis.
    - `seed`: of all random streams.
    - `dtype`: precision of solver and values.
    - `device`: where the solver works.
    - `equation`: instead of the scenario's own.
    - `executor`: where chunks are computed, smaller ones then; the same bits, in the same order (see `executor`). None: here.

    A trajectory depends on (scenario, seed, its index, resolution, refine, dtype, frames, t_end) alone. Nothing is kept between
    chunks, so a caller that writes each chunk before asking for the next loses at most one chunk to an interruption.

    Raises `OrbitscopeError` at the call for a wrong argument, and while running if a trajectory leaves the physical states, naming
    the trajectory and the time; nothing of its chunk is handed out.
    """
    plan = name if isinstance(name, Scenario) else scenario(name)
    solver = equation if equation is not None else plan.equation()
    frames, t_end = plan.frames if frames is None else frames, plan.t_end if t_end is None else t_end
    if not isinstance(solver, type(plan.equation())) or solver.layout != plan.equation().layout:
        raise OrbitscopeError(f"simulate: `equation` should be a {plan.equation().name!r} equation for {plan.name}, got {solver}.")
    for what, value, least in (
        ("trajectories", trajectories, 1), ("resolution", resolution, 4), ("frames", frames, 1), ("refine", refine, 1),
        ("batch", 1 if batch is None else batch, 1), ("seed", seed, 0),
    ):  # fmt: skip
        if int(value) != value or value < least:
            raise OrbitscopeError(f"simulate: `{what}` should be a whole number, at least {least}, got {value}.")
    if not (0.0 < t_end < float("inf")):
        raise OrbitscopeError(f"simulate: `t_end` should be positive and finite, got {t_end}.")
    if dtype not in (torch.float32, torch.float64):
        raise OrbitscopeError(f"simulate: `dtype` should be float32 or float64, got {dtype}.")
    chosen = tuple(range(trajectories)) if indices is None else tuple(int(i) for i in indices)
    if any(not 0 <= i < trajectories for i in chosen):
        raise OrbitscopeError(f"simulate: `indices` should lie in 0 .. {trajectories - 1} (`trajectories` - 1), got {chosen}.")
    if batch is None:
        coarse, fine = math.prod(solver.grid(resolution).shape), math.prod(solver.grid(refine * resolution).shape)
        one = solver.layout.channels * (frames * coarse + 12 * fine)
        batch = max(1, min(64, _CHUNK_BYTES // (one * dtype.itemsize)))
    if executor is not None:  # as many chunks as keep all workers busy to the end
        batch = max(1, min(batch, math.ceil(len(chosen) / _CHUNKS)))
    run = _Run(plan, solver, resolution, refine, frames, t_end / max(frames - 1, 1), seed, dtype, torch.device(device))
    return _chunks(run, chosen, batch, progress, executor)


@dataclass(frozen=True)
class _Run:
    plan: Scenario
    solver: Equation
    resolution: int
    refine: int
    frames: int
    dt: float
    seed: int
    dtype: torch.dtype
    device: torch.device


def _chunks(
    run: _Run, indices: tuple[int, ...], batch: int, progress: Callable[[int, int], None] | None, executor: Where
) -> Generator[tuple[tuple[int, ...], Tensor]]:
    parts, done = [indices[start : start + batch] for start in range(0, len(indices), batch)], 0
    found = run_parts(executor, parts, _chunk, _same, (run,), name=_named)
    with contextlib.closing(found):
        for chunk, values in zip(parts, found, strict=True):
            yield chunk, values
            done += len(chunk)
            if progress is not None:
                progress(done, len(indices))


def _same(run: _Run) -> _Run:
    return run


def _named(chunk: tuple[int, ...]) -> str:
    return f"trajectory {chunk[0]}" if len(chunk) == 1 else f"trajectories {chunk[0]} to {chunk[-1]}"


@torch.no_grad()
def _chunk(run: _Run, chunk: tuple[int, ...]) -> Tensor:
    grid = run.solver.grid(run.resolution * run.refine)
    state = torch.stack([run.plan.initial(grid, run.seed, i, run.dtype) for i in chunk]).to(run.device)
    stored = run.solver.grid(run.resolution).shape
    values = torch.empty(len(chunk), run.frames, run.solver.layout.channels, *stored, dtype=run.dtype)
    values[:, 0] = run.solver.coarsen(state, run.refine) if run.refine > 1 else state
    for frame in range(1, run.frames):
        try:
            state = run.solver.step(state, run.dt)
        except SolverError as error:
            time = (frame - 1) * run.dt + error.time
            raise SolverError(
                f"simulate: trajectory {chunk[error.item]} of {run.plan.name} (seed {run.seed}, resolution {run.resolution}) left the "
                f"physical states at time {time:.4g}. Nothing of its chunk was handed out. Lower `cfl`, or raise `refine`. [{error}]",
                chunk[error.item],
                time,
            ) from error
        values[:, frame] = run.solver.coarsen(state, run.refine) if run.refine > 1 else state
    return values

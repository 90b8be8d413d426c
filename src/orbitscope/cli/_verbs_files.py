"""The verbs about files of trajectories: make, list, join, describe, mend, look at."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from .._errors import OrbitscopeError

Device = Literal["auto", "cpu", "cuda"]
Positional = tyro.conf.Positional


@dataclass
class Simulate:
    """Make trajectories, or the examples of a system, and write them to one file. Interrupted, the same command goes on where it was.

    Example: orbitscope simulate navier-stokes.gauss --trajectories 64 --resolution 64 --seed 0 --out ns.nc
    """

    scenario: Positional[str]
    """Scenario, such as navier-stokes.gauss; PDEgym's names (NS-Gauss, CE-RP, ...) do as well. `orbitscope scenarios` lists all,
    with their parameters."""
    out: Path
    """File to write: .nc is PDEgym NetCDF, .h5 or .hdf5 is The Well."""
    trajectories: int = 64
    """Number of trajectories; of examples, for the scenarios of systems."""
    resolution: int = 64
    """Points per axis; in a box that is not square, as the scenario says."""
    frames: int | None = None
    """Stored states per trajectory; None: 21."""
    t_end: float | None = None
    """Time of the last state; None: 1.0."""
    refine: int = 1
    """Factor by which the solver's grid is finer; averages are stored."""
    seed: int = 0
    """Seed of the initial conditions."""
    initial: tuple[str, ...] = ()
    """Parameters of the law of initial states, such as p=3 amplitude=0.05; in a TOML file the table [initial]."""
    equation: tuple[str, ...] = ()
    """Parameters of the equation and its solver, such as viscosity=1e-3 cfl=0.3; in a TOML file the table [equation]."""
    keep: tuple[str, ...] = ()
    """Store only these fields; none given: all."""
    device: Device = "auto"
    """Where to compute; auto: the CPU (compiled)."""
    batch: int | None = None
    """Trajectories at a time; changes memory and speed, never the numbers. None: what fits in some 128 MiB."""
    shard: str | None = None
    """K/N such as 3/16: only the third of sixteen parts, for `orbitscope assemble`. Under torchrun each rank makes one by itself."""
    workers: int | None = None
    """Processes of this machine that share the trajectories, each with one thread; None: this one alone. The same bits either way."""
    cluster: str | None = None
    """Scheduler of a dask cluster, dask://host:port, whose workers share the trajectories (extra `cluster`)."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ..data import Shard
        from ..systems import of_scenario
        from ._actions import simulate_to_file
        from ._output import record
        from ._progress import stages
        from ._where import at_work
        from ._words import parse_words

        if of_scenario(self.scenario) is not None:
            from ._systems import refuse_flags, simulate_system

            refuse_flags(self, ("trajectories", "seed", "initial", "workers", "cluster", "force"), self.scenario)
            with at_work(self.workers, self.cluster) as pool:
                return simulate_system(
                    self.scenario, self.out, count=self.trajectories, seed=self.seed, parameters=parse_words(self.initial, "--initial"),
                    force=self.force, executor=pool,
                )  # fmt: skip
        rank = Shard.from_environment() if self.shard is None else None
        shard = Shard.parse(self.shard) if self.shard is not None else rank
        with at_work(self.workers, self.cluster) as pool, stages() as bars:
            path = simulate_to_file(
                self.scenario, self.out if rank is None else rank.path(self.out), trajectories=self.trajectories,
                resolution=self.resolution, frames=self.frames, t_end=self.t_end, refine=self.refine, seed=self.seed,
                device="cpu" if self.device == "auto" else self.device, batch=self.batch, shard=shard,
                initial=parse_words(self.initial, "--initial"), law=parse_words(self.equation, "--equation"), keep=self.keep,
                force=self.force, progress=bars, executor=pool,
            )  # fmt: skip
        record(file=path)
        print(path)
        return 0


@dataclass
class Scenarios:
    """The scenarios that `simulate` knows, with their parameters and defaults, and what their published descriptions leave open; and the
    environments that audit, train and plan know.

    Example: orbitscope scenarios euler.curved
    """

    name: Positional[str | None] = None
    """One scenario or environment; none given: all."""

    def run(self) -> int:
        from ..physics import scenario, scenarios
        from ..systems import of_environment, of_scenario
        from ._actions import about_scenario, describe_scenario
        from ._output import record
        from ._systems import about_environments, about_scenarios, describe_environments, describe_scenarios

        of_system = self.name is not None and of_scenario(self.name) is not None
        world = self.name is not None and not of_system and of_environment(self.name) is not None
        wanted = [] if of_system or world else [scenario(self.name)] if self.name else list(scenarios().values())
        more = about_scenarios(self.name) if of_system or self.name is None else []
        worlds = about_environments(self.name) if world or self.name is None else []
        record(scenarios=[*(about_scenario(s) for s in wanted), *more], environments=worlds)
        behind = [describe_environments(worlds)] if worlds else []
        print("\n\n".join([*map(describe_scenario, wanted), *(describe_scenarios([m]) for m in more), *behind]))
        return 0


@dataclass
class Assemble:
    """One file from several: the parts that `simulate --shard` made, or files that agree. Stored values are copied bit for bit.

    Example: orbitscope assemble ns.shard-*.nc --out ns.nc
    """

    files: Positional[tuple[Path, ...]]
    """Every part, in any order; other files in the order wanted."""
    out: Path
    """File to write."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ..data import assemble
        from ._output import record

        path = assemble(self.files, self.out, force=self.force)
        record(file=path)
        print(path)
        return 0


@dataclass
class Info:
    """What is in a file of trajectories, a probe or a run folder.

    Example: orbitscope info ns.nc
    """

    path: Positional[Path]
    """File or folder."""
    load: tuple[str, ...] = ()
    """How to read the file, such as "fields=velocity=u,v:vector T" for separate variables, land=0 box=-30,-28,40,41 depth=1 (ocean),
    dims=j=y,i=x, dt=0.1, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]. Each format takes its own options."""
    check: bool = False
    """Read every trajectory as well and compare its checksum; exit code 1 where one is damaged."""
    trust: bool = False
    """Let a run folder name code to import. Only where you know where it comes from."""

    def run(self) -> int:
        from ._actions import describe
        from ._output import record
        from ._progress import stages

        print(describe(self.path, self.load, trust=self.trust))
        if not self.check:
            return 0
        from ..data import check, files_of

        damaged: dict[str, list[int]] = {}
        for path in files_of(self.path) or [self.path]:
            with stages() as bars:
                found = check(path, lambda done, total: bars("check", done, total))
            print(found if path == self.path else f"{path}\n{found}")
            if found.damaged:
                damaged[str(path)] = list(found.damaged)
        record(damaged=damaged)
        return 1 if damaged else 0


@dataclass
class Repair:
    """Simulate the damaged trajectories of a file again, from its provenance, and put them in their places.

    The result must have the checksums that were written, bit for bit; else nothing is changed.

    Example: orbitscope repair ns.nc
    """

    data: Positional[Path]
    """File that `orbitscope simulate` made."""
    accept: bool = False
    """Take a trajectory that comes out with another checksum (another version of the solver, another machine)."""
    device: Device = "auto"
    """Where to compute, which should be where the file was made; auto: the CPU."""

    def run(self) -> int:
        from ..data import repair_file
        from ._output import record
        from ._progress import stages

        with stages() as bars:
            mended = repair_file(self.data, accept=self.accept, device="cpu" if self.device == "auto" else self.device, progress=bars)
        record(file=self.data, repaired=mended)
        words = f"trajectories {', '.join(map(str, mended))} simulated again and put in place" if mended else "nothing is damaged"
        print(f"{self.data}: {words}")
        return 0


@dataclass
class View:
    """Pictures of a file of trajectories: a sheet of a few states, and an animation; of a mesh or of examples of meshes: a sheet.

    Example: orbitscope view ns.nc --out sheet.png --animation movie.gif
    """

    data: Positional[Path]
    """File of trajectories; also a folder or a pattern ("CE-RP_*.nc") of numbered files; a mesh (.stl, .ply, ...)."""
    out: Path | None = None
    """Picture sheet to write: .png, .pdf or .svg."""
    animation: Path | None = None
    """Animation to write: .gif, every stored time."""
    trajectory: tuple[int, ...] = ()
    """Trajectories to show, numbered from 0; none given: the first two (of examples: the first six)."""
    times: int = 5
    """Columns of the sheet, evenly spread over time."""
    field: tuple[str, ...] = ()
    """Fields to show; none given: all."""
    fps: float = 8.0
    """Pictures per second of the animation."""
    fix: bool = False
    """Mend the faults of a mesh that can be mended, and say what was done."""
    load: tuple[str, ...] = ()
    """How to read the file, such as "fields=velocity=u,v:vector T" for separate variables, land=0 box=-30,-28,40,41 depth=1 (ocean),
    dims=j=y,i=x, dt=0.1, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]. Each format takes its own options."""
    force: bool = False
    """Replace existing files."""

    def run(self) -> int:
        from ..systems import of_file
        from ._output import record
        from ._view import view_file

        if (system := of_file(self.data)) is not None:
            from ._systems import refuse_flags, view_system

            refuse_flags(self, ("out", "animation", "trajectory", "fix", "force"), f"the {system} in {self.data}")
            return view_system(system, self.data, self.out, self.animation, chosen=self.trajectory, fix=self.fix, force=self.force)
        if self.fix:
            raise OrbitscopeError("--fix mends meshes, and this is a file of trajectories. Leave it out.")
        written = view_file(
            self.data, self.out, self.animation, trajectories=self.trajectory, times=self.times, fields=self.field, fps=self.fps,
            options=self.load, force=self.force,
        )  # fmt: skip
        record(files=written)
        for path in written:
            print(path)
        return 0

"""The verbs about trained models and their data: audit, probe, follow over a training, report."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from .._errors import OrbitscopeError

Device = Literal["auto", "cpu", "cuda"]
Positional = tyro.conf.Positional


@dataclass
class Audit:
    """Which symmetries have the physics and the file, does the file keep its declared convention, and what in it deserves a second look?
    Exit code 1 if it does not, if it breaks its laws, holds NaN or infinite values, or shares states with another part of its split.

    Example: orbitscope audit ns.nc --group d4 tx
    """

    data: Positional[tuple[Path, ...]]
    """File of trajectories; also a folder or a pattern ("CE-RP_*.nc") of numbered files. Several are audited each by itself. Or the
    name of an environment, such as reacher, cartpole-swingup or reacher+wind=0.2, or of a scenario whose simulator is audited itself,
    such as manipulation.lift. Or one file of examples, of a system or of your own."""
    group: tuple[str, ...] | None = None
    """Groups: d4, c4, tx, ty, tx16, so2/16, d4*tx8*ty8, ...; None: d4, and of an environment and of a system's examples what is declared.
    A file of `orbitscope discover`, found.nc, stands for its group: on fields for what of it acts on grids, on examples for all of it."""
    law: str | None = None
    """Equation, with parameters if need be: euler, navier-stokes:viscosity=2e-3, shallow-water:gravity=9.8,viscosity=0; None: what the
    file says it is."""
    samples: int = 128
    """Trajectories that the solver and the two-sample test look at, at the most."""
    seed: int = 0
    """Seed of the random choices."""
    out: Path | None = None
    """NetCDF file for the numbers, if wanted; several files make several, named after it and them."""
    screening: bool = True
    """List broken, frozen, copied and outlying trajectories; reads the whole file."""
    splits: tuple[Path, ...] = ()
    """Files of the other parts of the split, or the folder of a run: no state may be in two parts."""
    fix: Path | None = None
    """Write a corrected copy of a refused file here, with the change in its history."""
    choose: str | None = None
    """With --fix: the name of one reading, where several fit alike."""
    load: tuple[str, ...] = ()
    """How to read the file, such as "fields=velocity=u,v:vector T" for separate variables, land=0 box=-30,-28,40,41 depth=1 (ocean),
    dims=j=y,i=x, dt=0.1, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]. Each format takes its own options."""
    trust: bool = False
    """Let the run folder or .pt2 file name code to import or run. Only where you know where it comes from."""
    workers: int | None = None
    """Processes of this machine that share the files and groups, each with one thread; None: this one alone."""
    cluster: str | None = None
    """Scheduler of a dask cluster, dask://host:port, whose workers share them (extra `cluster`)."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ..systems import of_environment, of_file, of_scenario
        from ._audit import Asked, audit_files
        from ._examples import audit_examples, holds_examples
        from ._where import at_work

        # One name is enough: a second that is misspelt is refused as an environment, and not for want of a file.
        if any(of_environment(str(path)) for path in self.data) and not any(path.exists() for path in self.data):
            from ._environments import audit_environments
            from ._systems import refuse_flags

            refuse_flags(self, ("data", "group", "samples", "seed", "out", "force"), "an environment")
            return audit_environments(
                [str(path) for path in self.data], self.group, samples=self.samples, seed=self.seed, out=self.out, force=self.force
            )  # fmt: skip
        if any(of_scenario(str(path)) for path in self.data) and not any(path.exists() for path in self.data):
            from ._systems import audit_simulators, refuse_flags

            refuse_flags(self, ("data", "samples", "seed", "out", "force"), "a simulator")
            return audit_simulators([str(path) for path in self.data], samples=self.samples, seed=self.seed, out=self.out, force=self.force)
        if len(self.data) == 1 and (system := of_file(self.data[0])) is not None:
            from ._systems import audit_system, refuse_flags

            refuse_flags(self, ("data", "group", "samples", "seed", "out", "force"), f"the {system} in {self.data[0]}")
            return audit_system(system, self.data[0], self.group, samples=self.samples, seed=self.seed, out=self.out, force=self.force)
        if len(self.data) == 1 and holds_examples(self.data[0]):
            from ._systems import refuse_flags

            refuse_flags(self, ("data", "group", "samples", "seed", "out", "force"), f"the examples in {self.data[0]}")
            return audit_examples(self.data[0], self.group or (), samples=self.samples, seed=self.seed, out=self.out, force=self.force)
        asked = Asked(self.group or ("d4",), self.law, self.samples, self.seed, self.load, self.screening, self.splits, self.trust)
        with at_work(self.workers, self.cluster) as pool:
            return audit_files(self.data, asked, out=self.out, force=self.force, fix=self.fix, choose=self.choose, executor=pool)


@dataclass
class Probe:
    """Which symmetries has a model learnt? Audits the data, measures equivariance error and influence, and says it in words.

    A run folder is probed on the trajectories that it was tested on, if the file is the one that it was trained on; the run of a system
    on all symmetries that the system declares, unless --group names some.

    Example: orbitscope probe runs/unet ns.nc --group d4 tx ty --metric gauss_newton --out probe.nc
    """

    model: Positional[str]
    """Run folder, torch.export file (.pt2), or "package.module:callable"."""
    out: Path
    """NetCDF file for the result; several seeds make several files. Of an agent, its critic has a file beside it."""
    data: Positional[Path | None] = None
    """File of trajectories; also a folder or a pattern ("CE-RP_*.nc") of numbered files; or of examples (x, y), moved by --group found.nc.
    The run of an agent needs none."""
    weights: Path | None = None
    """File of safetensors for "package.module:callable"."""
    frames: int | None = None
    """Past states that the model sees, stacked along channels, oldest first; None: what it says itself, as a run does."""
    like: Annotated[str | None, tyro.conf.arg(name="as")] = None
    """Convention of another library's model: the_well, poseidon, mpp, walrus, dpot, morph, pdearena, neuralop, physicsnemo, earth2studio,
    aurora."""
    adapt: tuple[str, ...] = ()
    """Convention of the model in words, such as axes="b t c x y" out=0 residual=true; what `adapt` does not know goes to the model."""
    group: tuple[str, ...] | None = None
    """Groups: d4, c4, tx, ty, tx16, so2/16, d4*tx8*ty8, ...; None: d4, and of the run of an agent or a system what is declared."""
    metric: Literal["gauss_newton", "euclidean", "gauss_newton_full", "kronecker", "adam"] = "gauss_newton"
    """Metric of parameter space, for the influence. adam: the optimiser's own, from the training state of a run (its last weights)."""
    damping: float | None = None
    """Damping of the Gauss-Newton metrics; None: 1e-6."""
    bra_loss: Literal["smse", "mass", "momentum", "energy", "divergence", "residual"] = "smse"
    """Loss whose response the influence measures: the training loss, or a conservation law of the prediction."""
    sketch: int | None = None
    """Random output probes per example, for gauss_newton on groups of hundreds of shifts; None: exact. 64 is a good start."""
    memory: str | None = None
    """Budget such as 4GiB: batch sizes are planned from it, and the plan is printed first."""
    steps: int = 2
    """Steps that are really taken, to see whether the influence predicts them; 0: none."""
    trajectories: int = 8
    """Trajectories for the influence; the equivariance error takes four times as many."""
    times: int = 2
    """Transitions per trajectory, evenly spread."""
    margin: float = 0.05
    """Share of the squared error that a broken symmetry may carry and still hold."""
    tolerance: float = 1.25
    """Squared error on moved states over that on the originals up to which moving costs nothing."""
    influence_elements: int = 16
    """At most so many elements of a group get an influence; all get an error. 0: errors only, the learning is not measured."""
    law: str | None = None
    """Equation for the audit, with parameters if need be (navier-stokes:viscosity=2e-3); None: what the file says it is."""
    title: str | None = None
    """Name of this case in the report."""
    seed: int = 0
    """Seed of the random choices."""
    device: Device = "auto"
    """Where to compute; auto: a GPU where there is one."""
    load: tuple[str, ...] = ()
    """How to read the file, such as "fields=velocity=u,v:vector T" for separate variables, land=0 box=-30,-28,40,41 depth=1 (ocean),
    dims=j=y,i=x, dt=0.1, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]. Each format takes its own options."""
    trust: bool = False
    """Let the run folder or .pt2 file name code to import or run. Only where you know where it comes from."""
    workers: int | None = None
    """Processes of this machine that share the elements, each with one thread; None: this one alone."""
    cluster: str | None = None
    """Scheduler of a dask cluster, dask://host:port, whose workers share them (extra `cluster`)."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from .. import ProbeConfig
        from ..systems import is_system_run
        from ._actions import probe_to_file
        from ._examples import holds_examples, probe_examples

        config = ProbeConfig(
            trajectories=self.trajectories, times=self.times, metric=self.metric, damping=self.damping, margin=self.margin,
            tolerance=self.tolerance,
            influence_elements=self.influence_elements, seed=self.seed, bra_loss=None if self.bra_loss == "smse" else self.bra_loss,
            sketch=self.sketch, memory=self.memory, steps=self.steps,
        )  # fmt: skip
        measured = (
            "metric", "damping", "sketch", "memory", "steps", "trajectories", "times", "margin", "tolerance", "influence_elements",
        )  # fmt: skip
        if is_system_run(self.model, "agent"):
            from ._environments import probe_agents
            from ._systems import refuse_flags

            refuse_flags(self, ("data", *measured, "group", "title", "seed", "force"), "the run of an agent")
            return probe_agents(self.model, self.out, self.group, config, title=self.title, force=self.force)
        if self.data is None and not Path(self.model).exists() and ":" not in str(self.model):
            raise OrbitscopeError(f"model: there is no file or folder {self.model}. Give the folder of a run, or a model and its data.")
        if self.data is None:
            raise OrbitscopeError(f"probe: give the file of trajectories behind {self.model}; only the run of an agent needs none.")
        if is_system_run(self.model):
            from ._systems import probe_system, refuse_flags

            refuse_flags(self, ("data", *measured, "group", "title", "seed", "workers", "cluster", "force"), "the run of a system")
            return probe_system(
                self.model, self.data, self.out, self.group, config, title=self.title, force=self.force, workers=self.workers,
                cluster=self.cluster,
            )  # fmt: skip
        if holds_examples(self.data):
            from ._systems import refuse_flags

            what = f"the examples in {self.data}"
            refuse_flags(self, ("data", "weights", *measured, "group", "title", "seed", "trust", "workers", "cluster", "force"), what)
            return probe_examples(
                self.model, self.data, self.out, self.group or (), config, weights=self.weights,
                title=self.title, trust=self.trust, workers=self.workers, cluster=self.cluster, force=self.force,
            )  # fmt: skip
        return probe_to_file(
            self.model,
            self.data,
            self.out,
            self.group or ("d4",),
            config,
            weights=self.weights,
            frames=self.frames,
            law=self.law,
            title=self.title,
            device=self.device,
            force=self.force,
            options=self.load,
            trust=self.trust,
            like=self.like,
            words=self.adapt,
            workers=self.workers,
            cluster=self.cluster,
        )


@dataclass
class Epochs:
    """Symmetry over a training: equivariance error and coherence at every kept checkpoint, on the trajectories held out for testing.

    Example: orbitscope epochs runs/unet ns.nc --group d4 --out epochs.nc --picture epochs.png
    """

    run_folder: Positional[Path]
    """Folder of a run trained with --keep all; several seeds are read together."""
    data: Positional[Path]
    """File of trajectories."""
    out: Path
    """NetCDF file for the numbers."""
    picture: Path | None = None
    """Curves to draw: .png, .pdf or .svg."""
    group: str = "d4"
    """Group: c4, d4, tx8, ..."""
    every: int = 1
    """Measure every so many epochs."""
    trajectories: int = 8
    """Number of trajectories."""
    times: int = 2
    """Transitions per trajectory."""
    metric: Literal["gauss_newton", "euclidean"] = "gauss_newton"
    """Metric of parameter space."""
    coherence: bool = True
    """Measure the influence as well, which costs most."""
    seed: int = 0
    """Seed of the random choices."""
    load: tuple[str, ...] = ()
    """How to read the file, as for `orbitscope probe`."""
    trust: bool = False
    """Let the run folder or .pt2 file name code to import or run. Only where you know where it comes from."""
    force: bool = False
    """Replace existing files."""

    def run(self) -> int:
        from ._epochs import epochs_to_file

        return epochs_to_file(
            self.run_folder, self.data, self.out, self.group, picture=self.picture, every=self.every, trajectories=self.trajectories,
            times=self.times, metric=self.metric, coherence=self.coherence, seed=self.seed, force=self.force, options=self.load,
            trust=self.trust,
        )  # fmt: skip


@dataclass
class Transfer:
    """What a few steps on the copies under each element do to the loss at all others, against what influence and coherence predict.

    Example: orbitscope transfer runs/unet ns.nc --group d4 --out transfer.nc --picture transfer.png
    """

    run_folder: Positional[Path]
    """Folder of one run; its last weights are taken, and its optimiser with the moments."""
    data: Positional[Path]
    """File that the run was trained on; steps are taken on its training part, losses measured on its test part."""
    out: Path
    """NetCDF file for the numbers."""
    picture: Path | None = None
    """Picture of what happened beside what was predicted: .png, .pdf or .svg."""
    group: str = "d4"
    """Group: c4, d4, ...; at most 16 elements."""
    steps: int = 32
    """Steps on the copies under each element."""
    batch: int = 16
    """Transitions per step."""
    learning_rate: float | None = None
    """Learning rate of the steps; None: where the training stopped, or its peak if that is 0."""
    trajectories: int = 16
    """Trajectories of each part."""
    times: int = 4
    """Transitions per trajectory."""
    seed: int = 0
    """Seed of the random choices."""
    load: tuple[str, ...] = ()
    """How to read the file, as for `orbitscope probe`."""
    trust: bool = False
    """Let the run folder or .pt2 file name code to import or run. Only where you know where it comes from."""
    force: bool = False
    """Replace existing files."""

    def run(self) -> int:
        from ._transfer import transfer_to_file

        return transfer_to_file(
            self.run_folder, self.data, self.out, self.group, picture=self.picture, steps=self.steps, batch=self.batch,
            learning_rate=self.learning_rate, trajectories=self.trajectories, times=self.times, seed=self.seed, force=self.force,
            options=self.load, trust=self.trust,
        )  # fmt: skip


@dataclass
class Report:
    """One HTML page, without any network: of probes, one discovered symmetry, agents, one audited environment, or episodes of policies.

    Example: orbitscope report probe.nc --out report.html
    """

    probes: Positional[tuple[Path, ...]]
    """Files of `orbitscope probe`; or one file of `orbitscope discover`, of `evaluate --played`, or of the `audit` of an environment; or
    folders of agents."""
    out: Path = Path("report.html")
    """File to write."""
    title: str | None = None
    """Headline of the page; None: what it is a report on."""
    force: bool = False
    """Replace an existing file."""

    def run(self) -> int:
        from ._report import report_to_file

        return report_to_file(self.probes, self.out, title=self.title, force=self.force)

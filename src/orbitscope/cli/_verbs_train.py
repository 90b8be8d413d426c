"""The verb that trains."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import tyro

from .._errors import OrbitscopeError

Device = Literal["auto", "cpu", "cuda"]
Positional = tyro.conf.Positional
_LOOP = ("epochs", "batch", "learning_rate", "weight_decay", "clip")


@dataclass
class Train:
    """Train an emulator, state -> next state, or an agent in an environment. Interrupted, the same command goes on, bit for bit.

    Example: orbitscope train ns.nc --model unet --preset small --epochs 10 --out runs/unet
    Example: orbitscope train reacher --agent sac --policy relaxed --steps 50000 --out runs/reacher
    """

    data: Positional[Path]
    """File of trajectories; also a folder or a pattern ("CE-RP_*.nc") of numbered files. Or the name of an environment, such as
    reacher, cartpole-swingup or reacher+wind=0.2."""
    out: Path
    """Folder of the run; several seeds make seed-0, seed-1, ... in it."""
    model: str = "unet"
    """unet, vit, resnet or fno; equivariant_ before unet, vit, resnet or fno; relaxed_, motion_, magnitude_ or scale_ before unet or
    resnet; scale_frame_ before unet or resnet; "package.module:callable"; or a model of a system, on a file of its examples."""
    preset: str = "small"
    """Size of the model: small, medium or paper."""
    override: tuple[str, ...] = ()
    """Single options of the model, such as width=32."""
    group: str | None = None
    """Symmetry of an equivariant_ or relaxed_ model: d4, c8, so2, ...; short for --override group=d4."""
    residual: bool = True
    """Predict the increment instead of the next state."""
    epochs: int | None = None
    """Passes over the training transitions. None: 10, or what suits a model of a system."""
    batch: int | None = None
    """Transitions per step. None: 32, or what suits a model of a system."""
    learning_rate: float | None = None
    """Peak rate of AdamW. None: 5e-4, or what suits a model of a system."""
    weight_decay: float | None = None
    """Decoupled weight decay. None: 1e-4, or what suits a model of a system."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """Learning-rate schedule."""
    clip: float | None = None
    """Largest gradient norm; 0: no clipping. None: 1.0, or what suits a model of a system."""
    seed: tuple[int, ...] = (0,)
    """One run per seed."""
    device: Device = "auto"
    """Where to compute; auto: a GPU where there is one."""
    devices: int = 1
    """Processes, data-parallel: gloo on the CPU, NCCL on GPUs."""
    precision: Literal["32", "64", "bf16"] = "32"
    """Precision of the arithmetic; bf16 is mixed. A model of a system may need 64 and takes it."""
    augment: str | None = None
    """Group, such as d4 or d4*tx*ty: move every transition of every step by a random element of it."""
    relaxation: float | None = None
    """Weight of the penalty on broken symmetry, for models with relaxed layers."""
    frames: int = 1
    """Past states that the model sees."""
    rollout: int = 1
    """Steps in the loss, each fed with the predictions before it."""
    units: Literal["data", "state"] = "data"
    """What states and the loss are measured in; state: the size of each field of the state itself, for data of very different sizes."""
    differences: bool = False
    """Show the model the last state and its differences in place of several frames, and go on with the last increment."""
    keep: Literal["best", "all"] = "best"
    """Weights to keep; all: also those after every epoch."""
    logger: tuple[Literal["csv", "tensorboard"], ...] = ("tensorboard",)
    """Where to keep the losses of every epoch, in the run folder; none given after the flag: only in run.json."""
    load: tuple[str, ...] = ()
    """How to read the file, such as "fields=velocity=u,v:vector T" for separate variables, land=0 box=-30,-28,40,41 depth=1 (ocean),
    dims=j=y,i=x, dt=0.1, extent=1,2 boundary=periodic,wall; in a TOML file the table [load]. Each format takes its own options."""
    agent: Literal["sac", "ppo", "model_based"] = "sac"
    """Algorithm of an agent, in an environment; model_based learns dynamics, rewards and values and plans with them."""
    policy: Literal["plain", "augmented", "exact", "relaxed", "residual", "gated"] = "exact"
    """How much of the symmetry of an environment an agent is given."""
    steps: int | None = None
    """Steps of an agent in all; more of them go on with a run that is there. None: 50,000."""
    force: bool = False
    """Replace an existing run."""

    def run(self) -> int:
        from .. import TrainConfig, load_runs, train
        from ..systems import of_environment, of_model
        from ._early import check_model, read_groups
        from ._examples import holds_examples
        from ._output import about_run, record
        from ._systems import refuse_flags
        from ._words import load_words, parse_words

        if not self.data.exists() and of_environment(str(self.data)) is not None:
            return self._agent()
        asks = any(getattr(self, f.name) != f.default for f in fields(self) if f.name in ("agent", "policy", "steps"))
        if asks and not self.data.exists() and not self.data.suffix:
            raise OrbitscopeError(f"data: there is no file {self.data}, and no environment of that name for an agent.")
        refuse_flags(self, tuple(f.name for f in fields(self) if f.name not in ("agent", "policy", "steps")), "a file of trajectories")
        if of_model(self.model) is not None:
            return self._system()
        check_model(self.model, self.preset)
        overrides = parse_words(self.override, "--override")
        if self.group is not None:
            if overrides.get("group", self.group) != self.group:
                raise OrbitscopeError(f"--group {self.group} and --override group={overrides['group']} contradict each other. Give one.")
            (overrides["group"],) = read_groups([self.group], "kernels")
        (augment,) = (None,) if self.augment is None else read_groups([self.augment], "augment")
        config = TrainConfig(
            model=self.model, preset=self.preset, overrides=overrides, residual=self.residual, **self._loop(),
            schedule=self.schedule, seeds=self.seed, device=self.device, devices=self.devices, precision=self.precision, keep=self.keep,
            augment=augment, relaxation=self.relaxation, frames=self.frames, rollout=self.rollout, units=self.units,
            differences=self.differences,
        )  # fmt: skip
        if holds_examples(self.data):
            raise OrbitscopeError(
                f"train: {self.data} holds examples (x, y), and {self.model} is a network for fields on a grid. Train any module on them "
                "in Python, orbitscope.training.fit (docs/how-to/train-anything.md), and probe it with --group found.nc."
            )
        out = train(load_words(self.data, self.load), config, self.out, force=self.force, tensorboard=False, logger=self.logger)
        runs = load_runs(out, trust=self.model)
        record(runs=[about_run(run) for run in runs])
        for run in runs:
            print(f"{run.path}: {run}")
        return 0

    def _agent(self) -> int:
        """The same for an agent."""
        from ._environments import train_in
        from ._systems import refuse_flags
        from ._words import parse_words

        refuse_flags(
            self, ("data", "out", "agent", "policy", "steps", "group", "seed", "relaxation", "override", "force"), "an environment"
        )
        options = parse_words(self.override, "--override")
        if self.relaxation is not None:
            options["penalty"] = self.relaxation
        return train_in(
            str(self.data), self.out, agent=self.agent, policy=self.policy, steps=50_000 if self.steps is None else self.steps,
            group=self.group, seeds=self.seed, options=options, force=self.force,
        )  # fmt: skip

    def _loop(self) -> dict[str, Any]:
        """The settings of the loop that were given."""
        return {name: value for name in _LOOP if (value := getattr(self, name)) is not None}

    def _system(self) -> int:
        """The same for a model of a system, whose own settings stand where a flag has its default."""
        from ..systems import load_system, of_model
        from ..training import FitConfig
        from ._systems import refuse_flags, train_model
        from ._words import parse_words

        taken = (*_LOOP, "schedule", "device", "devices", "precision", "keep", "relaxation")
        refuse_flags(self, (*taken, "model", "preset", "override", "seed", "augment", "logger", "force"), self.model)
        plan = load_system(of_model(self.model) or "").model(self.model, self.preset)
        given = {name: getattr(self, name) for name in taken[len(_LOOP) :]}
        if self.precision == "32":
            given["precision"] = plan.defaults.get("precision", "32")
        return train_model(
            self.data, self.model, self.out, FitConfig(**{**plan.defaults, **given, **self._loop()}), seeds=self.seed, preset=self.preset,
            options=parse_words(self.override, "--override"), augment=self.augment, force=self.force, logger=self.logger,
        )  # fmt: skip

from . import cli as cli
from . import data as data
from . import discover as discover
from . import emulators as emulators
from . import nn as nn
from . import physics as physics
from . import probe as probe
from . import report as report
from . import symmetry as symmetry
from . import training as training
from ._errors import OrbitscopeError
from ._executor import executor
from ._version import __version__
from .data import Examples, Normalisation, Trajectories, Writer, load, load_examples, save, save_examples
from .discover import Discovery, discover_symmetry, load_discovery
from .emulators import Emulator, Run, TrainConfig, adapt, build, load_run, load_runs, register, rollout, smse, train
from .nn import symmetrize
from .physics import Equation, equation, scenarios, simulate
from .probe import (
    Euclidean,
    GaussNewton,
    Metric,
    ProbeConfig,
    audit,
    coherence_blocks,
    compare,
    equivariance,
    examine,
    influence,
    load_model,
    normalised,
    open_probe,
    save_probe,
    transfer_test,
    verdict,
)
from .report import Card, card
from .report import plot as plot
from .symmetry import (
    Field,
    FieldAction,
    Grid,
    GridAction,
    Group,
    Invariant,
    Isometry,
    Layout,
    PartsAction,
    Points,
    Representation,
    Symmetry,
    Values,
    cyclic,
    dihedral,
    octahedral,
    parse_group,
    product,
    representation,
    rotation,
    rotations,
    rotations_reflections,
    translations,
)

__all__ = [
    "Card",
    "Discovery",
    "Emulator",
    "Equation",
    "Euclidean",
    "Examples",
    "Field",
    "FieldAction",
    "GaussNewton",
    "Grid",
    "GridAction",
    "Group",
    "Invariant",
    "Isometry",
    "Layout",
    "Metric",
    "Normalisation",
    "OrbitscopeError",
    "PartsAction",
    "Points",
    "ProbeConfig",
    "Representation",
    "Run",
    "Symmetry",
    "TrainConfig",
    "Trajectories",
    "Values",
    "Writer",
    "__version__",
    "adapt",
    "audit",
    "build",
    "card",
    "coherence_blocks",
    "compare",
    "cyclic",
    "dihedral",
    "discover_symmetry",
    "equation",
    "equivariance",
    "examine",
    "executor",
    "influence",
    "load",
    "load_discovery",
    "load_examples",
    "load_model",
    "load_run",
    "load_runs",
    "normalised",
    "octahedral",
    "open_probe",
    "parse_group",
    "product",
    "register",
    "representation",
    "rollout",
    "rotation",
    "rotations",
    "rotations_reflections",
    "save",
    "save_examples",
    "save_probe",
    "scenarios",
    "simulate",
    "smse",
    "symmetrize",
    "train",
    "translations",
    "transfer_test",
    "verdict",
]

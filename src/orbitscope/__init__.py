"""orbitscope: measure symmetry in machine-learned models of physical systems.

>>> import torch
>>> import orbitscope as osc
>>> values = torch.cat([chunk for _, chunk in osc.simulate("navier-stokes.gauss", trajectories=8, resolution=16, frames=3)])
>>> data = osc.Trajectories(values, osc.Layout.of("velocity:vector"), osc.Grid.square(16), dt=0.5)
>>> model = osc.build("resnet", "small", channels_in=2, width=4, depth=1)
>>> osc.equivariance(model, data, osc.translations(16)).commutator.max().item() < 1e-4
True
"""

from ._errors import OrbitscopeError
from ._version import __version__
from .data import Examples, Normalisation, Trajectories, Writer, load, save
from .emulators import Emulator, Run, TrainConfig, build, load_run, load_runs, register, rollout, smse, train
from .nn import symmetrize
from .physics import Equation, equation, scenarios, simulate
from .probe import (
    Euclidean,
    GaussNewton,
    Metric,
    ProbeConfig,
    audit,
    coherence_blocks,
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
    "audit",
    "build",
    "coherence_blocks",
    "cyclic",
    "dihedral",
    "equation",
    "equivariance",
    "examine",
    "influence",
    "load",
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

"""Small motions and untrained maps for the tests."""

import torch

from orbitscope.systems.mechanics import (
    DHN,
    SYSTEM,
    EulerHNN,
    HamiltonianMap,
    LeapfrogHNN,
    MotionTransformer,
    ResidualMLP,
    SympNet,
    motion_of,
)
from orbitscope.systems.mechanics._scenarios import DEFAULTS, simulated

KINDS = {
    "hamiltonian_map": HamiltonianMap,
    "dhn": DHN,
    "hnn": LeapfrogHNN,
    "hnn_euler": EulerHNN,
    "sympnet": SympNet,
    "motion_mlp": ResidualMLP,
    "motion_transformer": MotionTransformer,
}
SMALL = {**DEFAULTS, "frames": 25, "duration": 2.0, "starts": 2}


def motion(name="pendulum", count=4, seed=0, **parameters):
    return simulated(name, count, seed, None, **{**SMALL, **parameters})


def network(kind, examples, seed=0, gain=1.5, **options):
    """A map with random weights, larger than fresh ones so that nothing is nearly linear."""
    torch.manual_seed(seed)
    made = KINDS[kind](motion_of(examples), **options).double()
    with torch.no_grad():
        for p in made.parameters():
            p.mul_(gain)
    return made


__all__ = ["KINDS", "SMALL", "SYSTEM", "motion", "network"]

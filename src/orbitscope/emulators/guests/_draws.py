"""A guest that draws random numbers in forward, made a function again."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn

from ..._errors import OrbitscopeError

Randomness = Literal["seeded", "off", "distribution"]
SWITCHES = ("jitter_patches",)
"""Attributes of known models that, when true, let forward draw whatever `eval()` says."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block the generators of torch, NumPy and Python start from `seed`; after it they are as they were."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng(list(range(torch.cuda.device_count()))):
            torch.manual_seed(seed)
            np.random.seed(seed % 2**32)
            random.seed(seed)
            yield
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def switched_off(model: nn.Module) -> list[str]:
    """Evaluation mode, dropout and the switches of known models off, in place; the names of what was switched."""
    model.eval()
    found = []
    for name, part in model.named_modules():
        for switch in SWITCHES:
            if getattr(part, switch, False) is True:
                setattr(part, switch, False)
                found.append(f"{name}.{switch}".lstrip("."))
    return found


def check_randomness(word: str | None) -> None:
    """Raise for a word that is none of ours."""
    if word is not None and word not in get_args(Randomness):
        raise OrbitscopeError(
            "randomness: should be 'seeded' (the same draws at each call), 'off' (evaluation mode, known switches off) or "
            f"'distribution' (the mean over draws; see probe.distribution_equivariance), got {word!r}."
        )

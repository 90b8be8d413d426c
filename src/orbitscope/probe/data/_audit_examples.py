"""Audit of examples of any map: does the truth commute with the group, and are the x distributed as their moved copies?"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import State, Symmetry, called, mapped
from .._measure import TINY
from .._packing import packed_symmetry
from .._provenance import actions_of, stamp
from .._sample import sample_examples
from ._decide import CONSISTENT, UNDETERMINED
from ._distribution import Array, distribution_of
from ._words import said_of

Law = Callable[..., State]
"""The true map, x -> y; the parts of x are its arguments."""


def audit_examples(
    data: Examples,
    symmetry: Symmetry,
    law: Law | None,
    *,
    elements: list[str] | None,
    samples: int,
    alpha: float,
    permutations: int | None,
    seed: int,
    progress: Callable[[int, int], None] | None,
) -> xr.Dataset:
    """`audit` of examples, with the law as a callable; None where it is not known."""
    chosen, packed = symmetry.elements(elements), packed_symmetry(symmetry, data)
    pairs = sample_examples(data, trajectories=samples, times=2, seed=seed, like=torch.empty((), dtype=torch.float64))
    times = len(pairs.times)
    # One sample per unit: its slots side by side, since examples of one unit are not independent.
    states = torch.stack(list(pairs.x.chunk(times)), 1)

    def move(g: Any, some: Tensor) -> Tensor:
        moved = packed.input(g, some.flatten(0, 1))
        assert isinstance(moved, Tensor), "states of several parts are packed"
        return moved.unflatten(0, (len(some), times))

    def describe(some: Tensor) -> Array:
        vectors = packed.input.features(some.flatten(0, 1)).double()
        return vectors.reshape(len(some), -1).cpu().numpy()

    file = distribution_of(
        states, symmetry.group, chosen, move, alpha=alpha, permutations=permutations, seed=seed, describe=describe
    )  # fmt: skip
    residual, floor = np.full(len(chosen), np.nan), float("nan")
    if law is not None:
        x, y = (mapped(lambda t: t.double() if t.is_floating_point() else t, s) for s in (data.x, data.y))
        floor = _residual(law, symmetry, symmetry.group.identity, x, y)
        for done, g in enumerate(chosen):
            residual[done] = _residual(law, symmetry, g, x, y)
            if progress is not None:
                progress(done + 1, len(chosen))
    if law is None:
        verdict, why = UNDETERMINED, "Examples declare no convention that could be checked without their law; give `law`, the true map."
    elif floor < 0.5:
        verdict, why = CONSISTENT, f"The law misses y by {floor:.2g} of its size."
    else:
        verdict, why = UNDETERMINED, f"The law misses y by {floor:.2g} of its size, so it says nothing about the symmetry."
    said = [said_of(verdict, r, floor, p, alpha, law=law is not None) for r, p in zip(residual, file.p_value, strict=True)]
    result = xr.Dataset(
        {
            "residual": ("element", residual, {"long_name": "||F(gx) - gy|| / ||y|| over all examples", "units": "1"}),
            "residual_floor": ((), floor, {"long_name": "||F(x) - y|| / ||y|| over all examples", "units": "1"}),
            "p_value": ("element", file.p_value, {"long_name": "p-value that x and gx have one distribution, corrected", "units": "1"}),
            "p_value_raw": ("element", file.raw, {"long_name": "p-value that x and gx have one distribution", "units": "1"}),
            "verdict": ("element", said),
        },
        coords={"element": [g.name for g in chosen]},
        attrs={
            "verdict": verdict, "explanation": why, "law": "unknown" if law is None else getattr(law, "__name__", type(law).__name__),
            "distribution_note": file.note, "alpha": alpha, **actions_of(symmetry),
        },
    )  # fmt: skip
    units = len(pairs.trajectories)
    return stamp(result, "audit", symmetry.group, data, None, seed=seed, samples=units, permutations=file.permutations)


def _residual(law: Law, symmetry: Symmetry, g: Any, x: State, y: State) -> float:
    gx, gy = symmetry.pair(g, x, y)
    try:
        with torch.no_grad():
            found = called(law, gx)
        # Sums, not a median, which would not see a law that breaks on less than half of the examples.
        if not symmetry.output.linear:
            return float(symmetry.output.relative(found, gy, g).double().mean())
        gap, size = (float(symmetry.output.squares(*of, g).sum()) for of in ((found, gy), (gy, None)))
        return math.sqrt(gap / (size + TINY))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise OrbitscopeError(
            f"audit: `law` should map the examples' x to their y; it fails with {type(error).__name__}: "
            f"{(str(error).splitlines() or [''])[0]}. The parts of x are its arguments."
        ) from error

"""Coherence of roll-outs, by the number of steps."""

from collections.abc import Callable, Sequence

import xarray as xr
from torch import nn

from ..._errors import OrbitscopeError
from ...data import Trajectories
from ...symmetry import Group
from ..output import Unrolled
from ._influence import influence
from ._metric import Metric


def influence_by_step(
    model: nn.Module,
    data: Trajectories,
    group: Group | str,
    steps: Sequence[int] = (1, 2, 4),
    *,
    metric: str | Metric = "gauss_newton",
    damping: float | None = None,
    elements: list[str] | None = None,
    trajectories: int | None = 8,
    times: int | None = 1,
    seed: int = 0,
    chunk: int = 8,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Coherence of the k-step roll-out: `influence` of $f^k$ on the transitions $x_t \to x_{t + k}$, for each k in `steps`.

    The per-element summaries of `influence` (`response`, `null`, `excess` with quartiles and intervals) with a dimension `step` in front.
    For k > 1 the gradients run through all k applications; a model that sees several states gets successive ones, whatever k.

    * `model`: a `torch.nn.Module`, in evaluation mode while it is measured.
    * `data`: `Trajectories`.
    * `group`: a `Symmetry`, a `Group`, or its name ("d4", "tx8").
    * `metric`: how gradients are compared: a name or a `Metric` (see `influence`).
    * `damping`: $\lambda$, added to the curvature; only with the name of a metric that has one. None: 1e-6.
    * `elements`: names of the elements to look at; None: all that `group.probes()` gives.
    * `trajectories`: how many trajectories, drawn at random by `seed`; None: all.
    * `times`: how many transitions of each, evenly spread over its time; None: all.
    * `seed`: of the random choice of transitions (and of what is resampled); the same seed gives the same result.
    * `chunk`: examples whose gradients are taken at once; changes memory and time, and no number beyond rounding.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.

    Raises `OrbitscopeError` as `influence`, and for steps beyond the data.
    """
    if not len(steps) or any(not 1 <= k < data.times for k in steps):
        raise OrbitscopeError(f"influence_by_step: `steps` must lie in 1..{data.times - 1} for {data.times} times, got {tuple(steps)}.")
    parts = []
    for done, k in enumerate(steps):
        found = influence(
            Unrolled(model, k), data, group, metric=metric, damping=damping, elements=elements, trajectories=trajectories, times=times,
            lead=k, seed=seed, chunk=chunk,
        )  # fmt: skip
        parts.append(found[[name for name in found.data_vars if found[name].dims == ("element",)]])
        if progress is not None:
            progress(done + 1, len(steps))
    result = xr.concat(parts, xr.DataArray(list(steps), dims="step", name="step"), combine_attrs="drop_conflicts")
    assert isinstance(result, xr.Dataset)
    result["step"].attrs.update(long_name="applications of the model", units="1")
    result.attrs.update(kind="influence_by_step")
    return result

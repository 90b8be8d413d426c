"""Equivariance error along a one-parameter family of elements, for maps of every kind."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import ArrayLike
from torch import nn

from ..._errors import OrbitscopeError
from ...data import Examples, Trajectories
from ...symmetry import LieGroup, Symmetry
from .._measure import error_of, numpy, precision_floor, predict
from .._provenance import stamp
from .._sample import resolve, sample_for
from .._subject import Subject
from ._equivariance import compare


def orbit_curve(
    model: nn.Module,
    data: Trajectories | Examples,
    symmetry: Symmetry,
    at: Sequence[float],
    along: int | ArrayLike | Callable[[float], Any] = 0,
    *,
    trajectories: int | None = 8,
    times: int | None = 2,
    seed: int = 0,
    batch: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    r"""Equivariance error of `model` under $g_t$ for every t of `at`: rotations of every angle, boosts of every speed, scalings.

    * `commutator` [parameter, transition]: $\|f(g_t x) - g_t f(x)\| / \|f(x)\|$; `relative_error`: the error on $(g_t x, g_t y)$ over that
      on (x, y); both as in `equivariance`.
    * `moved` [parameter, transition]: $\|g_t x - x\| / \|x\|$, how far the element moves the state; a map that ignores the move is wrong by
      as much.
    * `floor` [parameter]: what float precision and resampling alone leave of the commutator.

    * `data`: `Trajectories` or `Examples`.
    * `symmetry`: how elements move x and y.
    * `at`: parameters t, in the unit of the family (radians, shares of a speed).
    * `along`: the number of an element of the basis of a Lie group's algebra, or an element of the algebra [n, n] (X, and
      $g_t = \exp(t X)$), or a function t -> element.
    * `trajectories`, `times`, `seed`, `batch`: as of `equivariance`.
    * `progress`: called with (done, total) after each piece of work; None: nothing is said.

    At small t the commutator is t times the Lie derivative of `lie_derivative`. Where it fails: moved states may leave what the model was
    trained on, and then the error says as much about extrapolation. Raises `OrbitscopeError` for a group without an algebra where `along`
    is no function, for parameters that are not finite, and for elements that the data cannot be moved by.

    >>> import orbitscope as osc
    >>> from orbitscope.symmetry import FieldAction, Values, special_orthogonal
    >>> act = FieldAction(osc.Layout.of("force:vector"), Values())
    >>> x = torch.randn(8, 2, dtype=torch.float64)
    >>> found = orbit_curve(nn.Linear(2, 2).double(), osc.Examples(x, x), Symmetry(special_orthogonal(2), act, act), [0.0, 0.1, 3.0])
    >>> found["commutator"].median("transition").values.round(3)[0]
    np.float64(0.0)
    """
    family, said = _family(symmetry, along)
    parameters = np.asarray(list(at), dtype=float)
    if parameters.ndim != 1 or not parameters.size or not np.isfinite(parameters).all():
        raise OrbitscopeError(f"orbit_curve: `at` should be a list of finite parameters, got {at}.")
    if batch < 1:
        raise OrbitscopeError(f"orbit_curve: `batch` must be at least 1, got {batch}.")
    subject = Subject.of(model, data)
    _, _, symmetry = resolve(data, symmetry, None, subject.frames)
    pairs = sample_for(subject, data, trajectories=trajectories, times=times, seed=seed)
    model = subject.module
    plain = predict(model, pairs.x, batch)
    floor, error = precision_floor(model, pairs.x, plain, symmetry.output), error_of(symmetry.output, pairs.y)
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("commutator", "relative_error", "moved")}
    floors = []
    for done, t in enumerate(parameters):
        g = family(float(t))
        symmetry.require(g)
        x = symmetry.input(g, pairs.x)
        assert isinstance(x, torch.Tensor), "states of several parts are packed"
        found = compare(predict(model, x, batch), plain, pairs.y, g, symmetry.output, error)
        rows["commutator"].append(found["commutator"])
        rows["relative_error"].append(found["relative_error"])
        rows["moved"].append(numpy(symmetry.input.relative(x, pairs.x)))
        floors.append(floor + symmetry.output.error(g, plain[: min(4, len(plain))]))
        if progress is not None:
            progress(done + 1, len(parameters))
    result = xr.Dataset(
        {**{name: (("parameter", "transition"), np.stack(row)) for name, row in rows.items()}, "floor": ("parameter", np.array(floors))},
        coords={"parameter": parameters, "trajectory": ("transition", pairs.trajectory_of), "time": ("transition", pairs.time_of)},
        attrs={"along": said},
    )
    result["parameter"].attrs.update(long_name=f"parameter along {said}")
    for name, words in (
        ("commutator", "||f(g x) - g f(x)|| / ||f(x)||"), ("relative_error", "error on (gx, gy) over that on (x, y)"),
        ("moved", "||g x - x|| / ||x||"), ("floor", "commutator that float precision and resampling alone would show"),
    ):  # fmt: skip
        result[name].attrs.update(long_name=words, units="1", sign="larger is worse; 0 (relative_error: 1) commutes")
    return stamp(
        result, "orbit_curve", symmetry.group, data, subject, seed=seed, trajectories=len(pairs.trajectories), times=len(pairs.times)
    )


def _family(symmetry: Symmetry, along: int | ArrayLike | Callable[[float], Any]) -> tuple[Callable[[float], Any], str]:
    """t -> element, and its name."""
    if not isinstance(symmetry, Symmetry):
        raise OrbitscopeError(f"orbit_curve: `symmetry` should be a Symmetry(group, input, output), got {symmetry!r}.")
    if callable(along):
        return along, getattr(along, "__name__", "a family")
    group = symmetry.group
    if not isinstance(group, LieGroup):
        raise OrbitscopeError(f"orbit_curve: {group.name} has no algebra. Give `along` as a function of the parameter to an element.")
    if isinstance(along, int):
        if not 0 <= along < len(group.algebra):
            raise OrbitscopeError(f"orbit_curve: the algebra of {group.name} has {len(group.algebra)} elements, so no number {along}.")
        direction, said = group.algebra[along], f"X{along}"
    else:
        direction, said = np.asarray(along, dtype=float), "X"
    return lambda t: group.exp(t * direction), said

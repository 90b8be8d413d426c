"""Examples on points: how their parts move, said beside them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from ...data import Examples
from ...nn import Irreps
from ...symmetry import Action, Field, FieldAction, Invariant, Layout, PartsAction, Points, RotationIrrep

ABOUT = "points"
"""Where the description stands in `Examples.about`."""


def point_examples(
    positions: Tensor, features: Tensor, answers: Tensor, *, into: str, out: str, cell: Tensor | None = None, case: Tensor | None = None,
    there: Tensor | None = None, unit: Any = None, slot: Any = None, names: Sequence[str] = (), about: Mapping[str, Any] | None = None,
    **network: Any,
) -> Examples:  # fmt: skip
    """Examples of a map from points with features to features of the points, with what each part is.

    * `positions`: [N, P, 3], in one unit of length. `features`: [N, P, C]. `answers`: [N, P, D].
    * `into`, `out`: irreps of features and answers, such as "1x0e+1x1o".
    * `cell`: lattice vectors of periodic crystals, the rows of [N, 3, 3]; None: no crystals. `case`: number of the case, [N].
    * `there`: which points there are, bool [N, P], for clouds of different sizes; None: all. Points that are not there are parked far from
      all others, with features and answers 0.
    * `unit`, `slot`: as of `Examples`. `names`: of the kinds of points, for people. `about`: what else is known.
    * `network`: settings of `E3Net` that suit these examples, such as cutoff=3.5.

    Raises `OrbitscopeError` for parts whose shapes do not go together.
    """
    count, points = positions.shape[:2]
    for what, part, size in (
        ("positions", positions, 3),
        ("features", features, Irreps.of(into).dim),
        ("answers", answers, Irreps.of(out).dim),
    ):
        if part.shape != (count, points, size):
            raise OrbitscopeError(f"point_examples: `{what}` should be [{count}, {points}, {size}], got {list(part.shape)}.")
    if cell is not None and cell.shape != (count, 3, 3):
        raise OrbitscopeError(f"point_examples: `cell` should be [{count}, 3, 3], got {list(cell.shape)}.")
    if there is not None:
        if there.shape != (count, points) or there.dtype != torch.bool or not bool(there.any(1).all()):
            raise OrbitscopeError(f"point_examples: `there` should be bool [{count}, {points}], with a point in every example.")
        positions = parked(positions, there)
        features, answers = features * there[..., None], answers * there[..., None]
    cases = 1 if case is None else int(case.max()) + 1
    said = {
        "into": str(Irreps.of(into)), "out": str(Irreps.of(out)), "periodic": cell is not None, "masked": there is not None,
        "cases": cases, "names": list(names), "network": dict(network),
    }  # fmt: skip
    more = (cell, there, None if case is None else case.long())
    x = (positions, features, *(part for part in more if part is not None))
    return Examples(x, answers, unit, slot, "points", {**dict(about or {}), ABOUT: said})


def described(examples: Examples) -> dict[str, Any]:
    """What the parts of `examples` on points are; raises `OrbitscopeError` where nothing says so."""
    found = examples.about.get(ABOUT)
    if not isinstance(found, dict) or not {"into", "out", "periodic", "cases"} <= set(found):
        raise OrbitscopeError(
            "points: these examples do not say how their features move. Make them with `orbitscope simulate`, or with "
            "systems.points.point_examples(positions, features, answers, into=..., out=...)."
        )
    return found


def irreps_action(words: str, name: str) -> Action[Any]:
    """How features of points move that are a sum of irreps.

    * `words`: the irreps. `name`: of the features.
    """
    copies = [b for b in Irreps.of(words).blocks for _ in range(b.count)]
    fields = tuple(Field(f"{name}{k}", RotationIrrep(b.degree, b.odd)) for k, b in enumerate(copies))
    return FieldAction(Layout(fields, 3), Points())


def input_action(said: Mapping[str, Any]) -> PartsAction[Any]:
    """How a state of positions, features, cells and cases moves.

    * `said`: of `described`.
    """
    parts: list[Action[Any]] = [FieldAction(Layout.of("position:point", ndim=3), Points()), irreps_action(said["into"], "feature")]
    if said["periodic"]:
        parts.append(FieldAction(Layout.of("lattice:vector", ndim=3), Points()))
    if said.get("masked"):
        parts.append(Invariant(("there",)))
    if int(said["cases"]) > 1:
        parts.append(Invariant(("case",)))
    return PartsAction(*parts)


def parked(positions: Tensor, there: Tensor) -> Tensor:
    """Positions with the points that are not there far from all others and from each other: ten times the widest cloud, and further.

    * `positions`: [N, P, 3]. `there`: bool [N, P].
    """
    kept = positions[there]
    width = float((kept.max(0).values - kept.min(0).values).max()) or 1.0
    place = kept.mean(0) + 10 * width * (1 + torch.arange(positions.shape[1], dtype=positions.dtype))[:, None] * torch.eye(3).to(kept)[0]
    return torch.where(there[..., None], positions, place)


def with_mask(examples: Examples) -> Examples:
    """The examples with which points there are as booleans, which NetCDF has not.

    * `examples`: as they come from a file, their mask as numbers.
    """
    said, x = described(examples), examples.x
    assert isinstance(x, tuple)
    at = 2 + bool(said["periodic"])
    parts = (*x[:at], x[at].bool(), *x[at + 1 :])
    return Examples(parts, examples.y, examples.unit, examples.slot, examples.name, examples.about)


def moved_weights(x: tuple[Tensor, ...], theta: Tensor) -> tuple[Tensor, ...]:
    """The state with relaxed weights as one more part, for each example its own copy.

    * `x`: parts [N, ...]. `theta`: [N or 1, dim].
    """
    return (*x, torch.broadcast_to(theta, (len(x[0]), theta.shape[-1]))[:, None].clone())

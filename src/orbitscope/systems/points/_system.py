"""Points, clusters and crystals as a system: its names, models and symmetries."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples, load_examples
from ...nn import Irreps, relaxed_weights
from ...symmetry import Group, LieGroup, Rigid, State, Symmetry, euclidean, orthogonal, special_orthogonal, stabiliser
from ...training import Loss
from .. import System, SystemModel, SystemScenario
from . import _scenarios as made
from ._about import ABOUT, described, input_action, irreps_action, with_mask
from ._e3net import E3Net, ResidualE3Net, built
from ._readers import is_archive_of_points, read_points
from ._readout import is_relaxed, reading


def _model(name: str, examples: Examples, **options: Any) -> nn.Module:
    assert isinstance(examples.x, tuple) and isinstance(examples.y, Tensor)
    net = built(name, described(examples), options, examples.x[0].shape[1])
    part = net.strict if isinstance(net, ResidualE3Net) else net
    if isinstance(part, E3Net):
        part.scale_to(examples.x[1], examples.y)
    return net


_SIZES: Mapping[str, Mapping[str, Any]] = {"small": {"hidden": "4x0e+4x1o+4x2e"}, "medium": {"hidden": "16x0e+16x1o+8x2e"}}
_TRAINING = {"epochs": 100, "batch": 4, "learning_rate": 1e-2, "weight_decay": 0.0, "precision": "64"}


class PointMSE(Loss):
    r"""Squared error over the mean square of the answers, by irrep: $\mathrm{mean}_l\, |p^l - y^l|^2 / \langle |y^l|^2 \rangle$,
    dimensionless.

    * `out`: irreps of the answers. `sizes`: mean square of a component of each block, in the square of its unit.

    No rotation changes it: one size for all components of an irrep.
    """

    name = "pmse"

    def __init__(self, out: str | Irreps, sizes: Sequence[float]) -> None:
        self.out, self.sizes = Irreps.of(out), tuple(sizes)

    @classmethod
    def of(cls, examples: Examples) -> "PointMSE":
        """In the sizes of some examples.

        * `examples`: on points.
        """
        out, y = Irreps.of(described(examples)["out"]), examples.y
        assert isinstance(y, Tensor)
        return cls(out, [float(y[..., where].double().square().mean()) or 1.0 for _, where in out])

    def each(self, prediction: State, target: State, state: State = None) -> Tensor:
        """The error of each example, [B]; `prediction` and `target` [B, P, out.dim], `state` is not looked at."""
        assert isinstance(prediction, Tensor) and isinstance(target, Tensor)
        gap = (prediction - target).square()
        found = [gap[..., where].flatten(1).mean(1) / size for (_, where), size in zip(self.out, self.sizes, strict=True)]
        return torch.stack(found).mean(0)


class PointSystem(System):
    """Maps from points with features to features of the points, under the motions of space."""

    name: ClassVar[str] = "points"
    scenarios: ClassVar[Mapping[str, SystemScenario]] = {
        name: SystemScenario(name, words, make, parameters, notes)
        for name, words, make, parameters, notes in (
            (
                "shapes.deformed", "cubes, and the shape that their vertices go to: target=cube, prism or box", made.deformed_shapes,
                {"target": "prism", "spread": 0.2}, "The harmonics are those of a published study, the cubes of several sizes are not.",
            ),
            (
                "particle.field", "velocity to acceleration of a charge in an electric and a magnetic field", made.particle_in_fields,
                {"electric": (1.0, 0.0, 0.0), "magnetic": (0.0, 1.0, 0.0), "frames": 20, "dt": 0.1, "noise": 0.0}, "",
            ),
            (
                "particle.cluster", "forces in small clusters, which break nothing unless field= says so", made.cluster,
                {"points": 4, "field": (0.0, 0.0, 0.0)}, "Of this package, not published.",
            ),
            (
                "pendulum.damped", "place and velocity to acceleration of a damped spherical pendulum", made.damped_pendulum,
                {"gravity": (0.0, 0.0, -9.81), "damping": 0.3, "frames": 20, "dt": 0.05}, "In space, not in the plane.",
            ),
            (
                "crystal.perovskite", "displacements of the ions of a cubic perovskite: phase=P4mm, Amm2, R3m or Pm-3m", made.perovskite,
                {"phase": "P4mm", "amplitude": 0.1, "lattice": 4.0, "strain": 0.02, "along": 0.5, "against": 0.4, "cases": 1},
                "Edge and pattern are numbers of this package, not measured ones.",
            ),
            (
                "crystal.batio3", "displacements of the ions of barium titanate along its soft mode: phase=P4mm, Amm2, R3m or Pm-3m",
                made.perovskite, {"phase": "P4mm", "strain": 0.02, "cases": 1, **made.BATIO3},
                "Edge and pattern of the tetragonal phase are published; it is turned for the others, and cells have no strain.",
            ),
            (
                "diffusion.tensor", "gradient to flux in an anisotropic medium", made.diffusion,
                {"principal": (1.0, 2.0, 4.0), "axis": (1.0, 1.0, 1.0), "angle": 0.7, "noise": 0.0}, "",
            ),
        )
    }  # fmt: skip
    models: ClassVar[Mapping[str, SystemModel]] = {
        name: SystemModel(name, words, partial(_model, name), presets, _TRAINING)
        for name, words, presets in (
            ("e3net", "tensor-product convolutions with gates, equivariant under E(3)", _SIZES),
            ("relaxed_e3net", "the same with relaxed weights, which start at 0", _SIZES),
            ("residual_e3net", "the equivariant network plus a plain one that starts at 0", _SIZES),
            ("coordinate_net", "a plain network on all coordinates", {"small": {"width": 64}, "medium": {"width": 256}}),
        )
    }

    def read(self, path: Path) -> Examples:
        """The examples of a file, or the frames of an .xyz or .extxyz file (see `read_points`)."""
        if path.suffix.lower() in (".xyz", ".extxyz") or (path.suffix.lower() == ".npz" and is_archive_of_points(path)):
            return read_points(path)
        found = load_examples(path)
        return with_mask(found) if found.about.get(ABOUT, {}).get("masked") else found

    def view(self, path: Path, chosen: Sequence[int], fix: bool = False) -> tuple[Any, list[str]]:
        """Points, vectors and cells of the examples in the file at `path`: those with the numbers `chosen`, or the first six; there is
        nothing that `fix` could mend."""
        from ._view import points_figure  # matplotlib

        if fix:
            raise OrbitscopeError(f"view: --fix mends meshes; what is wrong with {path} is said when it is read. Leave it out.")
        return points_figure(self.read(path), chosen), []

    def loss(self, model: str, examples: Examples) -> str | Loss:
        """`PointMSE` in the sizes of `examples`, for every `model`."""
        return PointMSE.of(examples)

    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """Rotations, rotations and reflections, and motions; of a relaxed model also what its relaxed weights leave ("left")."""
        said = described(examples)
        into, out = input_action(said), irreps_action(said["out"], "answer")
        groups: dict[str, Group[Any]] = {"o3": orthogonal(3), "so3": special_orthogonal(3)}
        if not said["periodic"] and examples.x[0].shape[1] > 1:
            groups["e3"] = euclidean(3)
        if model is not None and is_relaxed(model):
            group = left_over(model)
            if group is not None and group.name not in {g.name for g in groups.values()}:
                groups["left"] = group
        return {name: Symmetry(group, into, out) for name, group in groups.items()}

    def readings(self, examples: Examples, model: nn.Module) -> dict[str, xr.Dataset]:
        """Order parameters of a relaxed `model`, at `examples`."""
        return {"order": reading(model, examples)} if is_relaxed(model) else {}


def left_over(model: nn.Module, tolerance: float = 1e-2) -> Group[Any] | None:
    """The group that the relaxed weights of a network leave (those of its first case), finite or continuous; None where it is trivial.

    * `model`: has one `RelaxedWeights`. `tolerance`: of `stabiliser`.
    """
    weights = relaxed_weights(model)
    tensors = {name: v.double().cpu().numpy() for name, v in weights.by_irrep().items()}
    found = stabiliser(tensors if float(weights.theta.detach()[0].norm()) > 1e-9 else {}, tolerance)
    if not len(found.algebra) and len(found.elements) < 2:
        return None
    rows = sorted(found.elements, key=lambda m: -float(np.trace(m)) - 10 * (np.linalg.det(m) > 0))  # the identity first
    nearest = [u @ v for u, _, v in (np.linalg.svd(m) for m in rows)]
    elements = [Rigid(m, name="e" if k == 0 else f"g{k}") for k, m in enumerate(nearest)]
    if not len(found.algebra):
        return Group(found.name, elements)
    basis = np.tensordot(found.algebra, special_orthogonal(3).algebra, 1)
    return LieGroup(found.name, basis, Rigid, components=elements, scale=np.pi)


SYSTEM = PointSystem()

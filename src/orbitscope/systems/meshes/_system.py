"""The names that this system brings: scenarios, models, symmetries."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from torch import nn

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import Invariant, Symmetry
from ...training import Augment, Loss
from ...training.files import BEST, load_weights, read_weights
from .._system import System, SystemModel, SystemScenario
from ._networks import ENCODERS, Response, made
from ._pretrain import ContrastLoss, FaceAutoencoder, MeshContrast, ReconstructionLoss
from ._reading import geometric_error, mesh_reading
from ._remesh import APPROXIMATE, EXACT, RandomRemesh, Remesh, remeshing
from ._scenarios import CAPACITY_DEFAULTS, FILES_DEFAULTS, SHAPES_DEFAULTS, capacity_shapes, law_of, radar_files, radar_shapes

PRETRAINING = ("mesh_autoencoder", "mesh_masked", "mesh_contrast")


def _network(kind: str) -> Callable[..., nn.Module]:
    def make(examples: Examples, start: str = "", **options: Any) -> nn.Module:
        return started(made(kind, examples, **options), start)

    return make


def _pretraining(build: Callable[..., nn.Module], **fixed: Any) -> Callable[..., nn.Module]:
    def make(examples: Examples, encoder: str = "graph", start: str = "", **options: Any) -> nn.Module:
        if encoder not in ENCODERS:
            raise OrbitscopeError(f"encoder: should be one of {', '.join(ENCODERS)}, got {encoder!r}.")
        return started(build(encoder=encoder, **{**fixed, **options}), start)

    return make


def started(model: nn.Module, start: str | Path) -> nn.Module:
    """The model with the encoder of another run, such as a pretrained one; unchanged where there is none to start from.

    * `model`: with an `encoder`. `start`: run folder, or "".

    Raises `OrbitscopeError` where the run has no encoder of this shape.
    """
    if not start:
        return model
    weights, _ = read_weights(Path(start) / BEST)
    own = model.state_dict()
    encoder = {k: v for k, v in weights.items() if k.startswith("encoder.")}
    if not encoder or not any(k.startswith("encoder.") for k in own):
        raise OrbitscopeError(f"start: {start} and this model have no encoder of faces in common.")
    load_weights(model, {**own, **encoder}, str(start))
    return model


_TRAINED = {"learning_rate": 2e-3, "epochs": 60}
_SIZES = {"small": {"width": 64}, "medium": {"width": 128}}


def _model(name: str, words: str, make: Callable[..., nn.Module], presets: Mapping[str, Mapping[str, Any]]) -> SystemModel:
    return SystemModel(name, words, make, {p: {"start": "", **o} for p, o in presets.items()}, _TRAINED)


class Meshes(System):
    """Surfaces of triangles."""

    name = "meshes"
    scenarios = {
        s.name: s
        for s in (
            SystemScenario("radar.shapes", "radar return of basic shapes (physical optics)", radar_shapes, SHAPES_DEFAULTS),
            SystemScenario("radar.files", "radar return of meshes in files, turned at random", radar_files, FILES_DEFAULTS),
            SystemScenario("capacity.shapes", "capacity of basic shapes (boundary elements)", capacity_shapes, CAPACITY_DEFAULTS),
        )
    }
    models = {
        m.name: m
        for m in (
            _model("mesh_mlp", "a network on every face, their mean", _network("mlp"), _SIZES),
            _model("mesh_graph", "a network on the graph of faces, their mean", _network("graph"), _SIZES),
            _model("mesh_token", "faces as rounded numbers (words of a fixed codebook), their mean", _network("token"), _SIZES),
            _model("mesh_codebook", "faces as words of a learnt codebook, their mean", _network("codebook"), _SIZES),
            _model("mesh_quadrature", "an integral by one point a face", _network("quadrature"), _SIZES),
            _model(
                "mesh_integral", "exact integrals of learnt waves over the surface", _network("integral"),
                {"small": {"channels": 128}, "medium": {"channels": 256, "decoder": 256}},
            ),
            _model("mesh_autoencoder", "pretraining: faces from a code", _pretraining(FaceAutoencoder), _SIZES),
            _model("mesh_masked", "pretraining: hidden faces from their neighbours", _pretraining(FaceAutoencoder, hidden=0.5), _SIZES),
            _model("mesh_contrast", "pretraining: the same shape in two meshes", _pretraining(MeshContrast), _SIZES),
        )
    }  # fmt: skip

    def read(self, path: Path) -> Examples:
        """The examples in the file at `path`; raises `OrbitscopeError` for a file that holds none, or others than meshes."""
        found = super().read(path)
        if not isinstance(found.x, tuple) or len(found.x) != 3 or found.x[0].ndim != 4 or found.x[0].shape[2:] != (3, 3):
            raise OrbitscopeError(f"data: {path} holds no meshes. Make some: orbitscope simulate radar.shapes --out shapes.nc.")
        corners, neighbours, there = found.x  # NetCDF has no booleans
        return Examples((corners, neighbours.long(), there.bool()), found.y, found.unit, found.slot, found.name, found.about)

    def loss(self, model: str, examples: Examples) -> str | Loss:
        """Mean squared error of the response; of the pretraining, its own."""
        if model == "mesh_contrast":
            return ContrastLoss()
        return ReconstructionLoss() if model in PRETRAINING else "mse"

    def augment(self, model: str, examples: Examples, word: str) -> Augment:
        """ "remesh": an exact re-meshing for every example of every step; or moves by name, "split_30,flip_50"."""
        return RandomRemesh(EXACT if word == "remesh" else tuple(word.split(",")))

    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """ "remeshing", which leaves flat faces where they are, and "approximate" re-meshing, whose geometric error is measured."""
        answers = Invariant(examples.y.shape[1])  # pyright: ignore[reportAttributeAccessIssue]
        found = {}
        for name, moves in (("remeshing", EXACT), ("approximate", APPROXIMATE)):
            words = remeshing(moves, name)
            measured = {w.name: geometric_error(examples, w) for w in words.probes()[1:]}
            found[name] = Symmetry(words, Remesh(measured=measured), answers)
        return found

    def readings(self, examples: Examples, model: nn.Module) -> dict[str, xr.Dataset]:
        """By how much the answer of `model` changes with the mesh, and a few of the `examples` in other meshes, for the page."""
        return {"meshes": mesh_reading(model, examples)} if isinstance(model, Response) else {}

    def view(self, path: Path, chosen: Sequence[int], fix: bool = False) -> tuple[Any, list[str]]:
        """Shaded triangles of examples, or of the mesh in a file at `path`."""
        from ._view import examples_figure, file_figure  # matplotlib

        if path.suffix.lower() in (".npz", ".nc"):
            return examples_figure(self.read(path), chosen), []
        return file_figure(path, chosen, fix)

    def law(self, examples: Examples) -> Callable[..., Any] | None:
        """The simulator that made the examples."""
        return law_of(examples.about) if examples.about.get("scenario") in self.scenarios else None


SYSTEM = Meshes()

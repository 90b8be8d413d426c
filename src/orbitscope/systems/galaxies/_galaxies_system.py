"""Galaxies as a system: its scenarios, models and symmetries by name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import xarray as xr
from torch import Tensor, nn

from ..._errors import OrbitscopeError
from ...data import Examples
from ...symmetry import State, Symmetry, parts
from ...training import Loss
from .._system import Inferred, Progress, System, SystemModel, SystemScenario
from ._calibration import calibration, several
from ._correlation import noise_correlation
from ._emulators import CorrelationEmulator
from ._ensemble import AlignmentEmulator
from ._figures import corner_figure
from ._flips import XiOf, flips, xi_examples
from ._iaemu import IAEmu
from ._inference import infer, say
from ._losses import BetaNLL, StatisticError
from ._moves import StatisticsLaw, catalogue_symmetries
from ._nuts import NUTSConfig
from ._scenarios import CATALOGUE, HOD, catalogues, simulated
from ._shards import simulated_in_parts
from ._targets import STATISTICS, Scales
from ._vector import read_vector

_KINDS: dict[str, type[CorrelationEmulator]] = {"alignment_emulator": AlignmentEmulator, "iaemu": IAEmu}
_DRAWS = 20
_OF_CATALOGUES = "galaxies.catalogue"


def _made(name: str) -> Any:
    def build(examples: Examples, **options: Any) -> nn.Module:
        return _KINDS[name](examples, **options)

    return build


class GalaxiesSystem(System):
    """Galaxies in halos: from seven numbers of a mock to three correlation functions of places and long axes."""

    name: ClassVar[str] = "galaxies"
    scenarios: ClassVar[Mapping[str, SystemScenario]] = {
        "galaxies.hod": SystemScenario(
            "galaxies.hod", "seven numbers of a halo occupation to xi, omega and eta of its mocks", simulated, HOD,
            "The number of examples counts parameter points; each has `realisations` rows.",
        ),
        _OF_CATALOGUES: SystemScenario(
            _OF_CATALOGUES, "places and long axes of galaxies to their xi, omega and eta", catalogues, CATALOGUE,
            "Each catalogue has halos of its own; galaxies are kept at random.",
        ),
    }  # fmt: skip
    models: ClassVar[Mapping[str, SystemModel]] = {
        "alignment_emulator": SystemModel(
            "alignment_emulator", "an ensemble of small networks with a mean and a noise for every bin", _made("alignment_emulator"),
            {"small": {}, "medium": {"width": 128, "depth": 3, "members": 5, "noise_width": 64}},
            {"epochs": 40, "batch": 128, "learning_rate": 2e-3, "weight_decay": 0.05},
        ),
        "iaemu": SystemModel(
            "iaemu", "the published network: a shared embedding and three convolutional decoders", _made("iaemu"), {"small": {}},
            {"epochs": 20, "batch": 128, "learning_rate": 1e-2, "weight_decay": 1e-4, "clip": 10.0},
        ),
    }  # fmt: skip
    parted: ClassVar[tuple[str, ...]] = ("galaxies.hod",)

    def loss(self, model: str, examples: Examples) -> Loss:
        """`BetaNLL` of what `model` learns in place of the statistics."""
        return BetaNLL(_KINDS[model].links)

    def metrics(self, model: str, examples: Examples) -> dict[str, Loss]:
        """The error of each statistic in units of its spread over `examples`."""
        links = _KINDS[model].links
        spread = Scales.of(examples, ("identity",) * len(STATISTICS)).spread
        return {name: StatisticError(k, spread[k], links, name) for k, name in enumerate(STATISTICS)}

    def readings(self, examples: Examples, model: nn.Module) -> dict[str, xr.Dataset]:
        """What the error bars of an emulator are worth at `examples`, where these have several realisations of a parameter point."""
        if not isinstance(model, CorrelationEmulator) or not several(examples):
            return {}
        return {"calibration": calibration(model, examples, _DRAWS if isinstance(model, IAEmu) else 0)}

    def in_parts(
        self, scenario: str, folder: Path, count: int, seed: int, given: Mapping[str, Any], *, force: bool, progress: Progress | None,
        executor: Any,
    ) -> Examples:  # fmt: skip
        """A training set by way of files of a few parameter points each."""
        return simulated_in_parts(folder, count, seed, given, force=force, progress=progress, executor=executor)

    def law(self, examples: Examples) -> Callable[..., State] | None:
        """The pair statistics, for catalogues; None for training sets, whose mocks are random."""
        return StatisticsLaw(float(examples.about["box"]), examples.about["edges"]) if _of_catalogues(examples) else None

    def view(self, path: Path, chosen: Sequence[int], fix: bool = False) -> tuple[Any, list[str]]:
        """A slice through catalogues with the long axes of the galaxies, or the three functions of parameter points."""
        from ._view import catalogue_figure, statistics_figure  # matplotlib

        if fix:
            raise OrbitscopeError(f"view: --fix mends meshes; what is wrong with {path} is said when it is read. Leave it out.")
        examples = self.read(path)
        return (catalogue_figure if _of_catalogues(examples) else statistics_figure)(examples, chosen), []

    def infer(
        self, model: nn.Module, examples: Examples, data: Path, out: Path, *, settings: Mapping[str, int], fixed: Mapping[str, float],
        emulator_error: bool = True, correlated: bool = False, force: bool = False, progress: Progress | None = None,
    ) -> Inferred:  # fmt: skip
        """The seven numbers behind correlation functions (see `infer`), for emulators; `correlated` takes `noise_correlation` of the
        training."""
        if not isinstance(model, CorrelationEmulator):
            raise OrbitscopeError(f"infer: {type(model).__name__} is no emulator of galaxies.")
        vector = read_vector(data, model.bins, examples.about.get("edges"))
        config = NUTSConfig(**settings)
        together = noise_correlation(model, examples) if correlated else None
        found = infer(
            model, vector, config, fixed=fixed, emulator_error=emulator_error, correlation=together, out=out, force=force, progress=progress
        )
        numbers = {str(n): np.quantile(found["sample"][..., k], [0.16, 0.5, 0.84]) for k, n in enumerate(found["parameter"].values)}
        return Inferred(say(found), {"intervals": numbers, **found.attrs}, lambda: corner_figure(found))

    def probed(self, examples: Examples) -> Examples:
        """Catalogues as they are; of a training file ln(1 + xi) of the mean realisation of each parameter point."""
        return examples if _of_catalogues(examples) else xi_examples(examples)

    def seen(self, model: nn.Module) -> nn.Module:
        """ln(1 + xi) of an emulator."""
        return XiOf(model) if isinstance(model, CorrelationEmulator) else model

    def symmetries(self, examples: Examples, model: nn.Module | None = None) -> dict[str, Symmetry]:
        """Of catalogues: isotropy, parity and homogeneity of their statistics; of a training set, as `probed` makes it, "flips": the signs
        of the alignment strengths, which leave xi alone."""
        if _of_catalogues(examples):
            sizes = [float(p.double().square().mean().sqrt()) or 1.0 for p in parts(examples.y)]
            return catalogue_symmetries(float(examples.about["box"]), sizes)
        return {"flips": flips(int(examples.y.shape[-1]))} if isinstance(examples.y, Tensor) and examples.y.ndim == 2 else {}


def _of_catalogues(examples: Examples) -> bool:
    return examples.about.get("scenario", examples.name) == _OF_CATALOGUES


SYSTEM = GalaxiesSystem()

"""Each of the library's own models goes through a training, a resume and a reload."""

from pathlib import Path

import pytest
import torch

import orbitscope as osc

SMALL = {
    "unet": {"width": 4, "kernels": (3, 3), "heads": 1},
    "vit": {"width": 8, "heads": 2, "depth": 1},
    "resnet": {"width": 4, "depth": 1, "kernel": 3},
    "fno": {"width": 4, "modes": 3, "depth": 1},
    "motion_unet": {"width": 2, "kernels": (3, 3), "heads": 1},
    "motion_resnet": {"width": 2, "depth": 1, "kernel": 3},
    "magnitude_unet": {"width": 4, "kernels": (3, 3), "heads": 1},
    "magnitude_resnet": {"width": 4, "depth": 1, "kernel": 3},
    "scale_unet": {"width": 2, "stages": 1, "levels": 2},
    "scale_resnet": {"width": 2, "depth": 1, "levels": 2},
}


def test_the_list_is_complete() -> None:
    from orbitscope.emulators import models

    assert set(SMALL) <= set(models())


@pytest.mark.parametrize("name", SMALL)
def test_training_and_loading(name: str, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(6, 3, 2, 8, 8, generator=generator)
    data = osc.Trajectories(values, osc.Layout.of("velocity:vector"), osc.Grid.square(8), dt=0.1)
    config = osc.TrainConfig(model=name, overrides=SMALL[name], epochs=1, batch=4, device="cpu")
    run = osc.load_run(osc.train(data, config, tmp_path / "run", progress=None, tensorboard=False))
    assert run.finished and run.metrics["test"]["smse"] > 0
    with torch.no_grad():
        assert torch.isfinite(run.model(values[:2, 0])).all()

"""Loggers: what they are told, by word and by object, for one seed and several, resumed and failed."""

import csv
from typing import Any

import pytest
import torch
from lightning_fabric.loggers.csv_logs import CSVLogger
from torch import nn

from orbitscope import OrbitscopeError
from orbitscope.training import FitConfig, fit

X = torch.linspace(-1, 1, 16)[:, None]
CONFIG = FitConfig(epochs=3, batch=8)


class LikeWandb:
    """The shape of lightning.pytorch.loggers.WandbLogger: no base of Fabric's, keyword calls, a finalize with a status."""

    def __init__(self):
        self.rows, self.status = [], None
        self.params: Any = None

    def log_hyperparams(self, params):
        self.params = params

    def log_metrics(self, metrics, step=None):
        assert all(isinstance(v, float) for v in metrics.values())
        self.rows.append((step, metrics))

    def finalize(self, status):
        self.status = status


def make():
    torch.manual_seed(0)
    return nn.Linear(1, 1)


def trained(**options):
    return fit(make(), (X, 2 * X), CONFIG, loss="mse", validation=0.25, progress=None, **options)


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_an_object_gets_every_epoch_the_settings_and_the_errors(tmp_path):
    one, other = LikeWandb(), CSVLogger(str(tmp_path / "elsewhere"), flush_logs_every_n_steps=1)
    found = trained(logger=[one, other])
    assert [step for step, _ in one.rows[:3]] == [1, 2, 3] and one.status == "success" and one.params["epochs"] == 3
    assert [m["train"] for _, m in one.rows[:3]] == [h["train"] for h in found.history]
    assert one.rows[3] == (found.epoch, {f"validation/{k}": float(v) for k, v in found.metrics["validation"].items()})
    table = rows(tmp_path / "elsewhere" / "lightning_logs" / "version_0" / "metrics.csv")
    assert [float(r["validation"]) for r in table[:3]] == [h["validation"] for h in found.history]


def test_the_table_in_the_run_folder_is_whole_after_a_resume(tmp_path):
    class Stop(Exception):
        pass

    def stop(progress):
        if progress.epoch == 2 and progress.step == progress.steps:
            raise Stop

    out, seen = tmp_path / "run", LikeWandb()
    with pytest.raises(Stop):
        fit(make(), (X, 2 * X), CONFIG, loss="mse", validation=0.25, progress=stop, out=out, logger=["csv", seen])
    assert seen.status == "failed"
    found = trained(out=out, logger=("csv", "tensorboard"))
    table = rows(out / "csv" / "metrics.csv")
    assert [int(r["step"]) for r in table] == [1, 2, 3, found.epoch]
    assert [float(r["train"]) for r in table[:3]] == [h["train"] for h in found.history]
    assert list((out / "tensorboard").glob("events.*"))


@pytest.mark.wrong_types
@pytest.mark.parametrize("wrong", ["wandb", 3, LikeWandb, ["csv", object()], print])
def test_what_is_no_logger_is_refused_before_any_work(wrong, tmp_path):
    with pytest.raises(OrbitscopeError, match="logger: .*(csv|log_metrics)"):
        trained(logger=wrong, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()

"""The Well's own loader reads our files, plain and normalised: run with the package `the_well`, which is no dependency of ours.

It is looked for in this Python, else in the one that the environment variable ORBITSCOPE_THE_WELL_PYTHON names (a virtual environment
with `pip install the_well`); where neither has it these tests are skipped.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError, load, simulate
from orbitscope.cli import main
from orbitscope.data import Trajectories, save, save_well
from orbitscope.symmetry import Grid, Layout

PYTHON = sys.executable if importlib.util.find_spec("the_well") else os.environ.get("ORBITSCOPE_THE_WELL_PYTHON", "")
needs_the_well = pytest.mark.skipif(not PYTHON, reason="needs the package the_well: set ORBITSCOPE_THE_WELL_PYTHON (docs/formats.md)")

SCRIPT = """
import json, sys
import numpy as np
from the_well.data import WellDataset
from the_well.data.normalization import RMSNormalization, ZScoreNormalization

folder, split, kind, out = sys.argv[1:]
kinds = {"plain": None, "zscore": ZScoreNormalization, "rms": RMSNormalization}
where = {"path": folder, "well_split_name": split} if split != "-" else {"path": folder}
data = WellDataset(**where, n_steps_input=1, n_steps_output=1, use_normalization=kinds[kind] is not None, normalization_type=kinds[kind])
samples = [data[i] for i in range(len(data))]
arrays = {k: np.stack([s[k].numpy() for s in samples]) for k in samples[0] if k != "constant_fields"}
np.savez(out, **arrays)
m = data.metadata
print(json.dumps({"fields": m.field_names, "resolution": list(m.spatial_resolution), "scalars": m.constant_scalar_names,
                  "boundaries": m.boundary_condition_types, "name": m.dataset_name}))
"""


def through_the_well(folder: Path, split: str, kind: str = "plain") -> tuple[dict[str, np.ndarray], dict]:
    """Every sample of a folder as their loader hands it out, stacked, and their metadata."""
    out = folder / f"{split}-{kind}.npz"
    command = [PYTHON, "-W", "ignore", "-c", SCRIPT, str(folder), split, kind, str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(out) as archive:
        return {k: archive[k] for k in archive.files}, json.loads(done.stdout.splitlines()[-1])


def euler() -> Trajectories:
    values = torch.cat([v for _, v in simulate("CE-RP", trajectories=5, resolution=12, frames=4, t_end=0.1)])
    law = {"scenario": "euler.riemann", "equation": "euler", "parameters": {"gamma": 1.4, "cfl": 0.5}}
    return Trajectories(values, Layout.of("density", "momentum:vector", "energy"), Grid.square(12), 0.1 / 3, law)


def flow() -> Trajectories:
    """With a tensor, a wall, and a box that is not square; no parameters."""
    random = torch.Generator().manual_seed(0)
    layout = Layout.of("velocity:vector", "p:scalar", "stress:tensor", "vorticity:pseudoscalar")
    values = torch.randn(5, 4, layout.channels, 8, 12, generator=random)
    return Trajectories(values, layout, Grid((8, 12), (1.0, 2.0), ("periodic", "wall")), 0.05)


def cube() -> Trajectories:
    random = torch.Generator().manual_seed(0)
    layout = Layout.of("velocity:vector", "p:scalar", ndim=3)
    values = 3 + torch.randn(5, 4, 4, 6, 5, 4, generator=random)
    return Trajectories(values, layout, Grid((6, 5, 4), (1.0, 1.0, 2.0), ("periodic", "open", "wall")), 0.05)


def theirs(data: Trajectories) -> torch.Tensor:
    """[trajectory, time, *space, channel] with scalars first, then vectors, then tensors, which is their order."""
    order = [f.name for n in (0, 1, 2) for f in data.layout.fields if _rank(f.representation.name) == n]
    channels = torch.cat([data.values[:, :, data.layout.slice(n)] for n in order], dim=2)  # pyright: ignore
    return channels.movedim(2, -1)


def _rank(name: str) -> int:
    return {"scalar": 0, "pseudoscalar": 0, "vector": 1, "tensor": 2}[name]


@needs_the_well
@pytest.mark.parametrize("make", [euler, flow, cube])
def test_their_loader_reads_our_file(make, tmp_path: Path) -> None:
    data = make()
    save(data, tmp_path / "some.hdf5")
    read, about = through_the_well(tmp_path, "-")
    expected = theirs(data).numpy()
    n, t = 5, 3
    assert read["input_fields"].shape[:2] == (n * t, 1)
    for name, shift in (("input_fields", 0), ("output_fields", 1)):
        found = read[name][:, 0].reshape(n, t, *expected.shape[2:])
        assert np.array_equal(found, expected[:, shift : shift + t])
    axes = [data.grid.axis(i).numpy() for i in range(data.grid.ndim)]
    assert np.allclose(read["space_grid"][0], np.stack(np.meshgrid(*axes, indexing="ij"), -1), rtol=1e-6)
    assert np.allclose(read["output_time_grid"] - read["input_time_grid"], data.dt, rtol=1e-5)
    codes = {"wall": 0, "open": 1, "periodic": 2}
    assert read["boundary_conditions"][0].tolist() == [[codes[b]] * 2 for b in data.grid.boundary]
    assert about["resolution"] == list(data.grid.shape) and about["scalars"] == sorted(data.provenance.get("parameters", {}))
    if about["scalars"]:
        assert np.allclose(read["constant_scalars"], [v for _, v in sorted(data.provenance["parameters"].items())])
    assert about["fields"]["1"] == [f"{f.name}_{a}" for f in data.layout.fields_with("vector") for a in "xyz"[: data.grid.ndim]]


@needs_the_well
@pytest.mark.parametrize("make", [euler, flow, cube])
def test_a_folder_with_splits_and_their_normalisation(make, tmp_path: Path) -> None:
    data = make()
    save_well(data, tmp_path / "w", "mine", (0.6, 0.2, 0.2), seed=1)
    parts = dict(zip(("train", "valid", "test"), data.split((0.6, 0.2, 0.2), 1), strict=True))
    for split, part in parts.items():
        read, _ = through_the_well(tmp_path / "w", split)
        assert np.array_equal(read["input_fields"][:, 0], theirs(part)[:, :-1].flatten(0, 1).numpy())
    read, _ = through_the_well(tmp_path / "w", "train", "zscore")
    from orbitscope.data import Normalisation

    normal = Normalisation.fit(parts["train"])
    expected = theirs(parts["train"].replace(values=normal.normalise(parts["train"].tensor())))[:, :-1].flatten(0, 1)
    assert np.allclose(read["input_fields"][:, 0], expected.numpy(), atol=1e-5)
    read, _ = through_the_well(tmp_path / "w", "train", "rms")
    values = parts["train"].tensor().double()
    scaled = torch.cat(
        [values[:, :, s] / values[:, :, s].square().mean().sqrt() for s in (data.layout.slice(f.name) for f in data.layout.fields)], 2
    )
    expected = theirs(parts["train"].replace(values=scaled))[:, :-1].flatten(0, 1)
    assert np.allclose(read["input_fields"][:, 0], expected.numpy(), atol=1e-5)


@needs_the_well
def test_a_file_of_the_command_line(tmp_path: Path) -> None:
    size = ["--trajectories", "2", "--resolution", "8", "--frames", "3", "--t-end", "0.1"]
    assert main(["simulate", "navier-stokes.gauss", *size, "--out", str(tmp_path / "ns.h5")]) == 0
    read, about = through_the_well(tmp_path, "-")
    data = load(tmp_path / "ns.h5")
    assert np.array_equal(read["input_fields"][:, 0], theirs(data.load())[:, :-1].flatten(0, 1).numpy())
    assert about["name"] == "navier-stokes.gauss"


def test_the_folder_is_ours_to_read_as_well(tmp_path: Path) -> None:
    data = euler()
    folder = save_well(data, tmp_path / "w", split=(0.6, 0.2, 0.2))
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {
        "stats.yaml", *(f"data/{p}/euler.riemann.hdf5" for p in ("train", "valid", "test")),
    }  # fmt: skip
    train, validation, _ = data.split((0.6, 0.2, 0.2))
    assert torch.equal(load(folder / "data" / "train").tensor(), train.tensor())
    assert torch.equal(load(folder / "data" / "valid").tensor(), validation.tensor())
    with pytest.raises(OrbitscopeError, match="exists"):
        save_well(data, folder)
    with pytest.raises(OrbitscopeError, match="without a folder"):
        save_well(data, folder, "a/b")


def test_the_statistics_are_numbers_to_yaml(tmp_path: Path) -> None:
    import yaml

    small = euler().replace(values=euler().tensor() * 1e-5)
    folder = save_well(small, tmp_path / "w", split=(1.0, 0.0, 0.0))
    stats = yaml.safe_load((folder / "stats.yaml").read_text())
    assert set(stats) == {"mean", "std", "rms", "mean_delta", "std_delta", "rms_delta"}
    values = small.tensor().double()
    assert stats["mean"]["density"] == pytest.approx(values[:, :, 0].mean().item(), rel=1e-6)
    assert stats["std"]["density"] == pytest.approx(values[:, :, 0].std(correction=0).item(), rel=1e-6)
    assert stats["mean"]["momentum"] == [0.0, 0.0] and len(set(stats["std"]["momentum"])) == 1
    assert stats["rms_delta"]["energy"] == pytest.approx(values[:, :, 3].diff(dim=1).square().mean().sqrt().item(), rel=1e-6)
    assert stats["std_delta"]["energy"] == pytest.approx(values[:, :, 3].diff(dim=1).std(correction=0).item(), rel=1e-5)

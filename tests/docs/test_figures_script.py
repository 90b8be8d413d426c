"""docs/make_figures.py draws from any quickstart folder and touches nothing but its own places."""

import importlib.util
import shutil

import pytest
import torch
import xarray as xr
from blocks import ROOT

import orbitscope as osc


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_figures", ROOT / "docs" / "make_figures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def repository(tmp_path):
    """A quickstart folder with two small probes beside copies of the two pages."""
    law = osc.equation("navier-stokes")
    states = torch.cat([chunk for _, chunk in osc.simulate("navier-stokes.gauss", trajectories=8, resolution=16, frames=3)])
    right = osc.Trajectories(states, law.layout, law.grid(16), dt=0.5, provenance={"equation": law.name})
    training = xr.Dataset(attrs={"test_smse": 1e-3, "persistence_smse": 2e-2, "epochs": 3, "seconds": 4.0})
    config = osc.ProbeConfig(trajectories=2, times=1, control=0, influence_elements=4)
    torch.manual_seed(0)
    model = osc.build("resnet", channels_in=2, width=4, depth=1).eval()
    cases = {"navier-stokes-unet": ("Navier-Stokes, UNet", right), "navier-stokes-swapped-unet": ("Swapped, UNet", right.swap_components())}
    for name, (title, data) in cases.items():
        tree = osc.examine(model, data, ["d4", "tx4"], config, title=title, training=training)
        osc.save_probe(tree, tmp_path / "quickstart" / "probes" / f"{name}.nc")
    (tmp_path / "quickstart" / "timing.json").write_text('{"seconds": 120.0}')
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "README.md", tmp_path / "README.md")
    shutil.copy(ROOT / "docs" / "results.md", tmp_path / "docs" / "results.md")
    return tmp_path


def test_figures_and_tables(script, repository):
    arguments = ["--quickstart", str(repository / "quickstart"), "--root", str(repository)]
    assert script.main(arguments) == 0
    pictures = {name: (repository / "docs" / "assets" / f"{name}.png").read_bytes() for name in ("d4", "translations")}
    assert all(p.startswith(b"\x89PNG") and len(p) > 5000 for p in pictures.values())
    for page in ("README.md", "docs/results.md"):
        before, after = ((root / page).read_text(encoding="utf-8") for root in (ROOT, repository))
        assert after.split(script.BEGIN)[0] == before.split(script.BEGIN)[0]
        assert after.split(script.END)[1] == before.split(script.END)[1]
        assert "20.0 times better" in after and "**refused**" in after and "2.0 minutes in all" in after
    once = (repository / "README.md").read_text(encoding="utf-8")
    assert script.main(arguments) == 0
    assert (repository / "README.md").read_text(encoding="utf-8") == once
    assert (repository / "docs" / "assets" / "d4.png").read_bytes() == pictures["d4"]


def test_a_folder_without_probes_is_refused(script, tmp_path):
    with pytest.raises(SystemExit, match="make quickstart"):
        script.main(["--quickstart", str(tmp_path)])

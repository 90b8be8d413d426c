"""Links of a robot arm, as dm_control ships them: through the door, mended where asked, simulated, re-meshed, probed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError, Symmetry, equivariance
from orbitscope.cli import main
from orbitscope.physics import physical_optics
from orbitscope.symmetry import Invariant
from orbitscope.systems.meshes import SYSTEM, Remesh, faults, load_mesh, mesh_of, mesh_reading, radar_directions, remeshing

FOUND = find_spec("dm_control")
ARM = Path(FOUND.origin).parent / "third_party" / "kinova" / "meshes_decimated" if FOUND and FOUND.origin else Path("nowhere")
pytestmark = pytest.mark.skipif(not (ARM / "base.stl").is_file(), reason="dm_control is in the dev extra")


def test_a_link_with_holes_is_refused_by_name_and_mended_when_asked():
    with pytest.raises(OrbitscopeError, match=r"open: \d+ edges .* --fix"):
        load_mesh(ARM / "base.stl", unit="m")
    raw, _ = load_mesh(ARM / "base.stl", unit="m", check=False)
    mesh, done = load_mesh(ARM / "base.stl", unit="m", fix=True)
    assert [f.name for f in faults(raw)] == ["open"] and not faults(mesh) and mesh.closed and mesh.volume > 0
    assert len(mesh) > len(raw) and any("holes filled" in word for word in done)
    assert abs(mesh.area / raw.area - 1) < 0.05  # a few faces, not another body
    with pytest.raises(OrbitscopeError, match="cannot be mended"):
        load_mesh(ARM / "hand_3finger_main.stl", unit="m", fix=True)


@pytest.fixture(scope="module")
def links(tmp_path_factory):
    out = tmp_path_factory.mktemp("links") / "links.nc"
    files = ",".join(str(ARM / name) for name in ("base.stl", "forearm.stl"))
    words = ("simulate", "radar.files", "--trajectories", "4", "--out", str(out), "--initial", f"files={files}", "unit=m", "faces=4016")
    assert main([*words]) == 2  # open, and nobody said fix
    assert main([*words, "fix=true"]) == 0
    return SYSTEM.read(out)


def test_the_answers_are_those_of_the_bodies(links):
    for k in range(2):
        mesh = mesh_of(links.x, k)
        assert mesh.closed and abs(float(np.ptp(links.x[0][k][links.x[2][k]].numpy(), axis=(0, 1)).max())) < 1.8  # size 1, turned
        amplitude = physical_optics(mesh.corners, radar_directions(), np.linspace(1.25, 5.0, 8))
        expected = np.log10(np.abs(amplitude) ** 2 + 0.03**2).ravel()
        assert np.allclose(links.y[k].numpy(), expected, atol=1e-3)


def test_cutting_a_link_moves_a_network_and_neither_the_law_nor_the_exact_integral(links):
    few = links.take(np.arange(2))
    symmetry, law = Symmetry(remeshing(("split_30", "midpoint")), Remesh(), Invariant(96)), SYSTEM.law(links)
    assert law is not None
    for word in symmetry.group.probes()[1:]:
        moved = symmetry.input(word, few.x)
        assert float((law(*moved) - few.y).abs().max()) < 1e-3 * float(links.y.std())  # corners are in single precision
    torch.manual_seed(0)
    graph = SYSTEM.models["mesh_graph"].make(links, width=16).eval()
    exact = SYSTEM.models["mesh_integral"].make(links, channels=8).eval()
    moves = ("split_100", "midpoint", "midpoint+decimate_50")
    read = [mesh_reading(model, few, moves=moves) for model in (graph, exact)]
    cut, whole = (float(r["typical"].sel(element=["split_100", "midpoint"]).max()) for r in read)
    assert whole < 1e-4 < 1e-3 < cut
    assert 0 < float(read[0]["surface_error"].sel(element="midpoint+decimate_50")) < 0.05
    found = equivariance(graph, few, symmetry, trajectories=2)
    assert float(found["commutator"].sel(element="midpoint").max()) > 10 * float(found["floor"].max())

"""studies/discovery, heat: the published recipe's parts against plain ones; the study small, from plate to page."""

import json

import numpy as np
import pytest
import torch

STUDY = "discovery"


@pytest.fixture(scope="module")
def heat(modules):
    """The study with one chart away from the block and one at its edge, and few states."""
    study = modules("heat_study")
    study.CASES = {"directions": ("isotropic", 3, (18, 8), [(78, 72), study.OBSTACLE])}
    study.TRAIN, study.HELD, study.COMPONENTS = 40, 12, ()
    return study


@pytest.fixture(scope="module")
def row(heat):
    return heat.measured("directions", 0)


def test_the_turn_is_found_around_a_chart_and_broken_at_the_block(row):
    assert row["gradient"]["count"] == 1 and row["gradient"]["angle"] < 3 and row["gradient"]["withdrawn"] == 0
    free, blocked = row["by_chart"]["(78, 72)"], row["by_chart"]["(30, 60)"]
    assert free < 0.02 < 0.3 < blocked
    assert 0 <= row["atlas"]["angle"] <= 90 and row["atlas"]["score"] > 0 and row["components"] is None


def test_the_section_is_written_from_rows(modules, row, tmp_path):
    page = modules("heat_page")
    kept = {"machine": "some machine", "rows": [row | {"seed": s} for s in range(3)], "map": []}
    ours = {"angle": 4.0, "seconds": 1.5, "score": 0.1}
    three = {"case": "published, 3 charts", "train_seconds": 0.5, "atlas": ours, "by_chart": None}
    kept["rows"] += [row | three | {"seed": s} for s in range(3)] + [row | {"case": "sheared", "seed": 0}]
    (tmp_path / "heat.json").write_text(json.dumps(kept))
    looks = [{"step": 25 * k, "seconds": 10.0 * k, "angle": 9.0 / k, "norm": 0.1 * k, "loss": 0.1} for k in (1, 2, 3)]
    peer = {
        "machine": "some machine",
        "states": 1600,
        "epochs": 8,
        "runs": [{"charts": 3, "seed": 0, "basis": [[0, -1], [1, 0]], "looks": looks}],
    }
    (tmp_path / "peer.json").write_text(json.dumps(peer))
    text = page.section(tmp_path, tmp_path)
    assert "1 to 3 seeds a case" in text and "nan" not in text and "None" not in text
    assert f"{np.sqrt(row['by_chart']['(30, 60)']):.2f}" in text  # the broken chart is shown
    # One case misses its bar by four degrees; why is said where another one meets it.
    assert ("Why `atlas` misses 1 of these 2 cases" in text and "10 cells" in text) == (row["atlas"]["angle"] <= page.BAR)
    # The recipe stays below the angle of `atlas`, 4 degrees, from its third look on, after 30 s; `atlas` took 2 s.
    assert "| 3 | 0 | 75 | 30 | 3.00 | 0.30 | 2.0 | 4.00 | 30 | 15.0 |" in text
    assert "not judged with fewer than 3 seeds (smallest 15.0, 1 seed)" in text
    slow = [look | {"seconds": look["seconds"] / 4} for look in looks]
    far, quick = ([look | {"angle": 50.0} for look in some] for some in (looks, slow))  # these never come near
    cases = {"met (smallest 15.0, 3 seeds)": looks, "missed (smallest 3.8, 3 seeds)": slow, "met (smallest 15.0, 3 seeds) ": far}
    cases["left open, as a run ended before (smallest more than 3.8, 3 seeds)"] = quick
    for word, third in cases.items():
        runs = [peer["runs"][0] | {"seed": s, "looks": looks if s < 2 else third} for s in range(3)]
        (tmp_path / "peer.json").write_text(json.dumps(peer | {"runs": runs}))
        text = page.section(tmp_path, tmp_path)
        assert f"same accuracy, 3 charts: {word.strip()}." in text and ("> 15.0" in text) == (third is far)


def test_a_warp_moves_points_as_the_element_says(modules):
    """A quarter turn is a turn of the array, a turn there and back is nothing inside."""
    peer = modules("heat_peer")
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    assert torch.allclose(peer.warp(x, turn.T.expand(2, 3, 2, 2)), torch.rot90(x, 1, (2, 3)), atol=1e-12)
    at = torch.linspace(-1, 1, 21, dtype=torch.float64)
    plane = (0.3 * at[:, None] - 0.7 * at[None, :]).expand(1, 1, 21, 21)
    g = torch.tensor([[1.0, 0.2], [-0.1, 0.9]], dtype=torch.float64)
    inverse = torch.linalg.inv(g)
    moved = peer.warp(plane, inverse[None, None])
    k, j = 8, 11  # (g x)(u) = x(g^-1 u), a linear function moved linearly
    u, v = inverse @ torch.stack([at[k], at[j]])
    assert abs(float(moved[0, 0, k, j]) - float(0.3 * u - 0.7 * v)) < 1e-12


def test_the_loss_of_a_generator_is_a_plain_sum(modules):
    peer = modules("heat_peer")
    torch.manual_seed(0)
    model, x, basis = peer.Charted(2), torch.randn(4, 2, 15, 15), torch.tensor([[[0.1, -0.3], [0.2, 0.0]]])
    found = peer.generator_loss(model, basis, x, 5, torch.Generator().manual_seed(3))
    eta = torch.randn(4, 2, generator=torch.Generator().manual_seed(3))
    answer = model(x)
    inverse = torch.stack([torch.linalg.matrix_exp(-e * basis[0]) for e in eta.flatten()]).reshape(4, 2, 2, 2)
    gap = (model(peer.warp(x, inverse)) - peer.warp(answer, inverse))[..., 5:10, 5:10].abs()
    assert abs(float((found - gap.sum() / gap.numel() + 0.1 * basis.norm()).detach())) < 1e-5
    assert answer.shape == x.shape and peer.middle(answer, 5).shape == (4, 2, 5, 5)


def test_a_run_of_the_recipe_says_how_far_it_is_and_when(modules, monkeypatch):
    peer = modules("heat_peer")
    monkeypatch.setattr(peer, "LOOK", 1)
    found = peer.run(3, 0, states=32, epochs=1, tell=lambda text: None)
    assert [one["step"] for one in found["looks"]] == [1, 2] and 0 < found["looks"][0]["seconds"] < found["looks"][1]["seconds"]
    assert all(0 <= one["angle"] <= 90 for one in found["looks"]) and np.shape(found["basis"]) == (2, 2)

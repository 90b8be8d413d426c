"""studies/discovery beyond the plane and in flows: what is searched, what is planted, networks over matrices, tiny runs to the page."""

import json

import numpy as np
import pytest
import torch

STUDY = "discovery"


@pytest.fixture(scope="module")
def flows(modules):
    return modules("flows")


@pytest.fixture(scope="module")
def motions(modules):
    return modules("flow_motions")


def test_windows_are_those_of_a_rolled_field(flows):
    field = torch.randn(2, 3, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    corners = torch.tensor([[[6, 1], [0, 7]], [[3, 3], [7, 7]]])
    found = flows.windows(field, corners, 4)
    for k, (i, j) in enumerate(corners.reshape(-1, 2).tolist()):
        assert torch.equal(found[k], field[k // 2].roll((-i, -j), (1, 2))[:, :4, :4])


def test_what_is_searched_is_an_algebra_and_a_boost_of_it_is_a_boost_of_the_solver(flows, motions):
    group = motions.motions()
    assert group.size == 15 and group.closure_error() < 1e-12
    now = flows.states(1, 0, 32)
    cells = 2.0  # per step along x
    wind = torch.tensor([cells / 32 / flows.STEP, 0.0], dtype=torch.float64)[None, :, None, None]
    still, carried = (flows.vorticity(flows.step(u) * flows.STEP * 32) for u in (now, now + wind))
    assert float((carried - still.roll(2, 2)).norm() / still.norm()) < 1e-3
    matrix = motions.KNOWN["boost x"] * cells
    g = group.exp(matrix)
    act = motions.symmetry(11, 9).output
    kept = act.patch.mask(np.eye(2)) & (act.patch.coordinates[0] >= cells - 2)
    patch = still[:, :, 4:13, 4:13]
    assert float(((act(g, patch) - carried[:, :, 4:13, 4:13]) * kept).abs().max()) < 1e-2 * float(still.abs().max())


def test_tangents_are_derivatives_of_the_motion(flows, motions):
    hypothesis = motions.symmetry(13, 13)
    group, generator = hypothesis.group, torch.Generator().manual_seed(1)
    line = torch.linspace(-1, 1, 13, dtype=torch.float64)
    for action, channels in ((hypothesis.input, 2), (hypothesis.output, 1)):
        c = torch.randn(1, channels, 3, generator=generator, dtype=torch.float64)
        state = c[..., 0, None, None] * torch.sin(line)[:, None] + c[..., 1, None, None] * torch.cos(line) + c[..., 2, None, None] * line
        x = sum(np.random.default_rng(2).normal(size=15)[:, None, None] * 0.1 * group.algebra)
        told = action.tangent(lambda t, x=x: group.exp(t * x), state)
        ahead, behind = (action(group.exp(t * x), state) for t in (1e-3, -1e-3))
        gap = ((ahead - behind) / 2e-3 - told)[..., 3:-3, 3:-3]
        assert float(gap.abs().max()) < 1e-3 * float(told.abs().max())


def test_media_act_as_they_say(flows):
    now = flows.states(2, 3, 32)
    assert float(flows.step(now, flows.MEDIA["ground friction"]).norm()) < 0.9 * float(flows.step(now).norm())
    one = torch.zeros(1, 2, 32, 32, dtype=torch.float64)
    x = (torch.arange(32, dtype=torch.float64) + 0.5) / 32
    one[0, 1] = torch.sin(2 * np.pi * x)[:, None]  # a shear that advects nothing: it decays by exp(-(nu + extra) k^2 t)
    medium = flows.MEDIA["anisotropic viscosity"]
    factor = np.exp(-(medium.viscosity + medium.extra) * (2 * np.pi) ** 2 * flows.STEP)
    assert float((flows.step(one, medium) - factor * one).abs().max()) < 1e-4
    assert float((flows.step(one.transpose(2, 3).flip(1), medium) - one.transpose(2, 3).flip(1)).abs().max()) < 1e-3


def test_a_tiny_run_on_flows_reaches_the_page(modules, tmp_path, monkeypatch):
    study, page, emulator = modules("flows_study"), modules("flows_page"), modules("flow_emulator")
    for name, value in (("FLOWS", 50), ("EACH", 40), ("HELD", 40), ("RESULTS", tmp_path / "flows"), ("SEEDS", (0,))):
        monkeypatch.setattr(study, name, value)
    for name, value in (("HELD", 6), ("PAIRS", 24), ("ANSWERED", 5)):
        monkeypatch.setattr(emulator, name, value)
    monkeypatch.setattr(emulator, "trained", lambda seed, old=emulator.trained: old(seed, epochs=1, pairs=20))
    study.main(1, (0,))
    study.main(0, (0,))
    (row,) = json.loads((tmp_path / "flows" / "flows.json").read_text())["rows"]
    assert row["medium"] == "free" and row["named"]["strain"]["breaking"] > 5 * abs(row["named"]["rotation"]["breaking"])
    study.emulators(1, (0,))
    (made,) = json.loads((tmp_path / "flows" / "emulators.json").read_text())["rows"]
    lie = made["lie"]
    assert set(lie) == set(modules("flow_motions").KNOWN) and lie["translation x"]["relative"] < lie["boost x"]["relative"]
    assert 0 <= made["named"]["translation x"]["breaking"] < 0.05 < made["named"]["strain"]["breaking"]
    text = page.section(tmp_path / "flows", tmp_path)
    assert "## Our own flows" in text and "From a trained emulator" in text and " nan" not in text and "None" not in text
    assert (tmp_path / page.FIGURE).read_bytes().startswith(b"\x89PNG")
    assert page.section(tmp_path / "nowhere", tmp_path) == ""


def test_a_network_over_matrices_does_not_see_them(modules):
    digits = modules("digits")
    turns, gap = digits.closed(np.array([[0.0, -2.0], [2.0, 0.0]]), 4)
    assert gap < 1e-12 and np.abs(turns[1] - [[0, -1], [1, 0]]).max() < 1e-12
    torch.manual_seed(0)
    model, x = digits.Equivariant(turns, 3), torch.randn(2, 1, 13, 13)
    with torch.no_grad():
        assert float((model(x) - model(x.rot90(1, (2, 3)))).abs().max()) < 1e-5
        assert float((model(x) - model(x.transpose(2, 3))).abs().max()) > 1e-3  # a reflection is none of them
    with pytest.raises(ValueError, match="does not turn"):
        digits.closed(np.array([[1.0, 0.0], [0.0, -1.0]]))
    mixed = np.array([[1.0, 0.5], [0.0, 1.0]])
    odd = digits.closed(mixed @ [[0, -1], [1, 0]] @ np.linalg.inv(mixed))
    assert odd[1] < 1e-9 and np.abs(odd[0][2] @ odd[0][2].T - np.eye(2)).max() > 0.1  # taken as they are


def test_a_generator_without_its_trace_comes_back(modules):
    """Growth and axes are those that were planted; the nearest group that comes back has the same ellipses and no growth."""
    digits, turn = modules("digits"), np.array([[0.0, -1.0], [1.0, 0.0]])
    stretch = np.diag([1.3**0.5, 1.3**-0.5])
    crooked = 0.7 * (stretch @ turn @ np.linalg.inv(stretch)) + 0.02 * np.eye(2)
    growth, axes = digits.departures(crooked)
    assert abs(axes - 1.3) < 1e-12 and abs(growth - np.exp(2 * np.pi / 0.7 * 0.02)) < 1e-12
    assert abs(digits.closed(crooked)[1] - (growth - 1)) < 1e-12  # the last element against the identity
    again = digits.compact(crooked)
    assert digits.closed(again)[1] < 1e-12 and np.allclose(digits.departures(again), (1.0, 1.3), atol=1e-12)
    for other in (again + 0.01 * np.diag([1.0, -1.0]), again + 0.01 * turn):  # no other one without a trace is nearer
        assert np.linalg.norm(other - crooked) > np.linalg.norm(again - crooked)
    with pytest.raises(ValueError, match="does not turn"):
        digits.departures(np.array([[1.0, 2.0], [0.5, -1.0]]))


def test_digits_stand_where_they_should_on_every_surface(modules):
    digits = modules("digits")
    images, classes = digits.pool(True)
    others = digits.pool(False)[0]
    assert len(images) + len(others) == 1797 and len(images) == len(classes)
    seen = []
    for place in digits.PLACES.values():
        field, classes = digits.painted(place, 4, 0.0, 0)
        again = place.charts.cut(field, digits.LAYOUT)
        assert classes.shape == (4, 3) and again.shape == (4, 3, 1, 13, 13)
        seen.append(again / again.norm())
    assert float((seen[0] * seen[1]).sum()) > 0.95 and float((seen[1] * seen[2]).sum()) > 0.95  # the same digits
    place = digits.PLACES["cylinder"]
    still, turned = (place.charts.cut(digits.painted(place, 4, w, 0)[0], digits.LAYOUT) for w in (0.0, 60.0))
    assert float((still - turned).norm() / still.norm()) > 0.2


def test_tiny_runs_on_digits_and_weather_reach_the_page(modules, tmp_path, monkeypatch):
    study, weather, page = modules("digits_study"), modules("storms_study"), modules("surfaces_page")
    few = study.FitConfig(epochs=2, batch=32, learning_rate=3e-3)
    for name, value in (("EACH", 40), ("HELD", 12), ("TRAIN", 20), ("TEST", 10), ("PREDICTOR", few), ("NETWORK", few)):
        monkeypatch.setattr(study, name, value)
    monkeypatch.setattr(study, "RESULTS", tmp_path / "digits")
    monkeypatch.setattr(study.dg, "closed", lambda generator, count=4, old=study.dg.closed: old(study.TURN, 4))  # learnt from nothing
    monkeypatch.setattr(study, "PLANTED_ON", "sphere, lon-lat")
    monkeypatch.setattr(study, "PLANTED_SEEDS", (100,))
    monkeypatch.setattr(study, "PLANTED", {"none": study.TURN})
    for name in ("PLANTED", "PLANTED_ON", "PLANTED_SEEDS"):
        monkeypatch.setattr(page, name, getattr(study, name))
    study.main(7, ("sphere, lon-lat",), (0,))
    kept = json.loads((tmp_path / "digits" / "digits.json").read_text())
    assert [r["network"] for r in kept["networks"]] == list(study.NETWORKS) and len(kept["planted"]) == 1
    for name, value in (("TRAIN", 40), ("HELD", 6), ("COVER", 0.6), ("RESULTS", tmp_path / "storms"), ("SEEDS", (0,))):
        monkeypatch.setattr(weather, name, value)
    weather.main(1)
    (row,) = json.loads((tmp_path / "storms" / "storms.json").read_text())["rows"]
    breaking, away = np.array(row["breaking"]), np.array(row["away"])
    assert breaking[away < weather.st.WIDTH].min() > 5 * np.median(breaking[away > row["reach"]])
    text = page.sections(tmp_path, tmp_path)
    assert (
        "errors of a generator" in text.replace("error of the generator", "errors of a generator")
        and "not judged with fewer than 3 seeds" in text
    )
    assert "## Digits on cylinder and sphere" in text and "## Planted weather" in text and "None" not in text and " nan" not in text
    for name in (page.DIGITS, page.STORMS):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_weather_has_its_law_in_every_direction_but_in_one_region(modules):
    storms = modules("storms")
    sphere = storms.GRIDS["icosahedral"]
    made = storms.planted(sphere, 1, 0)
    assert made.x.shape == (1, 4, 2562) and made.y.shape == (1, 1, 2562)
    near, far = sphere.distance(storms.RANGE) < 0.3, sphere.distance(storms.RANGE) > 1.2
    east = made.x[0, 0].numpy()
    correlation = [np.corrcoef(east[k], made.y[0, 0].numpy()[k])[0, 1] for k in (near, far)]
    assert correlation[0] > 0.4 > abs(correlation[1])

"""studies/discovery/jets.py without a generator of events: decays by phase space, exact taggers, and the pipeline once at small size."""

import numpy as np
import pandas as pd
import pytest
import torch

from orbitscope.discover import discover_symmetry

STUDY = "discovery"


class Mass(torch.nn.Module):
    """A tagger that looks at the invariant mass alone, and a little at the size of the momentum: `breaking` times its logarithm."""

    def __init__(self, breaking: float = 0.0) -> None:
        super().__init__()
        self.breaking = breaking

    def forward(self, x):
        p = x.sum(1)
        square = p[:, 0] ** 2 - p[:, 1:].square().sum(1)
        logit = 2 * torch.tanh(2 * (square.clamp_min(1e-9).sqrt() - 1.3)) + self.breaking * p[:, 1:3].norm(dim=1).log()
        return torch.stack([torch.zeros_like(logit), logit], 1)


class Width(torch.nn.Module):
    """A tagger that looks at the width in the detector's frame, and at the mass shell: else E and pz may scale apart from px, py."""

    def forward(self, x):
        whole = x.sum(1, keepdim=True)
        pt = x[..., 1:3].norm(dim=-1)
        away = torch.atanh(x[..., 3] / x[..., 0]) - torch.atanh(whole[..., 3] / whole[..., 0])
        cross = x[..., 1] * whole[..., 2] - x[..., 2] * whole[..., 1]
        turn = torch.atan2(cross, x[..., 1] * whole[..., 1] + x[..., 2] * whole[..., 2])
        shell = (x[..., 0].square() - x[..., 3].square()).sqrt().sum(1) / pt.sum(1)
        logit = 20 * (pt * (away.square() + turn.square()).sqrt()).sum(1) / pt.sum(1) - 2 + 10 * (shell - 1)
        return torch.stack([torch.zeros_like(logit), logit], 1)


@pytest.fixture(scope="module")
def jets(modules):
    return modules("toy_jets").toy(0, 800)


def test_decays_conserve_and_keep_their_masses(modules, jets):
    toys = modules("toy_jets")
    square = lambda p: p[..., 0] ** 2 - (p[..., 1:] ** 2).sum(-1)  # noqa: E731
    np.testing.assert_allclose(np.sqrt(square(jets.subjets)), toys.LIGHT, rtol=1e-6)
    np.testing.assert_allclose(100 * np.sqrt(square(jets.subjets.sum(1))), jets.mass, rtol=1e-9)
    np.testing.assert_allclose(100 * np.hypot(*jets.subjets.sum(1)[:, 1:3].T), jets.pt, rtol=1e-9)
    pairs = [np.sqrt(square(jets.subjets[:, [i, j]].sum(1))) for i, j in ((0, 1), (0, 2), (1, 2))]
    nearest = np.abs(np.array(pairs) - toys.W).min(0)[jets.label == 1]
    assert nearest.max() < 1e-6  # one pair of a top's three bodies is the W
    assert (np.diff(np.hypot(jets.subjets[..., 1], jets.subjets[..., 2]), axis=1) <= 0).all()
    again, other = toys.toy(0, 800), toys.toy(1, 800)
    assert (again.subjets == jets.subjets).all() and (other.subjets != jets.subjets).any()


def test_girth_of_the_toy_moves_as_its_algebra_says(modules, jets):
    """Unchanged by a boost along the beam, a turn about it and scaling; not by a boost across."""
    toys, scores = modules("toy_jets"), modules("jets_scores")
    exp = lambda x: np.asarray(torch.linalg.matrix_exp(torch.from_numpy(x)))  # noqa: E731
    for name, x in zip(scores.NAMES, scores.SEVEN, strict=True):
        same = np.abs(toys.girth(jets.subjets @ exp(0.3 * x).T) - toys.girth(jets.subjets)).max() < 1e-9
        assert same == (name in ("Kz", "Rxy", "D")), name


def test_slopes_are_differences_of_the_logit(modules, jets):
    scores, x, step = modules("jets_scores"), torch.from_numpy(jets.subjets[:20]), 1e-6
    model = Mass(0.3)
    v = scores.slopes(model, x).reshape(-1, 4, 4)
    logit = lambda z: (model(z)[:, 1] - model(z)[:, 0]).numpy()  # noqa: E731
    p = 1 / (1 + np.exp(-logit(x)))
    for a in range(4):
        for b in range(4):
            move = torch.zeros(4, 4, dtype=torch.float64)
            move[a, b] = step
            slope = (logit(x + x @ move.T) - logit(x - x @ move.T)) / (2 * step)
            np.testing.assert_allclose(v[:, a, b], np.sqrt(p * (1 - p)) * slope, rtol=1e-5, atol=1e-5)


def test_a_tagger_of_masses_gives_so13_and_a_width_gives_three(modules, jets):
    """And the width passes the score of six directions within seven, because jets are narrow: that score is no evidence of symmetry."""
    scores, x = modules("jets_scores"), torch.from_numpy(jets.subjets)
    found = {}
    for name, model in (("mass", Mass()), ("width", Width())):
        v = scores.slopes(model, x)
        found[name] = scores.scores(scores.spectra(v, v)["crossed"])
    assert found["mass"]["six"] > 1 - 1e-9 and found["mass"]["metric"] > 1 - 1e-9 and found["mass"]["l6/l7"] < 1e-9
    assert found["width"]["width_three"] > 1 - 1e-9 and found["width"]["six"] < 0.5
    assert found["width"]["six_in_seven"] > 0.99
    flat = scores.slopes(Mass(), x)
    dense = flat.T @ flat / len(x)
    np.testing.assert_allclose(list(scores.along(scores.form(flat, flat)).values())[:6], 0, atol=1e-9 * dense.trace())


def test_crossed_taggers_cancel_their_own_noise(modules, jets):
    scores, x = modules("jets_scores"), torch.from_numpy(jets.subjets)
    v, rng = scores.slopes(Mass(0.1), x), np.random.default_rng(0)
    noise = 0.5 * v.std() * rng.standard_normal((2, *v.shape))
    noisy = scores.spectra(v + noise[0], v + noise[1])
    clean = scores.spectra(v, v)["crossed"].values[6]
    assert abs(noisy["crossed"].values[6] - clean) < 0.3 * abs(noisy["mean"].values[6] - clean)
    assert np.abs(noisy["crossed"].correlation[:6]).max() < 0.3 and noisy["crossed"].correlation[-1] > 0.9


def test_the_library_names_both(modules, jets):
    """`discover_symmetry` on the exact taggers: so(1,3) and its scaling beyond a gap; for a width three directions, and no so(1,3)."""
    jets, scores = jets.take(slice(0, 300)), modules("jets_scores")
    x, y = torch.from_numpy(jets.subjets), torch.from_numpy(jets.label)
    wide = torch.from_numpy((jets.girth > np.median(jets.girth)).astype(np.int64))
    mass = discover_symmetry((x, y), "gl4", model=Mass())
    assert mass.count == 6 and mass.identification().name == "so(1,3)" and mass.cosines(scores.SO13).min() > 1 - 1e-6
    assert mass.evidence.rough == 7 and "hold 7, so(1,3) + scaling, beyond a gap" in mass.sentence()
    width = discover_symmetry((x, wide), "gl4", model=Width())
    assert width.count == 3 and width.identification().name == "so(1,1) + so(2) + scaling"
    assert width.cosines(scores.WIDTH).min() > 1 - 1e-6
    assert width.cosines(scores.SO13, 7).min() > 0.98  # the trap: all of so(1,3) is among what holds roughly


def test_areas_under_curves(modules):
    area = modules("jets_scores").area
    rng = np.random.default_rng(0)
    logit, label = np.round(rng.standard_normal(60), 1), rng.integers(0, 2, 60)
    up, down = logit[label == 1], logit[label == 0]
    pairs = (up[:, None] > down).mean() + 0.5 * (up[:, None] == down).mean()
    assert abs(area(logit, label) - pairs) < 1e-12


def test_the_pipeline_once(modules, tmp_path, capsys):
    """Toy decays, two epochs: tables with all rows; a second start finds everything done; shuffled labels are no skill."""
    config = tmp_path / "toy.toml"
    config.write_text(
        'name = "toy"\nsource = "toy"\njets = 500\npools = [0]\npt = [1.0, 4.0]\natlas_pools = [0]\n'
        "config = { epochs = 2, batch = 64, learning_rate = 3e-3 }\n"
        "atlas = { generators = 7, steps = 2, batch = 8, starts = 1 }\n"
    )
    call = ["--config", config, "--out", tmp_path / "out", "--results", tmp_path / "results", "--workers", 1]
    assert modules("jets").main([str(a) for a in call]) == 0
    tables = {p.stem: pd.read_csv(p) for p in (tmp_path / "results").glob("*.csv")}
    assert set(tables) == {"answers", "scores", "spectrum", "along", "finite", "data"}
    answers = tables["answers"].set_index("target")
    assert list(answers.index) == ["girth", "label", "shuffled"] and "no skill" in answers.sentence["shuffled"]
    assert answers.found["shuffled"] == "nothing"
    spectrum = tables["spectrum"]
    assert "atlas" in set(spectrum.form)
    for _, block in spectrum[spectrum.form.isin(["crossed", "mean"])].groupby(["target", "form"]):
        assert len(block) == 16 and block.value.is_monotonic_increasing
    assert set(tables["finite"].motion) >= {"so(1,3)", "dilation", "gl(4)"}
    page = modules("jets_page").section(tmp_path / "results", tmp_path / "results")
    assert "## Jets of top quarks" in page and "**missed**" in page and "refused, the taggers have no skill" in page
    assert " nan" not in page and page.count("### The quick configuration") == 1
    assert modules("jets_page").draw(tmp_path / "results", tmp_path).read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert modules("jets").main([str(a) for a in call]) == 0
    assert "pool 0" not in capsys.readouterr().out

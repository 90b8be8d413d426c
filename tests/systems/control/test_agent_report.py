"""What is said of a trained agent: its numbers against plain loops, its page, and whether its world has the symmetry."""

import re

import numpy as np
import pytest
import torch
import xarray as xr

from orbitscope import OrbitscopeError
from orbitscope.cli import main
from orbitscope.probe import audit, open_probe
from orbitscope.probe.data import NEARLY, NOT, with_measured
from orbitscope.report import write_agents
from orbitscope.systems.control import (
    Agent,
    agent_asymmetry,
    agent_summary,
    audits_of,
    environment,
    learnt_bound,
    open_agent,
    probed_maps,
    symmetry_of,
    train_agent,
)

QUICK = {"width": 8, "batch_size": 8, "learning_starts": 20}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Short runs in a slightly tilted world, by policy."""
    folder = tmp_path_factory.mktemp("agents")
    more = {"steps": 60, "repeat": 50, "every": 30, "episodes": 2, "options": QUICK}
    for policy in ("relaxed", "gated", "plain"):
        train_agent("pendulum+gravity=0.02", folder / policy, policy=policy, **more)
    return folder


def test_asymmetry_is_that_of_plain_loops(runs):
    agent = open_agent(runs / "plain").agent
    found = agent_asymmetry(agent, episodes=3, length=10, every=2, seed=5)
    policy, critic = probed_maps(agent, episodes=3, length=10, every=2, seed=5)
    (g,) = (g for g in agent.symmetry.group if not g.is_identity)
    assert found["element"].values.tolist() == [g.name] and found["map"].values.tolist() == ["policy", "critic"]
    assert isinstance(policy.examples.x, torch.Tensor)
    gaps, sizes = [], []
    for o in policy.examples.x.numpy():
        moved = agent.symmetry.observe(g, o).astype(np.float32)
        plain, turned = (policy.model(torch.as_tensor(x)[None]).detach().numpy()[0] for x in (o, moved))
        gaps.append(turned - agent.symmetry.act(g, plain))
        sizes.append(plain)
    gap, size = (float(np.sqrt(np.mean(np.square(v)))) for v in (gaps, sizes))
    assert found["gap"].sel(map="policy").item() == pytest.approx(gap, rel=1e-4)
    assert found["relative"].sel(map="policy").item() == pytest.approx(gap / size, rel=1e-4)
    gaps, values = [], []
    for o, a in zip(*(x.numpy() for x in critic.examples.x), strict=True):
        moved = [torch.as_tensor(m.astype(np.float32))[None] for m in (agent.symmetry.observe(g, o), agent.symmetry.act(g, a))]
        values.append(critic.model(torch.as_tensor(o)[None], torch.as_tensor(a)[None]).item())
        gaps.append(critic.model(*moved).item() - values[-1])
    gap = float(np.sqrt(np.mean(np.square(gaps))))
    assert found["gap"].sel(map="critic").item() == pytest.approx(gap, rel=1e-3)
    assert found["relative"].sel(map="critic").item() == pytest.approx(gap / np.std(values, ddof=1), rel=1e-3)


def test_a_summary_holds_what_its_parts_say(runs):
    run = open_agent(runs / "relaxed")
    assert isinstance(run.agent, Agent)
    found = agent_summary(run, episodes=3, seed=2)
    part = {name: node.to_dataset() for name, node in found.children.items()}
    assert part["curve"]["returns"].values.tolist() == [h["returns"] for h in run.history]
    bound = learnt_bound(run.agent, episodes=3, seed=2)
    assert float(part["bound"]["asymmetry"]) == bound.asymmetry and float(part["bound"]["own_bound"]) == bound.own_bound > 0
    layers = part["broken"]["layer"].values.tolist()
    assert len(layers) == len(set(layers)) == 10 and {x.partition(".")[0] for x in layers} == {"actor", "critic"}
    assert "broken" not in agent_summary(open_agent(runs / "plain"), episodes=3).children
    opened = agent_summary(open_agent(runs / "gated"), episodes=3).attrs["opened"]
    assert 0.05 < opened < 0.3


def test_the_page_of_runs(runs, tmp_path, capsys):
    page = tmp_path / "page.html"
    assert main(["report", *(str(runs / p) for p in ("relaxed", "gated", "plain")), "--out", str(page)]) == 0
    text = page.read_text(encoding="utf-8")
    body = text[text.index("<main>") : text.index("</main>")]
    titles = re.findall(r"<h3>(.*?)</h3>", body)
    wanted = ["What it learnt", "What its layers broke: sac relaxed, seed 0", "What its layers broke: sac gated, seed 0"]
    assert titles[-5:] == [*wanted, "Does it turn with the world?", "Is so much asymmetry called for?"]
    assert "Return" in body and "in pendulum+gravity=0.02" in body and "NaN" not in body and not re.search(r'(src|href)="https?:', body)
    assert body.count("<figure") == 3 and str(page) in capsys.readouterr().out
    other = tmp_path / "probe.nc"
    other.write_bytes(b"no run")
    assert main(["report", str(runs / "plain"), str(other), "--out", str(tmp_path / "b.html")]) == 2
    assert "have a page of their own" in capsys.readouterr().err
    assert main(["report", str(runs / "plain"), "--out", str(page)]) == 2 and "exists" in capsys.readouterr().err
    with pytest.raises(OrbitscopeError, match="needs summaries of agents"):
        write_agents([xr.DataTree()], tmp_path / "c.html")


def test_a_run_before_its_first_evaluation_has_a_page(runs, tmp_path):
    run = open_agent(runs / "plain")
    bare = agent_summary(type(run)(run.path, run.environment, run.agent, (), run.config, False), episodes=3)
    text = write_agents([bare], tmp_path / "page.html").read_text(encoding="utf-8")
    assert "1 run not finished" in text and "What it learnt" not in text


@pytest.mark.parametrize(("name", "word"), [("pendulum", None), ("pendulum+gravity=0.02", NEARLY), ("pendulum+gravity=3", NOT)])
def test_the_data_of_an_agent_are_its_world(name, word):
    """Exact, approximate or no symmetry of the simulator, as it is broken; the identity is always one."""
    agent = Agent(environment(name, repeat=20), symmetry_of("pendulum"), policy="exact", width=4, options={"batch_size": 8})
    for found in audits_of(agent, probed_maps(agent, episodes=6, length=10), agent.symmetry, episodes=4):
        said = dict(zip(found["element"].values.tolist(), found["verdict"].values.tolist(), strict=True))
        assert said.pop("e").startswith("symmetry of the physics")
        (only,) = said.values()
        assert only.startswith("symmetry of the physics") if word is None else only == word
        assert (float(found["residual"].max()) > 1e-3) == (word is not None) and found.attrs["law"] == "paired steps of the simulator"


def test_a_world_that_cannot_be_set_leaves_it_open(tmp_path):
    agent = Agent("pendulum", policy="exact", width=4, options={"batch_size": 8})
    maps, symmetry = probed_maps(agent, episodes=3, length=5), agent.symmetry
    without = type(symmetry)(symmetry.group, symmetry.observation, symmetry.action)
    (found, _) = audits_of(agent, maps, without)
    assert "was not audited" in found.attrs["explanation"] and "it is not declared" in found.attrs["explanation"]
    assert not any("symmetry of the physics" in w for w in found["verdict"].values)
    checked = audit(maps[0].examples, maps[0].symmetry)
    with pytest.raises(OrbitscopeError, match="`words` should be exact"):
        with_measured(checked, {"e": "nearly"}, {}, law="a", explanation="b")


def test_a_probe_says_it(runs, tmp_path):
    out = tmp_path / "p.nc"
    assert main(["probe", str(runs / "relaxed"), "--out", str(out), "--trajectories", "4", "--times", "2", "--steps", "0"]) == 0
    words = open_probe(out).children["D1"].children["verdict"].to_dataset()
    assert words["data"].sel(element="s").item() == NEARLY and "approximate" in words.attrs["sentence_data"]
    assert "transitions differ by" in words.attrs["sentence_data"]

"""Words from the command line, splits that do not leak, and motions that obey the group law."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from orbitscope import OrbitscopeError, open_probe
from orbitscope.cli import main
from orbitscope.data import Examples, load_examples
from orbitscope.symmetry import Words, braid
from orbitscope.systems import open_runs
from orbitscope.systems.words import (
    SYSTEM,
    Conjugated,
    FromTheRight,
    Relators,
    Respelled,
    _tasks,
    braid3_task,
    category_task,
    coxeter,
    finite_task,
    symmetric_task,
    task_of,
)

B3 = braid(3)
LETTERS = st.lists(st.sampled_from(["s1", "s2", "s1^-1", "s2^-1"]), max_size=4).map(" ".join)


def run(*words):
    return main([str(w) for w in words])


@pytest.mark.parametrize("name", sorted(SYSTEM.scenarios))
def test_every_scenario_makes_words_with_their_labels(name, tmp_path):
    count = 40
    small = {"words.symmetric10": {"size": 4}, "words.braid4": {"length": 4}, "words.category": {"length": 4}}.get(name, {})
    file = SYSTEM.simulate(name, tmp_path / "w.nc", count=count, seed=1, parameters=small)
    again = SYSTEM.simulate(name, tmp_path / "v.npz", count=count, seed=1, parameters=small)
    found, same = load_examples(file), load_examples(again)
    assert torch.equal(found.x, same.x) and len(found) == count
    task = task_of(found)
    assert torch.equal(task.examples(task.signed(found.x)).y, found.y)
    assert torch.equal(task.states(task.signed(found.x)), found.x)
    for symmetry in SYSTEM.symmetries(SYSTEM.probed(found)).values():
        x, law = SYSTEM.probed(found).x, SYSTEM.law(found)
        for g in symmetry.elements()[:6]:
            assert torch.equal(law(symmetry.input(g, x)), found.y), (symmetry.name, g)


def test_from_words_to_a_report(tmp_path):
    file, folder, probe, page = (tmp_path / n for n in ("b.npz", "run", "p.nc", "r.html"))
    assert run("simulate", "words.braid3", "--initial", "length=3", "--trajectories", 85, "--out", file) == 0
    assert run("train", file, "--model", "matrixnet", "--override", "size=3", "--epochs", 3, "--out", folder) == 0
    (opened,) = open_runs(folder)
    assert opened.model.group == B3 and len(opened.fit.history) == 3
    assert run("probe", folder, file, "--out", probe, "--steps", 0) == 0
    tree = open_probe(probe)
    assert {"relations", "stabiliser"} <= set(tree.children)
    assert run("report", probe, "--out", page) == 0 and "relations" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("model", ["words_mlp", "words_lstm", "words_transformer"])
def test_the_other_readers_are_trained_and_probed(model, tmp_path):
    file, folder, probe = (tmp_path / n for n in ("f.npz", "run", "p.nc"))
    assert run("simulate", "words.finite", "--initial", "length=4", "group=<D3>", "--trajectories", 60, "--out", file) == 0
    assert run("train", file, "--model", model, "--epochs", 1, "--out", folder) == 0
    assert run("probe", folder, file, "--group", "conjugation", "--influence-elements", 0, "--out", probe) == 0
    assert set(open_probe(probe).children) >= {"conjugation"}


@pytest.mark.parametrize(("group", "kind"), [("<D4>", "householder"), ("<C5>", "orthogonal")])
def test_small_groups_are_read_by_classes(group, kind):
    """The network that is made for orders answers a conjugate with the same numbers, and its matrices can be those of its generators."""
    torch.manual_seed(0)
    task = finite_task(group)
    examples = task.examples(np.array([[1, -1, 1], [1, 1, 0]]), {"scenario": "words.finite", "parameters": {"group": group}})
    net = SYSTEM.models["matrixnet"].make(examples).double()
    assert net.kind == kind and net.traces
    act, g = Words(task.group, 9), task.group.generators[-1]
    plain, moved = act.encode([task.group.word(f"{g} {g}")]), act.encode([task.group.word(g)])
    with torch.no_grad():
        words = torch.nn.functional.pad(examples.x, (0, 2))
        letter = int(moved[0, 0])
        around = torch.cat([torch.full((2, 1), letter), examples.x, torch.full((2, 1), letter + 1)], 1)
        assert torch.allclose(net.eval()(words), net(around), atol=1e-8)
        assert torch.allclose(net(plain), net(torch.zeros_like(plain)), atol=1e-8) == (kind == "householder")


def test_all_words_once():
    rows = braid3_task().draw(85, 3, 0)
    assert len({tuple(r) for r in rows.tolist()}) == 85 and (rows[np.abs(rows).sum(1) == 0]).shape[0] == 1
    gaps = (rows[:, :-1] == 0) & (rows[:, 1:] != 0)
    assert not gaps.any() and np.abs(rows).max() == 2


def test_drawn_words_differ_where_most_are_left_out():
    rows = category_task("D4").draw(2000, 9, 3)
    assert len({tuple(r) for r in rows.tolist()}) == 2000
    lengths = (rows != 0).sum(1)
    assert abs((lengths == 9).mean() - 7 / 8) < 0.05  # of all words seven in eight have the full length


@pytest.mark.parametrize("kind", ["element", "coset", "length", "word"])
def test_a_split_keeps_its_promise(kind):
    task = braid3_task()
    states = task.states(task.draw(5461, 6, 0))
    parts = task.split(states, kind, 0)
    assert sorted(np.concatenate(list(parts.values())).tolist()) == list(range(5461))
    leak = task.leak(states, parts)
    if kind == "element":
        assert leak == 0
    elif kind == "coset":
        assert leak == 0 and not {*map(tuple, task.label(task.signed(states))[parts["test"]].tolist())} & {
            *map(tuple, task.label(task.signed(states))[parts["train"]].tolist())
        }
    elif kind == "length":
        assert (states[parts["test"]] > 0).sum(1).min() >= (states[parts["train"]] > 0).sum(1).max()
        # Elements that validation alone has would choose weights before anything is learnt, where a group has few.
        few = finite_task("<D6>")
        words = few.states(few.draw(600, 6, 0))
        cut, keys = few.split(words, "length", 0), few.element(few.signed(words))
        assert {keys[i] for i in cut["validation"]} <= {keys[i] for i in cut["train"]}
    else:
        assert leak > 0.9  # as in the published split
    assert len({k for k in task.element(task.signed(states))}) == 577


@given(LETTERS, LETTERS, LETTERS)
def test_words_are_moved_by_products(first, second, third):
    words = Words(B3, 20)
    a, b, state = B3.word(first), B3.word(second), words.encode([third])
    for act in (Conjugated(words), FromTheRight(words)):
        assert float(act.squares(act(a @ b, state), act(a, act(b, state)))) == 0
        assert torch.equal(act(B3.identity, state), state)


@pytest.mark.parametrize("group", [B3, coxeter("A3"), coxeter("D4")])
def test_relators_spell_the_identity(group):
    found = Relators(group, 2)
    probes = found.probes(12, 3)
    assert len(set(probes)) == 12 and all(p in found for p in probes)
    assert found.free.word(group.generators[0]) not in found
    act = Respelled(group, 30)
    state = act.encode([group.generators[0]])
    first, second = probes[1], probes[2]
    assert torch.equal(act(first @ second, state), act(first, act(second, state)))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: symmetric_task(30), "`size`"),
        (lambda: symmetric_task(4, "sign"), "`label`"),
        (lambda: finite_task("F2"), "not finite"),
        (lambda: finite_task("artin(D4)"), "not finite or does not tell"),
        (lambda: braid3_task().draw(100, 2, 0), "21 words"),
        (lambda: braid3_task().split(torch.zeros(4, 2, dtype=torch.long), "element", 0), "would be empty"),
        (lambda: braid3_task().split(torch.zeros(4, 2, dtype=torch.long), "fair", 0), "`split`"),  # pyright: ignore[reportArgumentType]
        (lambda: task_of(Examples(torch.zeros(2, 2), torch.zeros(2, 1))), "say nothing of their group"),
        (lambda: Relators(braid(2)), "has no relations"),
        (lambda: SYSTEM.scenario("words.braid9"), "no scenario"),
        (lambda: category_task("D4", 0), "`start`"),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(OrbitscopeError, match=said):
        call()


def test_labels_that_contradict_each_other_are_refused():
    """As in the published file, where every word stands for two starting objects."""
    task = braid3_task()
    states = task.states(task.draw(300, 5, 0))
    labels = task.examples(task.signed(states)).y
    task.consistent(states, labels)
    about = {"scenario": "words.braid3", "parameters": {}}
    twice = Examples(torch.cat([states, states]), torch.cat([labels, labels.roll(1, 1)]), about=about)
    with pytest.raises(OrbitscopeError, match="one element of B3 and have different labels"):
        SYSTEM.split(twice, 0)


def test_a_wrong_length_or_split_is_refused(tmp_path):
    for wrong in ({"length": 0}, {"split": "fair"}):
        with pytest.raises(OrbitscopeError, match=next(iter(wrong))):
            SYSTEM.simulate("words.braid3", tmp_path / "x.npz", count=5, parameters=wrong)


def test_an_infinite_group_is_refused(monkeypatch):
    monkeypatch.setattr(_tasks, "_MOST", 30)
    with pytest.raises(OrbitscopeError, match="more than 30 elements"):
        finite_task("coxeter(~A2)")

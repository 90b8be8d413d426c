"""The rules that the studies judge by, on tables whose answer is known; each rule is shown to be able to fail."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

STUDIES = Path(__file__).resolve().parent.parent.parent / "studies"
NAMES = ("judgement", "harness", "study", "tables", "comparison", "findings", "wins")


def modules_of(study: str) -> Iterator[Callable[[str], ModuleType]]:
    """The study's modules, which are no part of the package; those of different studies have the same names."""
    before, kept = list(sys.path), {n: sys.modules.pop(n) for n in NAMES if n in sys.modules}
    sys.path[:0] = [str(STUDIES), str(STUDIES / study)]
    yield importlib.import_module
    sys.path[:] = before
    for name in NAMES:
        sys.modules.pop(name, None)
    sys.modules.update(kept)


@pytest.fixture
def influence() -> Iterator[Callable[[str], ModuleType]]:
    yield from modules_of("symmetry_influence")


def test_the_interval_is_students(influence: Any) -> None:
    rules, values = influence("judgement"), np.array([1.0, 2.0, 4.0, 7.0])
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert rules.interval(values) == pytest.approx((expected.low, expected.high))
    assert np.isnan(rules.interval([1.0, 2.0])).all() and np.isnan(rules.interval([1.0, np.nan, 2.0])).all()


def test_four_words(influence: Any) -> None:
    """Sure on one side, sure on the other, too wide, too few; and three seeds of one sign are no interval."""
    rules = influence("judgement")
    assert rules.judge([0.9, 1.0, 1.1], high=2.0) == "agrees" and rules.judge([2.9, 3.0, 3.1], high=2.0) == "contradicts"
    assert rules.judge([1.0, 2.0, 3.0], high=2.5) == "undetermined" and rules.judge([0.0, 0.0], high=2.0) == "not judged"
    assert rules.judge([-0.72, -0.036, 0.2], -0.5, 0.0) == "undetermined"
    assert rules.side([0.72, 0.81, 0.88]) == 0 and rules.side([0.80, 0.81, 0.82]) == -1 and rules.side([1.3, 1.2]) == 0
    assert rules.together(["agrees", "undetermined", "contradicts"]) == "contradicts" and rules.together(["agrees", "agrees"]) == "agrees"
    assert rules.together(["agrees", "not judged"]) == "not judged" and rules.together([]) == "not judged"


def test_how_often_the_words_are_wrong(influence: Any) -> None:
    """A statement that is just true is contradicted in at most 5 % of studies, with many parts too; just false, it agrees as rarely."""
    rules, rng = influence("judgement"), np.random.default_rng(0)
    needs = [rules.Need(name, lambda run, name=name: float(run[name].iloc[0]), high=0.0) for name in "abc"]
    words = []
    for _ in range(400):
        frame = pd.DataFrame(rng.normal(size=(3, 3)), columns=list("abc")).assign(model="unet", seed=range(3))
        words.append(rules.judge_runs(frame, needs, {"unet"}).word)
    assert words.count("contradicts") / 400 < 0.06 and words.count("agrees") / 400 < 0.03
    surely = pd.DataFrame({"a": [-1.0, -1.1, -0.9], "b": -2.0, "c": -3.0, "model": "unet", "seed": range(3)})
    assert rules.judge_runs(surely, needs, {"unet"}).word == "agrees"
    assert rules.judge_runs(surely.assign(b=2.0), needs, {"unet"}).word == "contradicts"


def study_tables(modules: Any, rng: np.random.Generator, skill: float, **say: Any) -> Any:
    """All tables of a study of three seeds that says what is published, but for what `say` changes."""
    harness, study = modules("harness"), modules("study")
    said = {"far": 100.0, "coherent": 0.5, "pearson": -0.2, "fall": 0.8, "across": 0.02, "gap": 0.4, "vit": 0.5, "rank": -1.0} | say
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in modules("test_tables")}
    elements = ["e", "r", "r2", "r3", "s", "sr", "sr2", "sr3"]
    for dataset in study.DATASETS:
        for model in ("unet", "vit"):
            for seed in range(3):
                run = {"dataset": dataset, "model": model, "schedule": "constant", "seed": seed}
                swapped = dataset == study.SWAPPED

                def put(name: str, run: dict[str, Any] = run, **values: Any) -> None:
                    rows[name].append({**run, **values})

                noise = rng.normal(size=(len(elements), 2))
                noise[:, 1] = said["pearson"] * noise[:, 0] + (1 - said["pearson"] ** 2) ** 0.5 * noise[:, 1]
                for n, g in enumerate(elements):
                    outside = dataset != "euler" and g not in study.V4 and (swapped or say.get("right", True))
                    far, coherent = (said["far"], 0.0) if outside else (1.0, said["coherent"])
                    far, coherent = far + 0.02 * noise[n, 0], coherent + 0.02 * noise[n, 1]
                    put("d4", metric="gauss_newton", element=g, relative_error=far, response=coherent)
                    for epoch in (0, 1, 2):
                        put("epochs", epoch=epoch, element=g, response=said["gap"] * (epoch > 0 and g in study.V4) + 0.01 * rng.normal())
                    for damping in (1e-6, 1e-4):
                        put("damping", damping=damping, element=g, response=0.3 + say.get("damping", 0.0) * (damping > 1e-5))
                for shift in (0.5, 1, 2, 3):
                    put("shift_error", axis="tx", shift=shift, relative_error=1.01)
                    put("shift_coherence", axis="tx", shift=shift, response=0.7 + say.get("ripple", 0.2) * (model == "vit" and shift == 2))
                put("shift_period", axis="tx", period=4.0, explained=0.9)
                size = said["vit"] if model == "vit" else 1
                more = {"persistence_smse": 9.0, "parameters": say.get("parameters", 9) if model == "vit" else 10, "seconds": 1.0}
                put("runs", test_smse=1.0 * size * (1 + 0.01 * seed), **more)
                for a in "AB":
                    errors: dict[str, Any] = {"class": a, "error": skill, "persistence": 1.0, "increment": say.get("increment", 1.0)}
                    put("skill", **errors, parabola=2.0)
                for lag in (0, 3, 9):
                    put("lag", element="e", lag=lag, coherence=1 - said["fall"] * lag / 9 + 0.01 * seed)
                for a in ("A", "B"):
                    for b in ("A", "B"):
                        put("classes", element="e", bra_class=a, ket_class=b, coherence=(0.5 if a == b else said["across"]) + 0.01 * seed)
                for k in range(6):
                    put("rollout", trajectory=k, cross_time_coherence=said["rank"] * k, rollout_error=k + 0.6 * rng.normal())
    found = harness.Tables.__new__(harness.Tables)
    dict.__init__(found, {name: pd.DataFrame(value) for name, value in rows.items()})
    found.columns, found.meta = [], {"settings": {"main_schedule": "constant"}}
    return found


@pytest.fixture
def lines(influence: Any) -> Callable[..., dict[str, str]]:
    """Key of a line -> its word, for tables made with these choices."""
    names = ["d4", "epochs", "damping", "shift_error", "shift_coherence", "shift_period", "runs", "lag", "classes", "rollout", "skill"]

    def make(skill: float = 0.1, **say: Any) -> dict[str, str]:
        tables = study_tables(lambda name: names if name == "test_tables" else influence(name), np.random.default_rng(1), skill, **say)
        return {line.key: line.judged.word for line in influence("comparison").compare(tables)}

    return make


def test_a_study_that_says_what_is_published_agrees(lines: Callable[..., dict[str, str]]) -> None:
    found = lines()
    unsure = {key for key, word in found.items() if word != "agrees"}
    assert len(found) == 21 and unsure <= {"ce-d4-pearson"}, unsure  # six runs of seven elements say little of a correlation of -0.2


def test_every_line_needs_skill(lines: Callable[..., dict[str, str]]) -> None:
    assert set(lines(skill=0.3).values()) == {"not judged"}
    assert set(lines(skill=0.1, increment=0.4).values()) == {"not judged"}  # the last increment repeated is as good a forecast


@pytest.mark.parametrize(
    ("say", "keys"),
    [
        ({"far": 1.0}, {"navier-stokes-error", "navier-stokes-swapped-error"}),
        ({"right": False}, {"navier-stokes-error", "navier-stokes-coherence"}),
        ({"coherent": 0.95}, {"ce-d4-coherence"}),  # 0.89 to 0.99 is not "0.3 to 0.6"
        ({"pearson": -0.99}, {"ce-d4-pearson"}),
        ({"fall": 0.017}, {"euler-lag", "navier-stokes-lag"}),  # from 0.986 to 0.969 is no decay
        ({"across": 0.48}, {"euler-classes", "navier-stokes-classes"}),
        ({"gap": 0.0}, {"navier-stokes-training", "navier-stokes-swapped-training"}),
        ({"vit": 5.5}, {"euler-smse", "navier-stokes-smse"}),
        ({"rank": 1.0}, {"euler-rollout", "navier-stokes-rollout"}),
        ({"damping": 0.2}, {"damping"}),
        ({"ripple": 0.01}, {"ripples"}),  # the same at all shifts is no structure
        ({"ripple": -0.5}, {"ce-shift-coherence"}),
    ],
)
def test_every_rule_can_be_contradicted(lines: Callable[..., dict[str, str]], say: dict[str, Any], keys: set[str]) -> None:
    """And by nothing else than its own statement."""
    found = lines(**say)
    assert {key for key, word in found.items() if word == "contradicts"} == keys


def test_a_larger_vit_says_nothing_of_fewer_parameters(lines: Callable[..., dict[str, str]]) -> None:
    found = lines(parameters=11)
    assert {key for key, word in found.items() if word == "not judged"} == {"euler-smse", "navier-stokes-smse"}


def test_two_classes_that_cohere_are_not_hidden_by_a_third(influence: Any) -> None:
    """Riemann x curved cohere as within, uncertain with nothing, itself included: medians over pairs are low, the statement is false."""
    rows, values = [], {("r", "r"): 0.945, ("c", "c"): 0.967, ("u", "u"): 0.043, ("c", "r"): 0.967, ("r", "c"): 0.967}
    for seed in range(3):
        for a in "rcu":
            for b in "rcu":
                rows.append(
                    {"model": "unet", "seed": seed, "bra_class": a, "ket_class": b, "coherence": values.get((a, b), 0.012) + 0.01 * seed}
                )
    frame = pd.DataFrame(rows)
    assert frame[frame.bra_class != frame.ket_class].coherence.median() < 0.05
    needs = influence("comparison")._classes(frame)
    assert influence("judgement").judge_runs(frame, needs, {"unet"}).word == "contradicts"


def test_a_better_network_needs_skill_and_an_interval() -> None:
    """The study of approximate equivariance: lower at each of three seeds is not yet better, and nothing is better than nothing."""
    for load in modules_of("approximate_equivariance"):
        compared = load("tables").compared

        def errors(own: list[float], persistence: float) -> pd.DataFrame:
            rows = [("a", seed, v) for seed, v in enumerate(own)] + [("b", seed, 1.0) for seed in range(3)]
            return pd.DataFrame(rows, columns=["model", "seed", "rmse"]).assign(trivial=persistence)

        assert compared(errors([0.80, 0.81, 0.82], 9.0), "a", "b")[0] == "a"
        assert compared(errors([0.60, 0.80, 0.99], 9.0), "a", "b")[0] == ""
        assert compared(errors([0.80, 0.81, 0.82], 1.0), "a", "b") == ("", pytest.approx(0.81))
        assert compared(errors([1.20, 1.21, 1.22], 9.0), "a", "b")[0] == "b"
        tables = load("harness").Tables(STUDIES / "approximate_equivariance" / "results" / "small")
        kept, words = tables["errors"], []
        for cell, element, persistence, seeds in ((3.0, 9.0, 50.0, 3), (3.0, 1.0, 50.0, 3), (3.0, 1.0, 1.0, 3), (3.0, 9.0, 50.0, 2)):
            rmse = kept.model.map({"steerable": cell, "group": element}).fillna(1.0)
            nothing = dict.fromkeys(("persistence", "increment", "parabola"), persistence)
            tables["errors"] = kept.assign(rmse=rmse, **nothing)[kept.seed < seeds]
            words.append(load("findings")._published(tables).answer)
        assert words == ["agrees.", "contradicts.", "not judged.", "not judged."]

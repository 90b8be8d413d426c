"""The first sentence of the page, the words above its table, and its advice."""

import json

import numpy as np

from orbitscope.report import verdict_rows
from orbitscope.report._answer import answer
from orbitscope.report._case import read_cases
from orbitscope.report._glossary import glossary
from orbitscope.report._todo import todo


def learnt(tree, group, names, most=None, skill=0.1):
    """A case of which the verdict says that `names` are learnt, at most `most`."""
    verdict = tree[f"{group}/verdict"].to_dataset()
    elements = [str(e) for e in verdict["element"].values]
    flags = {"in_learnt": names, "in_learnt_at_most": names if most is None else most}
    found = verdict.assign({k: ("element", np.array([e in v for e in elements])) for k, v in flags.items()})
    tree[f"{group}/verdict"].dataset = found.assign_attrs(skill=skill)
    return tree


def first(*trees):
    return answer(verdict_rows(trees))[0]


def test_one_case(case):
    assert first(case("U", groups=("D4", "Tx8"))) == "U has learnt all of D4 and Tx8."
    assert first(learnt(case("U", groups=("D4",)), "D4", ["e"])) == "U has learnt nothing of D4 but the identity."
    assert first(learnt(case("U", groups=("D4",)), "D4", ["e", "r2"])) == "U has learnt a part of D4."
    assert "not decided" in first(learnt(case("U", groups=("D4",)), "D4", ["e"], ["e", "r2"]))
    assert first(learnt(case("U", groups=("D4",)), "D4", [], skill=0.9)) == "U forecasts too poorly to have learnt D4."


def test_many_cases_refused_files_and_what_was_not_measured(case):
    some = [case("A, one", groups=("D4",)), case("B", groups=("D4",)), learnt(case("C", groups=("D4",)), "D4", ["e"])]
    wrong = case("W", groups=("D4",), swapped=True)
    assert first(*some, wrong) == (
        "“A, one” and B have learnt all of D4; C has learnt nothing of D4 but the identity; "
        "W cannot be judged, because its data file is refused by the audit."
    )
    assert first(*[case(str(k), groups=("D4",)) for k in range(9)]) == "All 9 models have learnt all of D4."
    many = [learnt(case(str(k), groups=("D4",)), "D4", ["e", "r2"] if k < 2 else ["e"]) for k in range(8)]
    assert first(*many) == "Of 8 models, 6 have learnt nothing but the identity and 2 have learnt a part."
    assert first(wrong) == "W cannot be judged, because its data file is refused by the audit."
    assert "not measured" in first(case("U", groups=("D4",), parts=("audit",)))
    assert "not measured" in first(case("U", groups=()))


def test_the_words_of_the_table_are_defined_above_it(case):
    tree = case(groups=("D4", "Tx8"))
    tree["Tx8/influence"].dataset = tree["Tx8/influence"].to_dataset().isel(element=[0, 1, 4])
    said = dict(glossary(read_cases([tree])))
    assert {"x, g, f", "D4", "Tx8", "breaking", "coherence", "sample of elements"} == set(said)
    assert said["D4"].startswith("4 rotations by multiples of 90° and 4 reflections: e leaves a state as it is, r turns it by 90°")
    assert "Tx8: 1, 4" in said["sample of elements"] and "D4" not in said["sample of elements"]
    assert set(dict(glossary(read_cases([case(groups=("D4",), parts=("audit",))])))) == {"x, g, f", "D4"}


def test_the_same_advice_is_given_once_with_the_cases_it_is_for(case):
    trees = [case("A", groups=("D4", "Tx8")), case("B", groups=("D4",)), case("C", groups=("D4",))]
    for tree, gain in zip(trees[:2], ("16 %", "36 %"), strict=True):
        part = {"kind": "average", "text": f"Average, {gain}.", "general": "Average.", "here": f"over D4 by {gain}"}
        tree["D4/verdict"].attrs["advice"] = json.dumps([part])
    items = todo(verdict_rows(trees))
    assert [i.text for i in items] == ["Average.", "Nothing to repair."]
    assert items[0].cases == (("A", 1, "over D4 by 16 %"), ("B", 2, "over D4 by 36 %"))
    assert items[1].cases == (("A", 1, "Tx8"), ("C", 3, "D4"))

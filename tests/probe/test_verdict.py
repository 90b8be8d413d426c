"""Words for hand-made numbers: each case that a reader may meet, and the sentences that go with it."""

from collections.abc import Sequence

import numpy as np
import pytest
import xarray as xr
from numpy.typing import ArrayLike

import orbitscope as osc
from orbitscope.probe.verdicts._cures import cures

D4 = osc.dihedral(4)
NAMES = [g.name for g in D4]
V4 = ("e", "r2", "sr", "sr3")
HOLDS = "symmetry of the physics and of the file"
PHYSICS_ONLY = "symmetry of the physics, not of this file's distribution"
CONTRADICTS = "file contradicts its declared convention"


def errors(
    breaking: ArrayLike,
    moved: ArrayLike = 1.0,
    *,
    group: osc.Group = D4,
    commutator: ArrayLike = 0.1,
    gain: float | None = None,
    skill: float = 0.05,
    floor: float = 1e-6,
    trajectories: int = 8,
    spread: float = 0.05,
) -> xr.Dataset:
    """A result of `equivariance` in which the breaking carries so much of the squared error of {e, g}, and moving so many times the error.

    A subgroup's share is the largest of its members', and averaging over it gains that share on the originals, or `gain`.
    """
    count = len(group)
    share, ratio = np.broadcast_to(np.asarray(breaking, float), count).copy(), np.broadcast_to(np.asarray(moved, float), count).copy()
    share[0], ratio[0] = 0, 1
    size = 1 + spread * np.linspace(-1, 1, trajectories)
    wobble = 1 + spread * np.cos(np.arange(trajectories))
    subgroups = group.subgroups()
    member = np.array([[g in h for g in group] for h in map(set, subgroups)])
    error = np.outer(ratio, size)
    of_subgroup = np.array([error[m].mean(0) for m in member])
    worst = np.array([share[m].max() for m in member])[:, None] * wobble
    scattered = of_subgroup * worst if gain is None else of_subgroup - (1 - gain) * size * (worst > 0)
    transition = {"trajectory": ("transition", np.arange(trajectories)), "time": ("transition", np.zeros(trajectories, int))}
    return xr.Dataset(
        {
            "relative_error": (("element", "transition"), error),
            "commutator": (("element", "transition"), np.outer(np.broadcast_to(commutator, count), size)),
            "skill": ("transition", skill * size), "floor": ("element", np.full(count, floor)),
            "copy_error": (("element", "transition"), error),
            "copy_gap": (("element", "transition"), 2 * np.outer(share, wobble) * (error + size)),
            "squared_error": (("subgroup", "transition"), of_subgroup),
            "breaking": (("subgroup", "transition"), np.maximum(scattered, 0)),
            "copies_step": (("subgroup", "transition"), 10 * of_subgroup),
            "answer": ("transition", 100 * size), "step": ("transition", size / skill),
            "member": (("subgroup", "element"), member),
        },
        coords={
            "element": [g.name for g in group], "subgroup": ["{" + ", ".join(g.name for g in h) + "}" for h in subgroups], **transition,
        },
    )  # fmt: skip


def shared(excess: ArrayLike, *, width: float = 0.1, names: Sequence[str] = NAMES) -> xr.Dataset:
    """A result of `influence` with these excesses, each significant where its interval leaves out 0."""
    values = np.asarray(excess, dtype=float)
    p = np.where(np.abs(values) > width, 0.001, 0.5)
    parts = {"excess": values, "excess_low": values - width, "excess_high": values + width, "p_value": p, "p_holm": p}
    parts |= {"p_least": np.full(len(values), 1e-4), "response": values + 0.2, "null": np.full(len(values), 0.2)}
    dims = ("element", "bra_time", "bra_trajectory", "ket_time", "ket_trajectory")
    coherence = np.zeros((len(values), 1, 8, 1, 8))
    columns = {k: ("element", v) for k, v in parts.items()} | {"coherence": (dims, coherence)}
    return xr.Dataset(columns, coords={"element": list(names), "ket_trajectory": np.arange(8), "bra_trajectory": np.arange(8)})


def audited(words: Sequence[str] | str, *, verdict: str = "consistent", fits: str = "declared", names: Sequence[str] = NAMES) -> xr.Dataset:
    """A result of `audit`."""
    listed = [words] * len(names) if isinstance(words, str) else list(words)
    attrs = {"verdict": verdict, "convention_fits": fits, "explanation": "The laws fail as declared."}
    return xr.Dataset({"verdict": ("element", listed)}, coords={"element": list(names)}, attrs=attrs)


def only(names: Sequence[str], value: float, rest: float, group: osc.Group = D4) -> list[float]:
    """`value` on these elements, `rest` on the others."""
    return [value if g.name in names else rest for g in group]


def test_a_small_breaking_holds() -> None:
    found = osc.verdict(D4, errors(0.02), shared([0.3] * 8), audited(HOLDS))
    assert found["output"].values.tolist() == ["exact up to rounding"] + ["holds"] * 7
    assert set(found["moving"].values) == {"costs nothing"} and set(found["data"].values) == {HOLDS}
    assert found.attrs["learnt_order"] == 8 and found.attrs["learnt_subgroup"].split(", ") == NAMES
    assert found.attrs["exact_subgroup"] == "e"
    sentence = found.attrs["sentence_output"]
    assert sentence.startswith("Holds on all 7 elements but e (its breaking carries at most 2.1 % of the squared error).")
    assert "Over D4 the breaking carries 2 % of the squared error" in sentence and "Moving a state costs nothing" in sentence
    assert found.attrs["sentence_data"] == f"All 8 elements: {HOLDS}."
    little = "Little to gain from this symmetry: averaging over D4 would remove at most 2.1 % of the squared error over the copies"
    assert found.attrs["sentence_next"] == f"{little}, at 8 times the arithmetic of a step."
    assert cures().page not in found.attrs["sentence_next"]


def test_moving_costs_nothing_is_not_holding() -> None:
    """A model that is wrong alike everywhere, in different ways: the fault that a ratio of errors cannot see."""
    found = osc.verdict(D4, errors(0.5), None, audited(HOLDS))
    assert found["output"].values.tolist()[1:] == ["broken"] * 7 and set(found["moving"].values) == {"costs nothing"}
    assert found.attrs["learnt_subgroup"] == found.attrs["learnt_at_most"] == "e"
    assert "Broken on all 7 elements but e (the breaking carries 50 % of the squared error" in found.attrs["sentence_output"]
    said = found.attrs["sentence_next"]
    assert said.startswith("Average over D4 (`osc.symmetrize`): on these transitions the squared error falls by 50 %")
    assert "at 8 times the arithmetic" in said and cures().page not in said and "Nothing to mend" not in said


def test_averaging_that_harms_the_originals_is_not_advised() -> None:
    """A model that is good on one orientation only: a large share, and a negative gain."""
    found = osc.verdict(D4, errors(only(V4, 0.01, 0.45), only(V4, 1.0, 80.0), gain=-7.0), None, audited(HOLDS))
    assert "falls by" not in found.attrs["sentence_next"]
    assert "Do not average the finished model over D4: the squared error on the originals would be 8 times" in found.attrs["sentence_next"]
    assert cures().sentence("{r, r3, s, sr2}") in found.attrs["sentence_next"]
    assert "Train longer or on more data, which may be enough for {r, r3, s, sr2}." in found.attrs["sentence_next"]
    assert "It favours the orientation of the data: on {r, r3, s, sr2} the squared error is 80 times" in found.attrs["sentence_output"]
    assert found.attrs["learnt_subgroup"] == ", ".join(V4)


def test_averaging_over_a_part_that_gains_is_advised_where_the_whole_harms() -> None:
    """The gain of each subgroup is its own."""
    result = errors(only(V4, 0.3, 0.45), only(V4, 1.0, 80.0))
    inside = [set(s.strip("{}").split(", ")) <= set(V4) for s in result["subgroup"].values]
    harmed = result["squared_error"] - 3 * result["copy_error"][0]
    result["breaking"] = result["breaking"].where(xr.DataArray(inside, dims="subgroup"), harmed)
    found = osc.verdict(D4, result, None, audited(HOLDS))
    assert "Average over {e, r2, sr, sr3}" in found.attrs["sentence_next"] and "at 4 times" in found.attrs["sentence_next"]


@pytest.mark.parametrize(("share", "margin", "word"), [
    (0.02, 0.05, "holds"), (0.05, 0.05, "undecided"), (0.1, 0.05, "broken"), (0.1, 0.2, "holds"), (0.9, 0.05, "broken"),
])  # fmt: skip
def test_the_output_word_follows_the_interval(share: float, margin: float, word: str) -> None:
    found = osc.verdict(D4, errors(only(("r",), share, 0.01)), margin=margin)
    assert found["output"].sel(element="r").item() == word and found.attrs["margin"] == margin
    assert float(found["share_low"].sel(element="r")) <= share * 1.02 and float(found["share_high"].sel(element="r")) >= share * 0.98
    if word == "undecided":
        assert "not decided on {r}" in found.attrs["sentence_output"] and "probe more trajectories than 8" in found.attrs["sentence_next"]


@pytest.mark.parametrize(("ratio", "tolerance", "word"), [
    (1.0, 1.25, "costs nothing"), (1.2, 1.25, "costs nothing"), (1.4, 1.25, "costs"), (70.0, 1.25, "costs"), (0.5, 1.25, "costs nothing"),
    (1.9, 2.0, "costs nothing"), (2.5, 2.0, "costs"),
])  # fmt: skip
def test_the_cost_of_moving_follows_its_own_interval(ratio: float, tolerance: float, word: str) -> None:
    found = osc.verdict(D4, errors(0.1, only(("r",), ratio, 1.0)), tolerance=tolerance)
    assert found["moving"].sel(element="r").item() == word and found["moving"].sel(element="e").item() == "costs nothing"
    assert float(found["moved_error"].sel(element="r")) == pytest.approx(ratio) and found.attrs["tolerance"] == tolerance


@pytest.mark.parametrize("trajectories", [1, 2, 3])
def test_fewer_than_four_trajectories_get_no_word(trajectories: int) -> None:
    found = osc.verdict(D4, errors(0.4, trajectories=trajectories))
    assert set(found["output"].values[1:]) == {"undecided"} and found.attrs["learnt_subgroup"] == "e"
    assert f"With {trajectories} trajectories there is no interval" in found.attrs["sentence_output"]
    assert found.attrs["sentence_next"].startswith("Probe at least 4 trajectories, better 8")


@pytest.mark.parametrize("audit", [None, audited("not contradicted by the file; physics unchecked"), audited("undetermined")])
def test_cures_wait_for_the_physics(audit: xr.Dataset | None) -> None:
    """Where nobody knows whether the physics has an element, that comes first."""
    said = osc.verdict(D4, errors(only(V4, 0.01, 0.45), only(V4, 1.0, 80.0), gain=-7), None, audit).attrs["sentence_next"]
    assert "Whether the physics has {r, r3, s, sr2} is not known: audit the file with its equation first." in said
    assert cures().sentence("{r, r3, s, sr2}") in said


def test_few_trajectories_of_the_audit_still_name_the_physics() -> None:
    word = "symmetry of the physics; too few trajectories to test the file"
    said = osc.verdict(D4, errors(0.3, only(("r",), 5.0, 1.0)), None, audited(word)).attrs["sentence_next"]
    assert "Train longer or on more data, which may be enough for {r}." in said


def test_what_is_no_symmetry_is_neither_averaged_over_nor_cured() -> None:
    words = audited([HOLDS if n in V4 else "not a symmetry" for n in NAMES])
    found = osc.verdict(D4, errors(only(V4, 0.02, 0.45), only(V4, 1.0, 80.0)), None, words)
    assert "Leave {r, r3, s, sr2}: not a symmetry of these data." in found.attrs["sentence_next"]
    assert "over D4" not in found.attrs["sentence_next"] and cures().page not in found.attrs["sentence_next"]


def test_a_refused_file_comes_before_the_model() -> None:
    """The swapped file: the pattern is shown, and the advice is to convert the file."""
    measured = errors(only(V4, 0.01, 0.45), only(V4, 1.0, 80.0))
    found = osc.verdict(D4, measured, shared([0.3] * 8), audited(CONTRADICTS, verdict=CONTRADICTS, fits="components swapped"))
    assert found.attrs["sentence_data"].startswith("REFUSED: the file contradicts its declared convention; components swapped fits.")
    assert found.attrs["sentence_next"].startswith("Convert the file (components swapped) and train again.")
    assert "says nothing about the model" in found.attrs["sentence_next"] and cures().page not in found.attrs["sentence_next"]
    assert set(found["data"].values) == {CONTRADICTS} and found.attrs["learnt_subgroup"] == "e, r2, sr, sr3"


def test_a_file_that_breaks_its_laws_comes_first_too() -> None:
    """No reading mends it, so there is nothing to convert; and nothing to say of the model."""
    broken = audited("undetermined", verdict="file breaks its laws", fits="unknown")
    found = osc.verdict(D4, errors(0.3), None, broken)
    assert found.attrs["sentence_data"] == "REFUSED: the file breaks the laws of its equation. The laws fail as declared."
    assert found.attrs["sentence_next"].startswith("Find out first why the file breaks the laws of its equation")


def test_without_skill_nothing_is_learnt() -> None:
    """The share is what it is; it is a share of a large error."""
    found = osc.verdict(D4, errors(0.01, skill=0.9), shared([0.3] * 8))
    assert found["output"].values.tolist()[1:] == ["holds"] * 7 and found.attrs["holding_order"] == 8
    assert found.attrs["learnt_subgroup"] == found.attrs["shared_subgroup"] == "" and found.attrs["learnt_order"] == 0
    assert "too little skill for this to be learnt: its error is 0.9 of that of persistence" in found.attrs["sentence_output"]
    assert found.attrs["sentence_next"].startswith("Train the model") and found.attrs["skill"] == pytest.approx(0.9, rel=0.06)
    assert osc.verdict(D4, errors(0.01, skill=float("nan"))).attrs["learnt_subgroup"] == ""


def test_a_commutator_at_its_floor_is_exact_with_or_without_skill() -> None:
    """Built-in symmetry needs neither skill nor trajectories."""
    found = osc.verdict(D4, errors(only(("e", "r", "r2", "r3"), 0, 0.4), commutator=[1e-7] * 4 + [0.1] * 4, skill=2.0))
    assert found["output"].values.tolist() == ["exact up to rounding"] * 4 + ["broken"] * 4
    assert found.attrs["exact_subgroup"] == "e, r, r2, r3" and found.attrs["learnt_subgroup"] == ""
    just_above = osc.verdict(D4, errors(0.4, commutator=1.2e-5))
    assert set(just_above["output"].values[1:]) == {"broken"}
    whole = osc.verdict(D4, errors(0.0, commutator=1e-7))
    assert whole.attrs["sentence_output"] == "Commutes up to rounding on all 8 elements."
    assert whole.attrs["sentence_next"].startswith("Nothing to gain from this symmetry in the output, which has it.")


def test_a_floor_of_resampling_is_neither_proof_nor_charge() -> None:
    """Interpolated elements: 30 % under a floor of 5 % is not exact; a share that resampling alone would show is not broken."""
    group = osc.rotations(8)
    found = osc.verdict(group, errors([0, 0.4] * 4, group=group, commutator=0.3, floor=0.05))
    assert found["output"].values.tolist()[1::2] == ["broken"] * 4
    coarse = osc.verdict(group, errors([0, 0.4] * 4, group=group, commutator=0.3, floor=0.2))  # 100 floor^2 / 2 of an error of 2
    assert coarse["output"].values.tolist()[1::2] == ["undecided"] * 4


def test_output_and_learning_are_said_apart_and_together() -> None:
    excess = [0.5, 0.3, 0.05, -0.05, -0.3, np.nan, 0.11, -0.11]
    found = osc.verdict(D4, errors(0.01), shared(excess))
    words = ["shared", "no more than chance", "no more than chance", "opposed", "undetermined", "shared", "opposed"]
    assert found["learning"].values.tolist()[1:] == words
    assert "On {r2, r3, s, sr3} the output holds though what is left of the error is not shared" in found.attrs["sentence_learning"]
    against = osc.verdict(D4, errors([0.01] * 4 + [0.4] * 4), shared([0.3] * 8))
    assert "On {s, sr, sr2, sr3} learning is shared though the output is broken" in against.attrs["sentence_learning"]
    assert against.attrs["shared_order"] == 8 and against.attrs["learnt_order"] == 4


def test_elements_without_influence_are_undetermined() -> None:
    """Influence is measured for some elements of a large group."""
    found = osc.verdict(D4, errors(0.01), shared([0.3, 0.3], names=["e", "r2"]))
    assert found["learning"].sel(element="r2").item() == "shared" and found["learning"].sel(element="r").item() == "undetermined"


def test_without_influence_or_audit() -> None:
    found = osc.verdict(D4, errors(0.01))
    assert found.attrs["sentence_learning"] == "Not measured." and found.attrs["sentence_data"] == "Not audited."
    assert set(found["learning"].values) == set(found["data"].values) == {"undetermined"} and "shared_subgroup" not in found.attrs


def test_advice_depends_on_what_the_data_say() -> None:
    """The cures of the study for all that the physics has; leave what is no symmetry; more of the same for what the file shows only."""
    data = [HOLDS, HOLDS, PHYSICS_ONLY, HOLDS, "not a symmetry", HOLDS, HOLDS, HOLDS]
    measured = errors(0.3, only(("r", "r2", "s"), 5.0, 1.0), gain=-1.0)
    found = osc.verdict(D4, measured, None, audited(data))
    assert "Train longer or on more data, which may be enough for {r}." in found.attrs["sentence_next"]
    assert f"The file never shows {{r2}} though the physics has it{cures().of_the_kind()}." in found.attrs["sentence_next"]
    assert cures().sentence("{r, r2}") in found.attrs["sentence_next"]
    assert "Leave {s}: not a symmetry of these data." in found.attrs["sentence_next"]
    assert f"{{r2}}: {PHYSICS_ONLY}." in found.attrs["sentence_data"]


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_the_mark_of_a_stride(stride: int) -> None:
    """Shifts commute at multiples of the stride only; the advice names it."""
    group = osc.translations(16)
    multiples = [str(k) for k in range(0, 16, stride)]
    found = osc.verdict(group, errors(only(multiples, 0, 0.4, group), group=group, commutator=only(multiples, 1e-7, 0.2, group)))
    assert f"holds for multiples of {stride} cells only, the mark of a stride or patch of {stride}" in found.attrs["sentence_next"]
    assert found.attrs["learnt_order"] == 16 // stride and found.attrs["learnt_subgroup"].split(", ")[1] == str(stride)


def test_no_stride_where_there_is_none() -> None:
    """One shift more or less, and it is no stride."""
    group = osc.translations(16)
    for holding in ({0, 4, 8}, {0, 4, 8, 12, 13}, set(range(16)), {0}):
        found = osc.verdict(group, errors(only([str(k) for k in holding], 0.01, 0.4, group), group=group))
        assert "stride" not in found.attrs["sentence_next"]


def test_every_sentence_is_one() -> None:
    """Capital first, full stop last, no NaN, whatever the case."""
    rng = np.random.default_rng(0)
    words = [HOLDS, PHYSICS_ONLY, "not a symmetry", "undetermined", "not contradicted by the file; physics unchecked"]
    for _ in range(60):
        measured = errors(
            rng.choice([0.0, 0.01, 0.05, 0.4], 8), rng.choice([1.0, 1.25, 50.0], 8), skill=rng.choice([0.1, 0.8]),
            commutator=rng.choice([1e-7, 0.1], 8), trajectories=rng.choice([1, 3, 4, 16]),
            gain=rng.choice(np.array([None, -3.0, 0.0, 0.4])),
        )  # fmt: skip
        found = osc.verdict(D4, measured, shared(rng.choice([-0.3, 0.0, 0.3, np.nan], 8)), audited(list(rng.choice(words, 8))))
        for name in ("data", "output", "learning", "next"):
            sentence = found.attrs[f"sentence_{name}"]
            plain = sentence.replace("...", "")
            assert sentence and sentence.endswith(".") and "nan" not in sentence and "inf " not in sentence and ".." not in plain, sentence
            assert sentence[0].isupper() or sentence[0] == "{", sentence


def test_wrong_arguments() -> None:
    with pytest.raises(osc.OrbitscopeError, match="`tolerance` should be at least 1"):
        osc.verdict(D4, errors(0.1), tolerance=0.9)
    with pytest.raises(osc.OrbitscopeError, match="margin"):
        osc.verdict(D4, errors(0.1), margin=1.5)
    with pytest.raises(osc.OrbitscopeError, match="older version made it. Measure or probe again"):
        osc.verdict(D4, errors(0.1).drop_vars("breaking"))

"""Words for hand-made numbers: each case that a reader may meet, and the sentences that go with it."""

from collections.abc import Sequence

import numpy as np
import pytest
import xarray as xr

import orbitscope as osc
from orbitscope.probe._cures import cures

D4 = osc.dihedral(4)
NAMES = [g.name for g in D4]
V4 = ("e", "r2", "sr", "sr3")
HOLDS = "symmetry of the physics and of the file"
PHYSICS_ONLY = "symmetry of the physics, not of this file's distribution"
CONTRADICTS = "file contradicts its declared convention"


def errors(
    relative: Sequence[float],
    *,
    commutator: Sequence[float] | float = 0.1,
    skill: float = 0.05,
    floor: float = 1e-6,
    names: Sequence[str] = NAMES,
) -> xr.Dataset:
    """A result of `equivariance` with these medians over five transitions."""
    spread = np.array([0.5, 0.9, 1.0, 1.1, 3.0])
    size = np.broadcast_to(np.asarray(commutator, dtype=float), len(names))
    return xr.Dataset(
        {
            "relative_error": (("element", "transition"), np.outer(relative, spread)),
            "commutator": (("element", "transition"), np.outer(size, spread)),
            "skill": ("transition", skill * spread),
            "floor": ("element", np.full(len(names), floor)),
        },
        coords={"element": list(names)},
    )


def shared(excess: Sequence[float], *, width: float = 0.1, names: Sequence[str] = NAMES) -> xr.Dataset:
    """A result of `influence` with these excesses, from many trajectories."""
    values = np.asarray(excess, dtype=float)
    p = np.where(np.array(names) == "e", np.nan, np.where(np.abs(values) > width, 0.001, 0.5))
    p[np.isnan(values)] = np.nan
    parts = {
        "excess": values, "excess_low": values - width, "excess_high": values + width, "p_holm": p, "p_least": np.full(len(values), 1e-4),
    }  # fmt: skip
    return xr.Dataset({k: ("element", v) for k, v in parts.items()}, coords={"element": list(names)})


def audited(words: Sequence[str] | str, *, verdict: str = "consistent", fits: str = "declared", names: Sequence[str] = NAMES) -> xr.Dataset:
    """A result of `audit`."""
    listed = [words] * len(names) if isinstance(words, str) else list(words)
    attrs = {"verdict": verdict, "convention_fits": fits, "explanation": "The laws fail as declared."}
    return xr.Dataset({"verdict": ("element", listed)}, coords={"element": list(names)}, attrs=attrs)


def test_all_holds() -> None:
    """Error near 1, excess above 0, right file: nothing to mend."""
    found = osc.verdict(D4, errors([1.0] * 8), shared([0.3] * 8), audited(HOLDS))
    assert (
        set(found["output"].values) == {"holds"}
        and set(found["learning"].values[1:]) == {"shared"}
        and set(found["data"].values) == {HOLDS}
    )
    assert found.attrs["learnt_order"] == 8 and found.attrs["learnt_subgroup"].split(", ") == NAMES
    assert found.attrs["sentence_output"] == "Holds on all 8 elements (relative error 1)."
    assert found.attrs["sentence_data"] == f"All 8 elements: {HOLDS}."
    assert found.attrs["sentence_learning"].startswith("A step on x lowers the loss of gx more than that of unrelated states on {r, r2,")
    assert found.attrs["sentence_next"].startswith("Nothing to mend") and cures().page not in found.attrs["sentence_next"]


@pytest.mark.parametrize(
    ("error", "tolerance", "word"),
    [
        (1.0, 1.25, "holds"), (1.25, 1.25, "holds"), (1.26, 1.25, "approximate"), (2.5, 1.25, "approximate"), (2.51, 1.25, "broken"),
        (70.0, 1.25, "broken"), (0.5, 1.25, "holds"), (1.9, 2.0, "holds"), (3.9, 2.0, "approximate"), (4.1, 2.0, "broken"),
    ],
)  # fmt: skip
def test_the_output_word_follows_the_median_error(error: float, tolerance: float, word: str) -> None:
    """The median over transitions, not the mean; the tolerance of the caller."""
    found = osc.verdict(D4, errors([1.0, error, *[1.0] * 6]), tolerance=tolerance)
    assert found["output"].sel(element="r").item() == word and found["output"].sel(element="e").item() == "holds"
    assert found.attrs["output_tolerance"] == tolerance


def test_a_broken_part_leaves_the_subgroup() -> None:
    """Four of eight hold: the largest subgroup among them, and advice for the others."""
    relative = [1.0 if n in V4 else 80.0 for n in NAMES]
    found = osc.verdict(D4, errors(relative), None, audited(HOLDS))
    assert found.attrs["learnt_subgroup"] == "e, r2, sr, sr3" and found.attrs["learnt_order"] == 4
    assert found.attrs["sentence_output"] == "Holds on {e, r2, sr, sr3} (relative error 1); broken on {r, r3, s, sr2} (relative error 80)."
    assert "Train longer or on more data, which may be enough for {r, r3, s, sr2}." in found.attrs["sentence_next"]
    assert cures().sentence("{r, r3, s, sr2}") in found.attrs["sentence_next"]


@pytest.mark.parametrize("audit", [None, audited("not contradicted by the file; physics unchecked"), audited("undetermined")])
def test_cures_wait_for_the_physics(audit: xr.Dataset | None) -> None:
    """Where nobody knows whether the physics has an element, that comes first."""
    relative = [1.0 if n in V4 else 80.0 for n in NAMES]
    said = osc.verdict(D4, errors(relative), None, audit).attrs["sentence_next"]
    assert said.startswith("Whether the physics has {r, r3, s, sr2} is not known: audit the file with its equation first.")
    assert cures().sentence("{r, r3, s, sr2}") in said


def test_few_trajectories_still_name_the_physics() -> None:
    """The audit knows the physics though it cannot test the file."""
    word = "symmetry of the physics; too few trajectories to test the file"
    said = osc.verdict(D4, errors([1.0, 5.0, *[1.0] * 6]), None, audited(word)).attrs["sentence_next"]
    assert said.startswith("Train longer or on more data, which may be enough for {r}.")


def test_what_is_no_symmetry_gets_no_cure() -> None:
    """Broken elements that the data do not have are left alone."""
    relative = [1.0 if n in V4 else 80.0 for n in NAMES]
    found = osc.verdict(D4, errors(relative), None, audited([HOLDS if n in V4 else "not a symmetry" for n in NAMES]))
    assert found.attrs["sentence_next"] == "Leave {r, r3, s, sr2}: not a symmetry of these data."


def test_elements_that_hold_without_their_group_do_not_count() -> None:
    """r and r3 hold, r2 does not: only the identity is left."""
    relative = [1.0 if n in ("e", "r", "r3") else 9.0 for n in NAMES]
    assert osc.verdict(D4, errors(relative)).attrs["learnt_subgroup"] == "e"


def test_a_refused_file_comes_before_the_model() -> None:
    """The swapped file: the pattern is shown, and the advice is to convert the file."""
    relative = [1.0 if n in V4 else 80.0 for n in NAMES]
    found = osc.verdict(D4, errors(relative), shared([0.1] * 8), audited(CONTRADICTS, verdict=CONTRADICTS, fits="components swapped"))
    assert found.attrs["sentence_data"].startswith("REFUSED: the file contradicts its declared convention; components swapped fits.")
    assert found.attrs["sentence_next"].startswith("Convert the file (components swapped) and train again.")
    assert "says nothing about the model" in found.attrs["sentence_next"] and cures().page not in found.attrs["sentence_next"]
    assert set(found["data"].values) == {CONTRADICTS} and found.attrs["learnt_subgroup"] == "e, r2, sr, sr3"


def test_without_skill_nothing_is_known_but_what_is_broken() -> None:
    """A relative error near 1 of a model as bad as persistence means that it is wrong alike everywhere."""
    relative = [1.0 if n in V4 else 80.0 for n in NAMES]
    found = osc.verdict(D4, errors(relative, skill=0.9), shared([0.1] * 8))
    assert [w for n, w in zip(NAMES, found["output"].values, strict=True) if n in V4] == ["undetermined"] * 4
    assert found["output"].sel(element="r").item() == "broken" and found.attrs["learnt_order"] == 1
    assert "too little skill to tell: its error is 0.9 of that of persistence" in found.attrs["sentence_output"]
    assert found.attrs["sentence_next"].startswith("Train the model")
    assert found.attrs["skill"] == pytest.approx(0.9)
    assert set(osc.verdict(D4, errors([1.0] * 8, skill=float("nan")))["output"].values) == {"undetermined"}


def test_a_commutator_at_its_floor_is_exact_with_or_without_skill() -> None:
    """Built-in symmetry needs no skill, and no relative error."""
    exact = [1e-7] * 4 + [0.1] * 4
    found = osc.verdict(D4, errors([5.0] * 8, commutator=exact, skill=2.0))
    assert found["output"].values.tolist() == ["holds"] * 4 + ["broken"] * 4 and found.attrs["learnt_subgroup"] == "e, r, r2, r3"
    just_above = osc.verdict(D4, errors([5.0] * 8, commutator=1.1e-5))
    assert set(just_above["output"].values) == {"broken"}


def test_a_floor_of_resampling_is_no_proof() -> None:
    """Interpolated elements: a commutator of 30 % under a floor of 5 % is not exact; their relative error decides."""
    group = osc.rotations(8)
    names = [g.name for g in group]
    found = osc.verdict(group, errors([1.0, 9.0] * 4, commutator=0.3, floor=0.05, names=names))
    assert found["output"].values.tolist() == ["holds", "broken"] * 4


def test_learning_that_is_shared_though_the_output_is_broken() -> None:
    """Both ways of disagreeing are said."""
    relative = [1.0] * 4 + [9.0] * 4
    found = osc.verdict(D4, errors(relative), shared([0.3] * 8))
    assert "On {s, sr, sr2, sr3} learning is shared though the output is broken" in found.attrs["sentence_learning"]


def test_elements_without_influence_are_undetermined() -> None:
    """Influence is measured for some elements of a large group."""
    found = osc.verdict(D4, errors([1.0] * 8), shared([0.3, 0.3], names=["e", "r2"]))
    assert found["learning"].sel(element="r2").item() == "shared" and found["learning"].sel(element="r").item() == "undetermined"


def test_without_influence_or_audit() -> None:
    """The equivariance error alone is enough for a word on the output."""
    found = osc.verdict(D4, errors([1.0] * 8))
    assert found.attrs["sentence_learning"] == "Not measured." and found.attrs["sentence_data"] == "Not audited."
    assert set(found["learning"].values) == set(found["data"].values) == {"undetermined"}


def test_advice_depends_on_what_the_data_say() -> None:
    """The cures of the study for all that the physics has; leave what is no symmetry; more of the same for what the file shows only."""
    data = [HOLDS, HOLDS, PHYSICS_ONLY, HOLDS, "not a symmetry", HOLDS, HOLDS, HOLDS]
    found = osc.verdict(D4, errors([1.0, 5.0, 5.0, 1.0, 5.0, 1.0, 1.0, 1.0]), None, audited(data))
    assert "Train longer or on more data, which may be enough for {r}." in found.attrs["sentence_next"]
    assert f"The file never shows {{r2}} though the physics has it{cures().of_the_kind()}." in found.attrs["sentence_next"]
    assert cures().sentence("{r, r2}") in found.attrs["sentence_next"]
    assert "Leave {s}: not a symmetry of these data." in found.attrs["sentence_next"]
    assert f"{{r2}}: {PHYSICS_ONLY}." in found.attrs["sentence_data"]


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_the_mark_of_a_stride(stride: int) -> None:
    """Shifts hold at multiples of the stride only, exactly, skill or not; the advice names it."""
    group = osc.translations(16)
    names = [g.name for g in group]
    commutator = [1e-7 if k % stride == 0 else 0.2 for k in range(16)]
    found = osc.verdict(group, errors([1.0 if k % stride == 0 else 6.0 for k in range(16)], commutator=commutator, names=names))
    assert f"multiples of {stride} cells only, the mark of a stride or patch of {stride}" in found.attrs["sentence_next"]
    assert found.attrs["learnt_order"] == 16 // stride and found.attrs["learnt_subgroup"].split(", ")[1] == str(stride)


def test_no_stride_where_there_is_none() -> None:
    """One shift more or less, and it is no stride."""
    group = osc.translations(16)
    names = [g.name for g in group]
    for holding in ({0, 4, 8}, {0, 4, 8, 12, 13}, set(range(16)), {0}):
        found = osc.verdict(group, errors([1.0 if k in holding else 6.0 for k in range(16)], names=names))
        assert "stride" not in found.attrs["sentence_next"]


def test_some_elements_only() -> None:
    """A subset is judged as what it is."""
    found = osc.verdict(D4, errors([1.0, 1.0, 7.0], names=["e", "r2", "s"]))
    assert found.attrs["learnt_subgroup"] == "e, r2" and found.sizes["element"] == 3


def test_every_sentence_is_one() -> None:
    """Capital first, full stop last, no NaN, whatever the case."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        relative = rng.choice([1.0, 2.0, 50.0], 8)
        excess = rng.choice([-0.3, 0.0, 0.3, np.nan], 8)
        data = rng.choice([HOLDS, PHYSICS_ONLY, "not a symmetry", "undetermined", "not contradicted by the file; physics unchecked"], 8)
        found = osc.verdict(D4, errors(relative, skill=rng.choice([0.1, 0.8])), shared(excess), audited(list(data)))
        for name in ("data", "output", "learning", "next"):
            sentence = found.attrs[f"sentence_{name}"]
            assert sentence and sentence.endswith(".") and "nan" not in sentence and ".." not in sentence.replace("...", ""), (
                name,
                sentence,
            )
            assert sentence[0].isupper() or sentence[0] == "{", sentence

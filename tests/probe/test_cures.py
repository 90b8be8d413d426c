"""What is quoted of the study of cures: which cure is the best by the stated rule, and the sentence about it."""

from typing import Any

import pytest

from orbitscope.probe.verdicts._cures import Cures, cures


def cure(name: str, lower: tuple[float, float, float], original: float = 1.0, **changes: Any) -> dict[str, Any]:
    """One entry of the file."""
    known = {
        "name": name, "title": f"title of {name}", "how": f"do {name}", "training": True, "strict": False,
        "runs": 6, "moved_lower": list(lower), "original_ratio": [original, original, original], "training_ratio": [1.5, 1.0, 2.0],
        "forward_ratio": [8.0, 8.0, 8.0], "by_network": {"unet": list(lower), "vit": list(lower)},
    }  # fmt: skip
    return {**known, **changes}


def study(*found: dict[str, Any], fails: bool = True) -> Cures:
    """A result with these cures."""
    return Cures.from_dict(
        {
            "page": "docs/studies/cure.md", "data": "a flow, 32 x 32", "group": "D4", "networks": {"unet": "UNet", "vit": "ViT"},
            "seeds": [0, 1, 2], "more": 4.0, "fails": fails, "cures": list(found),
        }
    )  # fmt: skip


def test_the_best_lowers_most_in_every_run_and_spares_the_original() -> None:
    """Not the one that fails in a run, not the one that spoils the original, not the one that only one network has."""
    made = study(
        cure("steady", (5.0, 3.0, 9.0)), cure("better", (6.0, 1.3, 9.0), original=1.25), cure("unsafe", (50.0, 1.25, 90.0)),
        cure("costly", (40.0, 30.0, 50.0), original=1.26), cure("alone", (30.0, 20.0, 40.0), by_network={"unet": [30.0, 20.0, 40.0]}),
    )  # fmt: skip
    best, special = made.best(training=True), made.special("unet")
    assert best is not None and best.name == "better" and special is not None and special.name == "alone"
    assert made.best(training=False) is None and made.special("vit") is None


def test_one_network_alone_is_named_only_if_it_gains_there() -> None:
    """Compared on its own network: the median over both says nothing about one of them."""
    both = cure("both", (5.0, 3.0, 9.0), by_network={"unet": [9.0, 8.0, 9.0], "vit": [3.0, 3.0, 4.0]})
    alone = [cure(f"only {n}", (6.0, 5.0, 7.0), by_network={n: [6.0, 5.0, 7.0]}) for n in ("unet", "vit")]
    made = study(both, *alone)
    found = made.special("vit")
    assert made.special("unet") is None and found is not None and found.name == "only vit"
    assert "; or, for a ViT, do only vit and train anew" in made.sentence("{r}") and "for a UNet" not in made.sentence("{r}")


def test_after_the_training_the_original_may_suffer_and_the_sentence_says_so() -> None:
    """No limit, but the number stands there."""
    made = study(cure("average", (4.0, 2.0, 8.0), original=2.9, training=False))
    found = made.best(training=False)
    assert found is not None and found.name == "average"
    said = made.sentence("{r}")
    assert "with the model as it is, do average (error there 4 times lower (2 to 8 over 6 runs), on the original times 2.9" in said
    assert "times 2.9; no training, 8 times the arithmetic of a step)" in said


def test_the_sentence_quotes_effect_price_and_place() -> None:
    """With and without training, in this order."""
    made = study(cure("train", (5.0, 3.0, 9.04)), cure("average", (4.0, 2.0, 8.0), training=False))
    said = made.sentence("{r, s}")
    assert said.startswith("For {r, s}, by the study of cures: do train and train anew (error there 5 times lower (3 to 9 over 6 runs)")
    assert "1.5 times the training time, 8 times the arithmetic of a step" in said
    assert said.index("do train") < said.index("with the model as it is, do average")
    assert said.endswith("Measured on a flow, 32 x 32, D4, UNet and ViT, 3 seeds: docs/studies/cure.md.")


@pytest.mark.parametrize("made", [study(), study(cure("weak", (3.0, 1.0, 5.0))), study(cure("good", (9.0, 8.0, 9.0)), fails=False)])
def test_nothing_that_helps_is_said_to_help(made: Cures) -> None:
    """No cure, none in every run, or a study in which nothing failed."""
    assert "found nothing that helped in every run" in made.sentence("{r}")


def test_more_data_of_the_same_kind() -> None:
    """Both ways, or nothing where it was not tried."""
    assert study().of_the_kind() == ""
    for lower, words in (
        ((1.1, 0.8, 1.4), "did not reliably help: error there 1.1 times lower"),
        ((3.0, 2.0, 4.0), "the same kind helped in every run: error there 3 times"),
    ):
        assert words in study(cure("more", lower)).of_the_kind()


def test_the_file_that_is_shipped() -> None:
    """It can be read, knows its origin, has cures and says something."""
    known = cures()
    assert known.page == "docs/studies/cure.md" and known.cures
    for one in known.cures:
        assert one.moved_lower[1] <= one.moved_lower[0] <= one.moved_lower[2] and one.runs >= 1
    assert known.page in known.sentence("{r}")

"""LieGAN as a baseline: it finds a turn where the inputs are spread evenly along the orbits, and says nothing of the map where not."""

import numpy as np
import pytest
from known import CASES, rotations  # pyright: ignore[reportMissingImports]  # a module of the study

from orbitscope import Examples, OrbitscopeError
from orbitscope.discover import Adversarial, Problem, hypothesis, principal_cosines

CIRCLE = next(c for c in CASES if c.name == "circle")


def problem(stretch: float = 1.0, seed: int = 0) -> Problem:
    x = CIRCLE.inputs(1000, 7)
    x[:, 0] *= stretch
    made = Examples(x, CIRCLE.function(x))
    return Problem(hypothesis("gl2", made), made, (CIRCLE.module(),), None, seed)


def test_a_turn_is_found_and_the_same_seed_gives_the_same_basis():
    told = []
    method = Adversarial(steps=400, hidden=32, batch=128)
    found = method.search(problem(), lambda done, total, words: told.append((done, total, words)))
    assert principal_cosines(found.basis, rotations(2)).min() > 0.98
    assert told[-1][:2] == (400, 400) and np.allclose(np.linalg.norm(found.basis, axis=(1, 2)), 1)
    short = Adversarial(steps=5, hidden=8)
    assert np.array_equal(short.search(problem()).basis, short.search(problem()).basis)
    assert not np.array_equal(short.search(problem()).basis, short.search(problem(seed=1)).basis)


def test_it_sees_the_distribution_and_not_the_map():
    """The map has the symmetry whatever the inputs are; the adversary tells moved inputs from others where they lie unevenly."""
    found = Adversarial(steps=400, hidden=32, batch=128).search(problem(stretch=4.0))
    assert principal_cosines(found.basis, rotations(2)).min() < 0.95


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"generators": 0}, "generators"), ({"steps": 0}, "steps"), ({"learning_rate": float("nan")}, "learning_rate"),
        ({"identity": -1.0}, "identity"), ({"generators": 5}, "more than the 4"),
    ],
)  # fmt: skip
def test_settings_out_of_range(settings, words):
    with pytest.raises(OrbitscopeError, match=words):
        Adversarial(**settings).search(problem())

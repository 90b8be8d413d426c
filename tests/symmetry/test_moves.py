"""Moves without a group: listed, composed as words, never inverted."""

import pytest

from orbitscope import OrbitscopeError
from orbitscope.symmetry import Moves, Word

CUTS = Moves("cuts", ["split_30", "flip", Word(("flip", "split_30"), name="split, then flip")])


def test_probes_are_the_identity_and_the_moves():
    names = [m.name for m in CUTS.probes()]
    assert names == ["e", "split_30", "flip", "split, then flip"] and CUTS.probes()[0].is_identity
    assert len(CUTS.probes(2, seed=1)) == 2 and CUTS.probes(2, seed=1) == CUTS.probes(2, seed=1)
    assert not CUTS.finite and Moves("cuts", CUTS.probes()[1:]) == CUTS and Moves("cuts", ["flip"]) != CUTS


def test_products_are_words_and_inverses_are_no_moves():
    a, b = CUTS.probes()[1:3]
    assert (b @ a).letters == ("flip", "split_30") and b @ a in CUTS and b @ a == CUTS.probes()[3]
    assert a.inverse() not in CUTS and (a @ a.inverse()).is_identity and "flip" not in CUTS
    with pytest.raises(OrbitscopeError, match="not a finite list"):
        len(CUTS)


@pytest.mark.parametrize("moves", [[], ["a", "a"], [Word(())], [Word(("a^-1",))]])
def test_what_is_no_move_is_refused(moves):
    with pytest.raises(OrbitscopeError, match="Moves 'x'"):
        Moves("x", moves)

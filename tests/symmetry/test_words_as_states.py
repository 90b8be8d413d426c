"""Words as states of letters: they move as their group multiplies."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import orbitscope as osc
from orbitscope.symmetry import GridAction, Velocity, Words, braid, presented_symmetric

B3 = braid(3)
LETTERS = st.lists(st.sampled_from(["s1", "s2", "s1^-1", "s2^-1"]), max_size=4).map(" ".join)


@given(LETTERS, LETTERS, LETTERS)
def test_a_word_is_moved_by_the_product(first: str, second: str, third: str) -> None:
    act = Words(B3, 12)
    a, b, state = B3.word(first), B3.word(second), act.encode([third])
    assert act.decode(act(a, state)) == [a @ B3.word(third)]
    assert float(act.squares(act(a @ b, state), act(a, act(b, state)))) == 0
    assert torch.equal(act(B3.identity, state), state)


def test_two_spellings_of_one_element_are_one_state() -> None:
    act = Words(B3, 3)
    one, other = act.encode(["s1 s2 s1"]), act.encode(["s2 s1 s2"])
    assert float(act.squares(one, other)) == 0 and float(act.squares(one, act.encode(["s1"]))) == 1
    assert act.error(B3.word("s1"), act.encode(["s2"])) == 0


def test_what_words_refuse() -> None:
    act = Words(B3, 2)
    with pytest.raises(osc.OrbitscopeError, match="leaves room for 2"):
        act(B3.word("s1"), act.encode(["s2 s2"]))
    with pytest.raises(osc.OrbitscopeError, match="0 .. 4"):
        act.decode(torch.tensor([[7, 0]]))
    with pytest.raises(osc.OrbitscopeError, match="should be a word in"):
        act.require(presented_symmetric(4).word("s3"))
    with pytest.raises(osc.OrbitscopeError, match="at least 1"):
        Words(B3, 0)


@pytest.mark.wrong_types
def test_a_grid_says_what_it_is_moved_by() -> None:
    act = GridAction(osc.Layout.of("velocity:vector"), osc.Grid.square(4))
    with pytest.raises(osc.OrbitscopeError, match="isometries of its box"):
        act.require(Velocity((1.0, 0.0)))  # pyright: ignore[reportArgumentType]

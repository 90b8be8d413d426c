"""Names of groups: every printed name parses back, words mean what they say, other words are refused."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError, cyclic, dihedral, parse_group
from orbitscope.symmetry import (
    FiniteGroup,
    Group,
    LieGroup,
    WordGroup,
    affine,
    boosts,
    braid,
    euclidean,
    free,
    general_linear,
    lorentz,
    octahedral,
    orthogonal,
    presented_cyclic,
    presented_symmetric,
    product,
    rotations,
    rotations_reflections,
    sampled,
    scalings,
    special_euclidean,
    special_linear,
    special_orthogonal,
    symmetric,
    times,
    translations,
)

small, scale = st.integers(2, 5), st.floats(0.01, 50)
finite = st.one_of(
    st.builds(cyclic, small), st.builds(dihedral, small), st.builds(rotations, small), st.builds(rotations_reflections, small),
    st.builds(symmetric, st.integers(1, 4)), st.builds(translations, small, st.integers(0, 1)),
    st.just(product(dihedral(2), translations(3))), st.just(octahedral()),
)  # fmt: skip
infinite = st.one_of(
    st.builds(special_orthogonal, small), st.builds(orthogonal, small), st.builds(special_euclidean, small, scale=scale),
    st.builds(euclidean, small, scale=scale), st.builds(general_linear, small, scale=scale), st.builds(special_linear, small, scale=scale),
    st.builds(affine, small, scale=scale), st.builds(special_euclidean, small),
    st.builds(lorentz, st.integers(1, 2), st.integers(1, 3), kind=st.sampled_from(["O", "SO", "SO+"]), scale=scale), st.builds(lorentz),
    st.builds(boosts, small, st.lists(scale, min_size=1, max_size=3)), st.builds(scalings), st.builds(boosts),
    st.builds(scalings, st.floats(1.1, 9), st.floats(1, 9), st.integers(1, 4)),
    st.builds(braid, small), st.builds(free, small), st.builds(presented_symmetric, small), st.builds(presented_cyclic, small),
    st.just(WordGroup(["a", "B_2"], ["a^2", "a B_2^-1 = B_2 a"])),
)  # fmt: skip
single = finite | infinite | st.builds(sampled, infinite, st.integers(1, 30))


def listed(groups: Sequence[Group[Any]]) -> bool:
    """Whether their product is infinite, or has no more elements than `times` lists: Oh x S4 x S4 has too many."""
    return not all(g.finite for g in groups) or math.prod(len(g) for g in groups if isinstance(g, FiniteGroup)) <= 2**14


products = st.lists(single, min_size=2, max_size=3).filter(listed).map(lambda groups: times(*groups))
every = single | products | st.builds(sampled, products.filter(lambda g: not g.finite), st.integers(1, 30))


@settings(max_examples=100, deadline=None)
@given(every)
def test_the_printed_name_parses_back(group: Group[Any]) -> None:
    again = parse_group(group.name)
    assert again == group and hash(again) == hash(group) and type(again) is type(group) and repr(again) == repr(group)


@pytest.mark.parametrize(
    ("words", "group"),
    [
        ("so3", special_orthogonal(3)), ("SO( 3 )", special_orthogonal(3)), ("so(2,r)", special_orthogonal(2)), ("so2", rotations(16)),
        ("o3", orthogonal(3)), ("o(3)", orthogonal(3)), ("o2", rotations_reflections(16)), ("O(2)", rotations_reflections(16)),
        ("se2", special_euclidean(2)), ("se3@2", special_euclidean(3, scale=2)), ("e3", euclidean(3)), ("gl2", general_linear(2)),
        ("sl2", special_linear(2)), ("Aff(3)", affine(3)),
        ("lorentz", lorentz()), ("so(1,3)", lorentz(kind="SO")), ("so+(1,3)", lorentz(kind="SO+")), ("lorentz@0.5", lorentz(scale=0.5)),
        ("s5", symmetric(5)), ("b3", braid(3)), ("f2", free(2)), ("<S4>", presented_symmetric(4)), ("< C5 >", presented_cyclic(5)),
        ("SO(3)/24", sampled(special_orthogonal(3), 24)), ("b3/9", sampled(braid(3), 9)), ("boosts2", boosts(2)),
        ("se3 x se3", times(special_euclidean(3), special_euclidean(3))),
        ("(se3 x c4)/8", sampled(times(special_euclidean(3), cyclic(4)), 8)),
        ("(se3 x se2) x d4", times(special_euclidean(3), special_euclidean(2), dihedral(4))), ("s3 x c2", times(symmetric(3), cyclic(2))),
        ("< a,b | a^2, a b=b a >/5", sampled(WordGroup(["a", "b"], ["a^2", "a b = b a"]), 5)),
    ],
)  # fmt: skip
def test_words(words: str, group: Group[Any]) -> None:
    assert parse_group(words) == group


@pytest.mark.parametrize(
    "words",
    ["so", "so1", "so3@2", "so3/", "so3/x", "se3@x", "se3@1,2", "se3 x", "x se3", " x ", "(se3", "(se3)x", "<a | b>", "<a", "<>", "s9",
     "s5@2", "scalings@2", "so(3,1,1)", "q3", "so3*tx4", "se3*se3", "s5/3", "boosts", "lorentz2", "gl0"],
)  # fmt: skip
def test_words_that_mean_nothing(words: str) -> None:
    with pytest.raises(OrbitscopeError):
        parse_group(words)


def test_the_refusal_says_what_can_be_said() -> None:
    with pytest.raises(OrbitscopeError, match=r"cannot read 'so33x'\. Say c4, d4, .*so3, o3, se3, .*se3 x se3\."):
        parse_group("so33x")


def test_samples_and_products_offer_what_lists_offer() -> None:
    sample = parse_group("so3/6")
    assert len(sample) == 6 and sample["g2"] in sample and sample.index(sample["g2"]) == 2 and not sample.finite and sample.sampled
    assert special_orthogonal(3).probes(1, 5)[0] in sample and sample.subset(["e", "g1"]) == sample.elements[:2] and sample.ndim == 3
    with pytest.raises(OrbitscopeError, match="not an element"):
        sample.table  # noqa: B018
    pairs = times(dihedral(4), symmetric(2))
    assert isinstance(pairs, FiniteGroup) and len(pairs) == 16 and pairs["(r, (0 1))"].parts == (dihedral(4)["r"], symmetric(2)["(0 1)"])
    assert len(pairs.largest_subgroup([g for g in pairs if g.parts[0].is_identity])) == 2
    mixed = times(dihedral(4), special_orthogonal(3))
    assert all(a.parts[0] in dihedral(4) and a.parts[1] in special_orthogonal(3) for a in mixed.probes(20))
    assert pairs.elements[3] not in mixed and isinstance(parse_group("so3"), LieGroup)

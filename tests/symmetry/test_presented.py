"""Groups of words: free reduction, relations, braids against two faithful actions, errors of representations."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.symmetry import Linear, Permutation, Word, WordGroup, braid, free, presented_cyclic, presented_symmetric, symmetric


def words(generators: int, most: int = 6) -> st.SearchStrategy[list[int]]:
    """Letters as whole numbers, negative ones inverted."""
    return st.lists(st.integers(1, generators).flatmap(lambda k: st.sampled_from([k, -k])), max_size=most)


def spelt(group: WordGroup, letters: list[int]) -> Word:
    return group.word(" ".join(f"{group.generators[abs(k) - 1]}^{1 if k > 0 else -1}" for k in letters))


def artin(strands: int, letters: list[int]) -> tuple[tuple[int, ...], ...]:
    """Artin's faithful action of a braid on the free group: the reduced images of its generators."""

    def reduced(word: list[int]) -> tuple[int, ...]:
        kept: list[int] = []
        for x in word:
            if kept and kept[-1] == -x:
                kept.pop()
            else:
                kept.append(x)
        return tuple(kept)

    images = [(i + 1,) for i in range(strands)]
    for k in reversed(letters):
        i = abs(k) - 1
        step = {j + 1: [j + 1] for j in range(strands)}
        step |= {i + 1: [i + 1, i + 2, -i - 1], i + 2: [i + 1]} if k > 0 else {i + 1: [i + 2], i + 2: [-i - 2, i + 1, i + 2]}
        images = [reduced([y for x in w for y in (step[x] if x > 0 else [-z for z in reversed(step[-x])])]) for w in images]
    return tuple(images)


def burau(strands: int, t: float) -> dict[str, np.ndarray]:
    """The unreduced Burau matrices."""
    out = {}
    for i in range(strands - 1):
        m = np.eye(strands)
        m[i : i + 2, i : i + 2] = [[1 - t, t], [1, 0]]
        out[f"s{i + 1}"] = m
    return out


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5).flatmap(lambda n: st.tuples(st.just(n), words(n - 1), words(n - 1))))
def test_braids_are_equal_exactly_where_they_act_alike(case: tuple[int, list[int], list[int]]) -> None:
    n, first, second = case
    group = braid(n)
    a, b = spelt(group, first), spelt(group, second)
    assert (a == b) == (artin(n, first) == artin(n, second)) and (a != b or hash(a) == hash(b))
    assert a.is_identity == (artin(n, first) == artin(n, []))
    for i in range(len(first) + 1):  # the relation between s1 and s2, put in anywhere, changes nothing
        if n > 2:
            assert spelt(group, [*first[:i], 1, 2, 1, -2, -1, -2, *first[i:]]) == a
    assert (a @ b @ a.inverse()) == (a @ b) @ a.inverse() and (a @ a.inverse()).is_identity


@pytest.mark.parametrize("strands", [3, 4])
@settings(max_examples=30, deadline=None)
@given(t=st.floats(0.2, 3))
def test_relations_hold_under_burau_matrices(strands: int, t: float) -> None:
    errors = braid(strands).check_relations(burau(strands, t))
    assert len(errors) == {3: 1, 4: 3}[strands] and max(errors.values()) < 1e-12
    broken = burau(strands, t) | {"s1": burau(strands, t)["s1"] + 0.01 * np.diag([1.0, *[0] * (strands - 1)])}
    assert max(braid(strands).check_relations(broken).values()) > 1e-4


def test_a_learnt_inverse_is_checked_too() -> None:
    matrices = burau(3, 0.5)
    matrices["s1^-1"] = np.linalg.inv(matrices["s1"])
    errors = braid(3).check_relations(matrices)
    assert list(errors) == ["s1 s2 s1 = s2 s1 s2", "s1 s1^-1"] and max(errors.values()) < 1e-12
    matrices["s1^-1"][0, 0] += 0.1
    assert braid(3).check_relations(matrices)["s1 s1^-1"] > 0.01
    for given_matrices, match in (
        ({"s1": np.eye(3)}, "no matrix for s2"),
        ({"s1": np.eye(3), "s2": np.eye(2)}, r"'s2' should be \[3, 3\]"),
    ):
        with pytest.raises(OrbitscopeError, match=match):
            braid(3).check_relations(given_matrices)


@settings(max_examples=30, deadline=None)
@given(words(3, 12), words(3, 12))
def test_words_of_the_symmetric_group_are_its_permutations(first: list[int], second: list[int]) -> None:
    group = presented_symmetric(4)
    swaps = {f"s{i + 1}": symmetric(4)[f"({i} {i + 1})"] for i in range(3)}
    a, b = (spelt(group, w).image(swaps, Permutation((0, 1, 2, 3))) for w in (first, second))
    assert (a == b) == (spelt(group, first) == spelt(group, second)) and (a @ b) == spelt(group, first + second).image(
        swaps, symmetric(4).identity
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 9), st.integers(-30, 30))
def test_words_of_the_cyclic_group_count_modulo_its_order(order: int, power: int) -> None:
    group = presented_cyclic(order)
    assert (group.word(f"r^{power}") == group.word(f"r^{power % order}")) and group.word(f"r^{power}").is_identity == (power % order == 0)
    assert len(group.probes(order + 5)) == order  # there are no more, and none is missed


@settings(max_examples=30, deadline=None)
@given(words(2, 10), words(2, 10))
def test_free_words_reduce_and_print_what_parses_back(first: list[int], second: list[int]) -> None:
    group = free(2)
    a, b = spelt(group, first), spelt(group, second)
    assert Word.parse(repr(a)) == a and group.word(repr(a @ b)) == a @ b and len(a @ a.inverse()) == 0
    assert all({x, y} != {"x1", "x1^-1"} for x, y in zip(a.letters, a.letters[1:], strict=False))
    assume(a != b)
    assert (a @ b.inverse()).is_identity is False


def test_probes_of_words_grow() -> None:
    lengths = [len(w) for w in braid(3).probes(24, 0)]
    assert lengths[0] == 0 and lengths == sorted(lengths) and lengths[-1] == 8 and len({*lengths}) == 9
    assert max(len(w) for w in WordGroup(["a", "b"], length=3).probes(9)) == 3


def test_a_presented_group_of_ones_own() -> None:
    relations = ["a^2", "b^3", "a b a b a b a b a b = e"]
    loose = WordGroup(["a", "b"], relations)  # the icosahedral group, without a model of it
    assert loose.name == "<a, b | a^2, b^3, a b a b a b a b a b>" and not loose.solved and free(3).solved
    assert loose.word("a^2") != loose.identity  # free reduction alone does not know
    a, b = Permutation((1, 0, 3, 2, 4)), Permutation((0, 3, 2, 4, 1))
    b = next(p for p in symmetric(5) if (p @ p @ p).is_identity and not p.is_identity and _order(a @ p) == 5)
    faithful = WordGroup(["a", "b"], relations, images={"a": a, "b": b})
    assert faithful.solved and faithful.word("a^2").is_identity and faithful.word("a b") != faithful.word("b a")
    assert faithful != loose and len(faithful.probes(99)) == 60  # all elements are found
    with pytest.raises(OrbitscopeError, match=r"`images` break the relation a\^2"):
        WordGroup(["a"], ["a^2"], images={"a": Linear([[2.0]])})
    with pytest.raises(OrbitscopeError, match="amiss: b"):
        WordGroup(["a", "b"], images={"a": Linear([[2.0]])})
    for generators, kept, match in ((["e"], [], "`generators`"), (["a"], ["a c"], "uses c"), (["a", "a"], [], "different names")):
        with pytest.raises(OrbitscopeError, match=match):
            WordGroup(generators, kept)


def _order(g: Permutation) -> int:
    at, n = g, 1
    while not at.is_identity:
        at, n = at @ g, n + 1
    return n

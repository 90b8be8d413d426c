"""Exact labels against slow definitions, published facts, and the relations of the groups."""

import hashlib
import json
import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orbitscope import OrbitscopeError
from orbitscope.symmetry import braid
from orbitscope.systems.words import (
    Zigzag,
    artin,
    burau3,
    coxeter,
    cycle_types,
    graph,
    harder_narasimhan,
    jordan_hoelder,
    orders,
    permutations,
    possible_orders,
    presentation,
)

BRAIDS = st.lists(st.sampled_from([1, 2, -1, -2]), max_size=14)


def slow_order(word, size):
    """Compose the exchanges as dictionaries, and multiply until the identity comes."""
    at = list(range(size))
    for letter in word:
        if letter:
            step = list(range(size))
            step[letter - 1], step[letter] = letter, letter - 1
            at = [at[step[x]] for x in range(size)]
    power, n = list(at), 1
    while power != list(range(size)):
        power, n = [at[x] for x in power], n + 1
    return at, n


@given(st.lists(st.integers(0, 5), min_size=6, max_size=6))
def test_permutations_and_orders(word):
    made = permutations(np.array([word]), 6)
    at, n = slow_order(word, 6)
    assert made[0].tolist() == at and orders(made).tolist() == [n]
    assert sum(cycle_types(made)[0]) == 6 and math.lcm(*cycle_types(made)[0]) == n


def test_the_orders_of_ten_things():
    assert possible_orders(10) == (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 15, 20, 21, 30)


def test_multiplicities_are_the_published_ones():
    """All words of up to six letters from both objects, as a fingerprint of the published rows (word, multiplicities), sorted."""
    letters = (1, 2, -1, -2)
    words = [w for length in range(7) for w in product(letters, repeat=length)]
    rows = sorted({(w, y) for start in (1, 2) for w, y in zip(words, harder_narasimhan(words, start), strict=True)})
    text = json.dumps(rows, separators=(",", ":"))
    assert len(rows) == 10_922
    assert hashlib.sha256(text.encode()).hexdigest() == "640a5135a37f35a33c65ae91dde8888763902cf14e728b91c55485add531e915"
    largest = [max(max(y) for w, y in zip(words, harder_narasimhan(words), strict=True) if len(w) == n) for n in range(7)]
    assert largest == [1, 1, 2, 3, 5, 8, 13]  # Fibonacci's


@given(BRAIDS)
def test_the_category_of_two_vertices_agrees_with_matrices(word):
    (a, _), (c, _) = burau3(word)
    assert jordan_hoelder([word], "A2") == [(abs(a), abs(c))]


@given(BRAIDS, BRAIDS)
def test_one_braid_has_one_label(u, v):
    long = harder_narasimhan([u + [1, 2, 1] + v, u + [2, 1, 2] + v, u + [1, -1] + v, u + v, [*u, *v, 1]])
    assert long[0] == long[1] and long[2] == long[3] == long[4]
    b3 = braid(3)
    spell = lambda w: " ".join(f"s{abs(x)}" + ("^-1" if x < 0 else "") for x in w) or "e"  # noqa: E731
    same = b3.word(spell(u)) == b3.word(spell(v))
    assert same == ((burau3(u), sum(np.sign(u))) == (burau3(v), sum(np.sign(v))))


@pytest.mark.parametrize("diagram", ["A3", "D4", "~A2", "1-2 2-3 1-3 3-4"])
@settings(max_examples=25)
@given(st.data())
def test_relations_hold_in_the_category_of_a_graph(diagram, data):
    algebra = Zigzag(graph(diagram))
    letters = st.sampled_from([s * (i + 1) for i in range(algebra.size) for s in (1, -1)])
    u, v = (data.draw(st.lists(letters, max_size=3)) for _ in range(2))
    i = data.draw(st.integers(0, algebra.size - 1))
    j = data.draw(st.integers(0, algebra.size - 1).filter(lambda k: k != i))
    a, b = i + 1, j + 1
    left, right = ([a, b, a], [b, a, b]) if (i, j) in algebra.near else ([a, b], [b, a])
    found = [algebra.multiplicities(u + w + v) for w in (left, right, [-x for x in reversed(left)], [-x for x in reversed(right)])]
    assert found[0] == found[1] and found[2] == found[3]
    assert algebra.multiplicities([*u, a, -a, *v]) == algebra.multiplicities(u + v)
    assert algebra.multiplicities([*u, 1]) == algebra.multiplicities(u)  # the twist fixes its own object up to a shift


def test_products_of_paths():
    algebra = Zigzag(graph("A3"))
    there, back, loop = (frozenset({p}) for p in ((0, 1, 1), (1, 0, 1), (0, 0, 2)))
    assert algebra.times(there, back) == loop and not algebra.times(loop, there)
    assert not algebra.times(there, frozenset({(1, 2, 1)})) and algebra.times(frozenset({(0, 0, 0)}), there) == there


def test_groups_of_graphs():
    d4 = coxeter("D4")
    assert d4.solved and d4.word("s1 s2 s1") == d4.word("s2 s1 s2") and d4.word("s1 s3") == d4.word("s3 s1")
    found, frontier = {d4.identity}, [d4.identity]
    while frontier:
        frontier = [h for g in frontier for s in d4.generators if (h := g @ d4.word(s)) not in found and not found.add(h)]
    assert len(found) == 192
    assert artin("A3").name == "B4" and len(artin("~A2").relations) == 3 and not artin("D4").solved
    assert presentation("<D6>").word("s t s t s t s t s t s t").is_identity
    assert presentation("a, b | a^2, a b a = b a b").generators == ("a", "b")
    alone = presentation("s1 s2^-1 = s3 s1, s2^2 = e")
    assert alone.generators == ("s1", "s2", "s3") and str(alone) == "<s1, s2, s3 | s1 s2^-1 = s3 s1, s2^2>"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: graph("D3"), "no Dynkin diagram"),
        (lambda: graph("1-1"), "loop"),
        (lambda: graph("1-2 2-1"), "doubled"),
        (lambda: graph("square"), "should be A3"),
        (lambda: graph("~D4"), "affine"),
        (lambda: graph("A65"), "at most 64"),
        (lambda: presentation("a | b^2"), "uses b"),
        (lambda: presentation("a, b | a b = "), "empty"),
        (lambda: presentation("d4"), "no generators and relations"),
        (lambda: permutations(np.array([[4]]), 4), "letter 4"),
        (lambda: harder_narasimhan([[3]]), "got 3"),
        (lambda: harder_narasimhan([[1]], 3), "`start`"),
        (lambda: jordan_hoelder([[5]], "A2"), "1 .. 2"),
        (lambda: jordan_hoelder([[1]], "A2", 4), "`start`"),
        (lambda: jordan_hoelder([[1, -2] * 12], "A2"), "shorter words"),
        (lambda: presentation("<D1>"), "`corners`"),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(OrbitscopeError, match=said):
        call()

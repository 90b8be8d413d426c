"""Character tables against closed forms, orthogonality and each other."""

import numpy as np
import pytest

from orbitscope import OrbitscopeError
from orbitscope.symmetry import FromMatrices
from orbitscope.systems.words import (
    artin,
    character_table,
    coxeter,
    cycle_types,
    permutations,
    presentation,
    read_out,
    symmetric_characters,
)

GROUPS = ["<D6>", "<D7>", "<C5>", "<S4>", "coxeter(D4)"]


@pytest.mark.parametrize("name", GROUPS)
def test_rows_and_columns_are_orthogonal(name):
    """sum_C |C| chi_i conj(chi_j) = |G| delta_ij, sum_i chi_i(C) conj(chi_i(D)) = |G| / |C| delta_CD, and squares of dimensions."""
    table = character_table(presentation(name))
    order = table.sizes.sum()
    assert np.allclose((table.values * table.sizes) @ table.values.conj().T, order * np.eye(len(table.irreps)), atol=1e-9 * order)
    assert np.allclose(table.values.T @ table.values.conj(), np.diag(order / table.sizes), atol=1e-9 * order)
    assert np.allclose((table.values[:, 0].real ** 2).sum(), order) and np.allclose(table.values[0], 1)
    assert len(set(table.irreps)) == len(table.irreps) == len(table.classes) and table.irreps[0] == "1a"


@pytest.mark.parametrize("corners", [5, 6])
def test_the_characters_of_a_polygon(corners):
    """2 cos(2 pi k j / n) on the rotation by j corners, 0 on reflections; the rest are signs."""
    table = character_table(presentation(f"<D{corners}>"))
    turns = [len(w.letters) // 2 if len(w.letters) % 2 == 0 else None for w in table.classes]  # (s t)^j has 2 j letters
    for k in range(1, (corners + 1) // 2):
        wanted = [0.0 if j is None else 2 * np.cos(2 * np.pi * k * j / corners) for j in turns]
        assert any(np.allclose(row, wanted, atol=1e-10) for row in table.values)


def test_cyclic_characters_are_complex():
    table = character_table(presentation("<C5>"))
    roots = np.exp(2j * np.pi * np.arange(5) / 5)
    assert np.allclose(np.sort_complex(np.round(table.values[:, 1], 9)), np.sort_complex(np.round(roots, 9)))


@pytest.mark.parametrize("size", [3, 4, 5])
def test_hooks_and_class_algebra_agree(size):
    """Two ways that share nothing: the rows as functions of the cycle type."""

    def rows(table):
        kinds = [cycle_types(permutations([[int(x[1:]) for x in w.letters]], size))[0] for w in table.classes]
        order = sorted(range(len(kinds)), key=lambda j: kinds[j])
        return sorted(tuple(np.round(row[order].real, 8).tolist()) for row in table.values), table.sizes[order].tolist()

    assert rows(symmetric_characters(size)) == rows(character_table(coxeter(f"A{size - 1}")))


def test_things_that_are_permuted_hold_the_trivial_irrep_and_the_rest():
    size = 10
    exchanges = {f"s{i + 1}": np.eye(size)[[*range(i), i + 1, i, *range(i + 2, size)]] for i in range(size - 1)}
    table = symmetric_characters(size)
    assert int(table.sizes.sum()) == 3628800 and len(table.irreps) == 42
    found = read_out(FromMatrices(exchanges), coxeter("A9"), characters=table)
    held = {k: v for k, v in found.multiplicities.items() if abs(v) > 1e-9}
    assert held.keys() == {"[10]", "[9, 1]"} and np.allclose(list(held.values()), 1)
    assert "1.00 x [9, 1]" in str(found)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: character_table(artin("D4")), "not told apart"),
        (lambda: character_table(artin("A2")), "more than 4096"),
        (lambda: symmetric_characters(1), "2 .. 20"),
    ],
)
def test_what_is_refused(call, said):
    with pytest.raises(OrbitscopeError, match=said):
        call()

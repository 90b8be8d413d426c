"""The irreps of O and O_h: homomorphisms, orthogonal characters, the tables of the textbooks, the polynomials that they are named by."""

import itertools

import numpy as np
import pytest

import orbitscope as osc
from orbitscope.symmetry import OCTAHEDRAL_IRREPS, octahedral_irrep, representation

FULL, ROTATIONS = osc.octahedral(), osc.octahedral(reflections=False)
NAMES = {
    "O": list(OCTAHEDRAL_IRREPS),
    "Oh": [base + parity for parity in "gu" for base in OCTAHEDRAL_IRREPS],
}
CASES = [(group, name) for group in (ROTATIONS, FULL) for name in NAMES[group.name]]


def matrices(group: osc.Group, name: str) -> np.ndarray:
    return np.stack([octahedral_irrep(name, g.matrix) for g in group])


def characters(group: osc.Group, name: str) -> np.ndarray:
    return np.trace(matrices(group, name), axis1=1, axis2=2)


def multiplicities(group: osc.Group, characters_of: np.ndarray) -> dict[str, int]:
    """How often each irrep is in a representation with these characters."""
    found = {name: float(characters_of @ characters(group, name)) / len(group) for name in NAMES[group.name]}
    assert all(abs(count - round(count)) < 1e-12 for count in found.values())
    return {name: round(count) for name, count in found.items() if round(count)}


@pytest.mark.parametrize(("group", "name"), CASES, ids=[f"{g.name}-{n}" for g, n in CASES])
def test_homomorphism_and_orthogonal_matrices(group: osc.Group, name: str) -> None:
    made, size = matrices(group, name), OCTAHEDRAL_IRREPS[name.rstrip("gu")]
    products = np.array([[group.index(g @ h) for h in group] for g in group])
    np.testing.assert_allclose(made[products], made[:, None] @ made[None], rtol=0, atol=1e-14)
    np.testing.assert_allclose(made @ made.mT, np.broadcast_to(np.eye(size), made.shape), rtol=0, atol=1e-14)


@pytest.mark.parametrize("group", [ROTATIONS, FULL], ids=["O", "Oh"])
def test_characters_are_orthonormal_and_there_is_no_other_irrep(group: osc.Group) -> None:
    table = np.stack([characters(group, name) for name in NAMES[group.name]])
    np.testing.assert_allclose(table @ table.T / len(group), np.eye(len(table)), rtol=0, atol=1e-13)
    assert sum(OCTAHEDRAL_IRREPS[n.rstrip("gu")] ** 2 for n in NAMES[group.name]) == len(group)
    # The full orthogonality of matrix entries, which irreducibility alone gives.
    for a, b in itertools.combinations_with_replacement(NAMES[group.name], 2):
        products = np.einsum("gij,gkl->ijkl", matrices(group, a), matrices(group, b)) / len(group)
        size = OCTAHEDRAL_IRREPS[a.rstrip("gu")]
        expected = np.einsum("ik,jl->ijkl", np.eye(size), np.eye(size)) / size if a == b else 0.0
        np.testing.assert_allclose(products, np.broadcast_to(expected, products.shape), rtol=0, atol=1e-13)


def test_the_character_table_of_the_textbooks() -> None:
    """Classes of O: the identity, 8 thirds of a turn, 3 half turns about axes, 6 quarter turns, 6 half turns about edges."""
    table = {"A1": (1, 1, 1, 1, 1), "A2": (1, 1, 1, -1, -1), "E": (2, -1, 2, 0, 0), "T1": (3, 0, -1, 1, -1), "T2": (3, 0, -1, -1, 1)}

    def kind(g: osc.Isometry) -> int:
        trace, axes = round(np.trace(g.matrix)), np.array_equal(np.abs(g.matrix), np.eye(3))
        return {3: 0, 0: 1, -1: 2 if axes else 4, 1: 3}[trace]

    kinds = [kind(g) for g in ROTATIONS]
    assert [kinds.count(k) for k in range(5)] == [1, 8, 3, 6, 6]
    for name, row in table.items():
        np.testing.assert_allclose(characters(ROTATIONS, name), [row[k] for k in kinds], rtol=0, atol=1e-14)
    for name, parity in itertools.product(table, (1, -1)):
        found = characters(FULL, name + ("g" if parity == 1 else "u"))
        expected = [row_of * (parity if np.linalg.det(g.matrix) < 0 else 1) for g in FULL for row_of in [_plain(g, table[name], kind)]]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def _plain(g: osc.Isometry, row: tuple[int, ...], kind) -> int:
    rotation = np.rint(np.linalg.det(g.matrix) * g.matrix).astype(int)
    return row[kind(osc.Isometry(tuple(map(tuple, rotation.tolist()))))]


def test_the_physical_fields_in_terms_of_them() -> None:
    expected = {
        "scalar": {"A1g": 1}, "pseudoscalar": {"A1u": 1}, "vector": {"T1u": 1}, "pseudovector": {"T1g": 1},
        "tensor": {"A1g": 1, "Eg": 1, "T1g": 1, "T2g": 1},
    }  # fmt: skip
    for word, parts in expected.items():
        assert multiplicities(FULL, np.array([np.trace(representation(word).matrix(g.matrix)) for g in FULL])) == parts
    regular = np.array([48.0 * (g == FULL.identity) for g in FULL])
    assert multiplicities(FULL, regular) == {name: OCTAHEDRAL_IRREPS[name[:-1]] for name in NAMES["Oh"]}
    np.testing.assert_array_equal(octahedral_irrep("T1u", FULL.elements[7].matrix), FULL.elements[7].matrix)


def test_the_polynomials_that_name_them() -> None:
    """F(A p) = rho(A) F(p): a wrong order, sign or transposition of the components cannot pass."""
    polynomials = {
        "A1g": lambda x, y, z: [x**2 + y**2 + z**2],
        "A2u": lambda x, y, z: [x * y * z],
        "Eg": lambda x, y, z: [2 * z**2 - x**2 - y**2, np.sqrt(3) * (x**2 - y**2)],
        "T1u": lambda x, y, z: [x, y, z],
        "T2g": lambda x, y, z: [y * z, z * x, x * y],
        "A2g": lambda x, y, z: [(x**2 - y**2) * (y**2 - z**2) * (z**2 - x**2)],
        "T2u": lambda x, y, z: [x * (y**2 - z**2), y * (z**2 - x**2), z * (x**2 - y**2)],
    }
    points = np.random.default_rng(0).normal(size=(3, 20))
    for name, f in polynomials.items():
        for g in FULL:
            moved, still = np.stack(f(*(g.matrix @ points))), np.stack(f(*points))
            np.testing.assert_allclose(moved, octahedral_irrep(name, g.matrix) @ still, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "matrix", "message"),
    [
        ("E1", np.eye(3), "Known: A1, A2, E, T1, T2; with g or u"),
        ("", np.eye(3), "none of O or O_h"),
        ("E", -np.eye(3), "rotations alone; for a reflection say Eg or Eu"),
        ("Eg", np.eye(2), "signed permutations of three axes"),
        ("Eg", 2 * np.eye(3), "signed permutations"),
        ("T1u", np.ones((3, 3)), "signed permutations"),
        ("A1g", np.eye(3) + 0.1, "signed permutations"),
        ("A1g", np.zeros((3, 3)), "signed permutations"),
    ],
)
def test_mistakes_are_named(name: str, matrix: np.ndarray, message: str) -> None:
    with pytest.raises(osc.OrbitscopeError, match=message):
        octahedral_irrep(name, matrix)

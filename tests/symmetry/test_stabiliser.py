"""Stabilisers of planted tensors, turned by a random rotation, and their names."""

import numpy as np
import pytest
import torch

from orbitscope import OrbitscopeError
from orbitscope.symmetry import (
    Group,
    Rigid,
    RotationIrrep,
    octahedral,
    orthogonal,
    schoenflies,
    special_orthogonal,
    spherical_harmonics,
    stabiliser,
)

TURN = special_orthogonal(3).probes(2, seed=7)[1]
CUBE = [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]
TETRAHEDRON = [[1, 1, 1], [-1, -1, 1], [-1, 1, -1], [1, -1, -1]]
TRIANGLE = [[1, 0, 0], [-0.5, 3**0.5 / 2, 0], [-0.5, -(3**0.5) / 2, 0]]
X, Z, D = [[1, 0, 0]], [[0, 0, 1]], [[1, 1, 1]]


def peaks(degree, directions):
    """The sum of harmonics at some directions, turned."""
    turned = torch.tensor(np.array(directions, dtype=float) @ TURN.matrix.T)
    return spherical_harmonics(degree, turned)[:, degree**2 : (degree + 1) ** 2].sum(0).numpy()


def vector(direction):
    return TURN.matrix @ np.array(direction[0], dtype=float)


GENERAL = np.array([0.3, -0.7, 0.2, 0.5, 1.0])
CASES = {
    "Oh": {"4e": peaks(4, CUBE)},
    "O": {"4e": peaks(4, CUBE), "0o": [1.0]},
    "Td": {"3o": peaks(3, TETRAHEDRON), "4e": peaks(4, CUBE)},
    "D4h": {"2e": peaks(2, Z), "4e": peaks(4, CUBE)},
    "D4": {"2e": peaks(2, Z), "4e": peaks(4, CUBE), "0o": [0.5]},
    "D3d": {"2e": peaks(2, D), "4e": peaks(4, CUBE)},
    "D3h": {"2e": peaks(2, Z), "3o": peaks(3, TRIANGLE)},
    "D2d": {"2e": peaks(2, Z), "3o": peaks(3, TETRAHEDRON)},
    "D2h": {"2e": GENERAL},
    "C4h": {"1e": vector(Z), "4e": peaks(4, CUBE)},
    "S4": {"1e": vector(Z), "3o": peaks(3, TETRAHEDRON), "4e": peaks(4, CUBE)},
    "C4v": {"1o": vector(Z), "4e": peaks(4, CUBE)},
    "C3v": {"1o": vector(D), "4e": peaks(4, CUBE)},
    "C2v": {"1o": vector([[0, 1, 1]]), "4e": peaks(4, CUBE)},
    "Ci": {"1e": [0.2, 0.9, -0.4], "2e": GENERAL},
    "Cs": {"1o": vector(X), "1e": vector(Z)},
    "C1": {"1o": vector([[0.7, 0.3, 1.0]]), "4e": peaks(4, CUBE)},
    "C∞v": {"1o": [0.1, 0.5, -2.0]},
    "C∞h": {"1e": [0.1, 0.5, -2.0]},
    "C∞": {"1o": vector(Z), "1e": vector(Z)},
    "D∞h": {"2e": peaks(2, Z)},
    "D∞": {"2e": peaks(2, Z), "0o": [1.0]},
    "SO(3)": {"0o": [1.0]},
    "O(3)": {"0e": [3.0]},
}


@pytest.mark.parametrize(("name", "tensors"), CASES.items(), ids=list(CASES))
def test_planted_groups_are_found_and_named_and_their_elements_hold(name, tensors):
    found = stabiliser(tensors)
    assert found.name == name and found.error < 1e-8
    for g in found.elements:
        for irrep, v in tensors.items():
            matrix = RotationIrrep(int(irrep[0]), irrep[1] == "o").matrix(g)
            assert np.allclose(matrix @ v, v, atol=1e-7)


@pytest.mark.parametrize("name", ["Oh", "D4h", "C3v", "Ci", "D2d"])
def test_invariants_are_as_many_as_characters_say_and_do_not_move(name):
    found = stabiliser(CASES[name])
    for irrep in ("0o", "1o", "1e", "2e", "2o", "3e", "3o", "4e", "4o"):
        rep = RotationIrrep(int(irrep[0]), irrep[1] == "o")
        matrices = [rep.matrix(g) for g in found.elements]
        rows = found.invariants(irrep)
        assert len(rows) == round(float(np.mean([np.trace(m) for m in matrices])))
        assert all(np.allclose(rows @ m.T, rows, atol=1e-6) for m in matrices)


def test_the_continuous_group_of_a_direction_allows_one_component_of_every_natural_irrep():
    found = stabiliser({"1o": [0.0, 2.0, 0.0]})
    assert len(found.algebra) == 1 and abs(float(found.algebra[0] @ [0, 1, 0])) > 1 - 1e-9
    counts = [len(found.invariants(n)) for n in ("0o", "1o", "1e", "2o", "2e", "3o", "3e")]
    assert counts == [0, 1, 0, 0, 1, 1, 0]


def test_axes_are_where_they_were_planted():
    # The mirror of a polar and a perpendicular axial vector is normal to the axial one.
    for name, order, direction in (("D4h", 4, Z), ("C3v", 3, D), ("Cs", 1, Z)):
        (found, axis), *_ = stabiliser(CASES[name]).axes
        expected = vector(direction) / np.linalg.norm(vector(direction))
        assert found == order and abs(abs(float(axis @ expected)) - 1) < 1e-6


def test_a_breaking_below_the_tolerance_is_not_seen_and_one_above_is():
    tensors = {"4e": peaks(4, CUBE), "1o": 1e-3 * vector(Z)}
    assert stabiliser(tensors, 1e-2).name == "Oh"
    assert stabiliser(tensors, 1e-5).name == "C4v"


def test_names_of_groups_that_are_given():
    assert schoenflies(list(octahedral()))[0] == "Oh" and schoenflies(list(octahedral(reflections=False)))[0] == "O"
    turn = Rigid([[0.5, -(3**0.5) / 2, 0], [3**0.5 / 2, 0.5, 0], [0, 0, 1]])
    mirror, across = Rigid(np.diag([1.0, 1.0, -1.0])), Rigid(np.diag([1.0, -1.0, -1.0]))
    turn, mirror, across, centre = turn.named("t"), mirror.named("m"), across.named("a"), Rigid(-np.eye(3), name="i")
    roto, screw, other = (turn @ mirror).named("r"), (turn @ turn @ mirror).named("s"), (mirror @ across).named("o")
    for generators, name in (
        ([turn], "C6"), ([turn, mirror], "C6h"), ([turn, across], "D6"), ([turn, across, mirror], "D6h"), ([roto], "S6"),
        ([screw], "C3h"), ([other], "Cs"), ([centre, turn], "C6h"),
    ):  # fmt: skip
        assert schoenflies(list(Group.generated("G", generators)))[0] == name


def test_what_is_refused():
    for tensors, match in (({"2e": [1.0]}, "5 finite components"), ({"x": [1.0]}, "no irrep"), ({"1o": [np.nan, 0, 0]}, "finite")):
        with pytest.raises(OrbitscopeError, match=match):
            stabiliser(tensors)
    with pytest.raises(OrbitscopeError, match="no group"):
        schoenflies([np.eye(3), *[g.matrix for g in orthogonal(3).probes(3)[1:]]])


def test_a_breaking_of_about_the_tolerance_is_judged_by_a_smaller_one():
    """Far more turns about z than four hold to the tolerance, and not all: they are no group, so it is looked at more closely."""
    tensors = {"2e": peaks(2, Z), "4e": 4e-3 * peaks(4, CUBE), "1e": 1e-3 * vector(Z)}
    for size in (2e-3, 4e-3, 6e-3, 8e-3, 1.2e-2, 2e-2):
        found = stabiliser({**tensors, "4e": size * peaks(4, CUBE)}, 1e-2)
        assert found.name in ("D∞h", "D4h", "C∞h", "C4h") and found.tolerance <= 1e-2 and found.error <= 2e-2
    assert stabiliser(tensors, 1e-5).name == "C4h"


def test_several_tensors_of_an_irrep_leave_what_all_of_them_leave():
    up, across, there = np.eye(3)[2], np.eye(3)[0], np.ones(3)
    assert stabiliser({"1o": np.concatenate([up, 2 * up])}).name == "C∞v"
    assert stabiliser({"1o": np.concatenate([up, across])}).name == "Cs"
    assert stabiliser({"1o": np.concatenate([up, across, np.eye(3)[1]])}).name == "C1"
    assert stabiliser({"1e": np.concatenate([up, there])}).name == "Ci"
    one, two = stabiliser({"2e": np.eye(5)[2]}), stabiliser({"2e": np.concatenate([np.eye(5)[2], np.zeros(5)])})
    assert one.name == two.name and np.allclose(one.axes[0][1], two.axes[0][1])
    with pytest.raises(OrbitscopeError, match="multiple"):
        stabiliser({"1o": np.ones(4)})

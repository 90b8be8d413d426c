"""What an element is stands in the coordinates of every result; nothing is guessed from its name."""

import numpy as np
import torch

import orbitscope as osc
from orbitscope.probe._provenance import element_coordinates
from orbitscope.symmetry import Group, translations


def test_coordinates_come_from_the_motions_and_not_from_the_names() -> None:
    """A group whose names mislead: the identity is called 7, a shift is called e, a name holds a comma."""
    group = Group("odd", [g.named(n) for g, n in zip(translations(4), ("7", "e", "a, b", "0"), strict=True)])
    found = element_coordinates(group, [g.name for g in group])
    assert found["element_identity"][1].tolist() == [True, False, False, False] and found["element_translation"][1].all()
    np.testing.assert_allclose(found["element_shift"][1], [[0, 0], [0.25, 0], [0.5, 0], [0.75, 0]])
    assert found["element_determinant"][1].tolist() == [1] * 4 and np.array_equal(found["element_angle"][1], np.zeros(4))


class Doubled(torch.nn.Module):
    """Commutes with everything."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x


def test_every_instrument_says_what_its_elements_are() -> None:
    """Names with commas, an identity called flip: the order of the subgroup is the number of its members."""
    pair = Group("mirror", [g.named(n) for g, n in zip(osc.dihedral(1), ("flip, not", "a, b, c"), strict=True)])
    torch.manual_seed(0)
    data = osc.Trajectories(torch.randn(6, 3, 1, 6, 6), osc.Layout.of("u"), osc.Grid.square(6), dt=1.0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1)).eval()
    error, shared, checked = osc.equivariance(model, data, pair), osc.influence(model, data, pair), osc.audit(data, pair)
    found = osc.verdict(pair, error, shared, checked)
    for result in (error, shared, checked, found):
        assert result["element_identity"].values.tolist() == [True, False] and result["element_determinant"].values.tolist() == [1, -1]
    assert found["in_exact"].values.tolist() == [True, True] and found.attrs["exact_order"] == 2
    assert osc.equivariance(Doubled(), data, pair)["element_identity"].values.tolist() == [True, False]

"""A group and a representation of your own, each one small class or less, used in a probe.

python examples/own_group.py
"""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

import orbitscope as osc


class Nematic(osc.Representation):
    """Order parameter of a liquid crystal: a symmetric traceless tensor, stored as (Q_xx, Q_xy); Q -> A Q A^T."""

    name = "nematic"

    def size(self, ndim: int) -> int:
        return 2

    def matrix(self, linear: ArrayLike) -> NDArray[np.float64]:
        a = np.asarray(linear, dtype=np.float64)
        basis = (np.array([[1.0, 0.0], [0.0, -1.0]]), np.array([[0.0, 1.0], [1.0, 0.0]]))
        moved = [a @ q @ a.T for q in basis]
        return np.array([[m[0, 0] for m in moved], [m[0, 1] for m in moved]])


class Elastic(torch.nn.Module):
    """A model: the tensor diffuses, and gradients of the order s = |Q|^2 make more of it, Q += a (s_xx - s_yy, 2 s_xy).

    That second term is a nematic and no vector, so the model commutes with D4 under the right representation only.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rate = torch.nn.Parameter(torch.tensor([0.1, 0.05]))

    def forward(self, q: torch.Tensor) -> torch.Tensor:
        s = q.square().sum(1)
        s_xx, s_yy = (s.roll(1, d) + s.roll(-1, d) - 2 * s for d in (-2, -1))
        s_x = s.roll(-1, -2) - s.roll(1, -2)
        s_xy = (s_x.roll(-1, -1) - s_x.roll(1, -1)) / 4
        spread = sum(q.roll(k, d) for k in (-1, 1) for d in (-2, -1)) - 4 * q
        return q + self.rate[0] * spread + self.rate[1] * torch.stack([s_xx - s_yy, 2 * s_xy], 1)


def main() -> None:
    """Check the laws, act, probe."""
    d4 = osc.dihedral(4)
    diagonals = osc.Group("V4", [d4[n] for n in ("e", "r2", "sr", "sr3")])
    diagonals.check()
    glides = osc.Group.generated("glides", [osc.Isometry(((1, 0), (0, -1)), shift=(0.5, 0), name="glide")])
    rho = osc.representation("nematic").matrix
    for g in d4:
        for h in d4:
            assert np.allclose(rho((g @ h).matrix), rho(g.matrix) @ rho(h.matrix)), "no representation"

    torch.manual_seed(0)
    model, layout, grid = Elastic(), osc.Layout.of("order:nematic"), osc.Grid.square(16)
    frames = [0.5 * torch.randn(12, 2, 16, 16)]
    with torch.no_grad():
        for _ in range(3):
            frames.append(model(frames[-1]))
    data = osc.Trajectories(torch.stack(frames, 1), layout, grid, dt=0.1)
    wrong = data.replace(layout=osc.Layout.of("order:vector"))  # Q has no head and tail: it is no arrow
    for group in (diagonals, glides, d4):
        right = osc.equivariance(model, data, group)["commutator"].median("transition").max().item()
        as_vector = osc.equivariance(model, wrong, group)["commutator"].median("transition").max().item()
        print(f"{group}: commutator {right:.1e} as a nematic, {as_vector:.1e} declared as a vector")


if __name__ == "__main__":
    main()

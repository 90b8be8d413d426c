"""A symmetry hidden from the programs: discover it, see that a plain network misses it, build it in, look again, and relax it.

python examples/discover.py
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

import orbitscope as osc
from orbitscope.training import FitConfig, fit

HIDDEN = torch.tensor([[1.0, 0.7], [-0.2, 0.6]], dtype=torch.float64)
"""How the inputs are mixed: x = T z, row by row. Nothing below but `pairs` and `hidden` knows it."""


def pairs(count: int, seed: int, widest: float, pull: float = 0.0) -> osc.Examples:
    """Two vectors z of the plane and what follows from their lengths and the angle between them, seen as x = T z.

    `widest`: the first vector points within so many degrees of the first axis. Rotations of z, which are motions along ellipses in x, do
    not change y, but for a `pull` along the second axis, which breaks that symmetry by its size.
    """
    rng = np.random.default_rng([seed, round(widest)])
    angle = np.radians(rng.uniform(-widest, widest, count))
    between = rng.uniform(0, 2 * np.pi, count)
    lengths = rng.uniform(0.4, 1.6, (count, 2))
    z = lengths[..., None] * np.stack([np.stack([np.cos(a), np.sin(a)], -1) for a in (angle, angle + between)], 1)
    dots = np.einsum("nai,nbi->nab", z, z)
    y = np.sin(2 * dots[:, 0, 0]) + dots[:, 0, 1] * dots[:, 1, 1] + pull * z[:, 0, 1]
    return osc.Examples(torch.from_numpy(z) @ HIDDEN.T, torch.from_numpy(y[:, None]), name=f"pairs within {widest:g} degrees")


class Plain(nn.Module):
    """A network on coordinates: it knows no symmetry."""

    def __init__(self, inputs: int = 4, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x.flatten(1))


class Built(nn.Module):
    """The same network on the products of the vectors in the metric that the found group keeps: no element of it changes them."""

    def __init__(self, metric: np.ndarray) -> None:
        super().__init__()
        self.metric: Tensor
        self.register_buffer("metric", torch.tensor(metric / np.abs(metric).max(), dtype=torch.float32))
        self.plain = Plain(inputs=3)

    def forward(self, x: Tensor) -> Tensor:
        dots = torch.einsum("nai,ij,nbj->nab", x, self.metric.to(x.dtype), x)
        return self.plain(torch.stack([dots[:, 0, 0], dots[:, 1, 1], dots[:, 0, 1]], 1))


class Relaxed(nn.Module):
    """The built network, and a free one beside it that begins at zero: symmetric at first, and then as far as the data let it be."""

    def __init__(self, metric: np.ndarray) -> None:
        super().__init__()
        self.built, self.free = Built(metric), Plain()
        last = self.free.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.built(x) + self.free(x)


def main(count: int = 2000, epochs: int = 60, seed: int = 0, out: str = "found.nc") -> dict[str, float]:
    """The loop; returns the numbers that it prints."""
    data, anywhere = pairs(count, seed, 60.0), pairs(1000, seed + 1, 180.0)
    quick = FitConfig(epochs=epochs, batch=64, learning_rate=3e-3, weight_decay=1e-3)
    # Discover.
    found = osc.discover_symmetry(data, "gl2", config=quick, seed=seed)
    found.save(out)
    print(found.sentence())
    metric = found.identification().metric
    if found.count != 1 or metric is None:
        print("Nothing to build in.")
        return {"generators": float(found.count)}
    back = np.linalg.inv(HIDDEN.numpy())
    hidden = HIDDEN.numpy() @ np.array([[0.0, -1.0], [1.0, 0.0]]) @ back
    numbers = {"generators": 1.0, "angle": float(np.degrees(np.arccos(found.cosines(hidden[None]).min())))}
    print(f"angle to the generator that was hidden: {numbers['angle']:.1f} degrees")
    # Audit: the answers have the symmetry, the directions in the file have not.
    print(f"does a test tell inputs from moved ones? least p = {float(osc.audit(data, out)['p_value'].min()):.2g}")
    # Build, and probe the plain network beside it: inside the data, and wherever the group leads.
    makers = {"plain": lambda: Plain().float(), "built": lambda: Built(metric)}
    for name, make in makers.items():
        model = learnt(make, data, quick, seed)
        commutator = float(osc.equivariance(model, anywhere, out, trajectories=None)["commutator"].median())
        inside, outside = (error(model, part) for part in (pairs(1000, seed + 2, 60.0), anywhere))
        numbers |= {f"{name} inside": inside, f"{name} outside": outside, f"{name} commutator": commutator}
        print(f"{name}: error {inside:.1%} where it was trained, {outside:.1%} anywhere; commutator with the found group {commutator:.1e}")
    # Relax: the same answers with a pull along one axis, which no group found before may forbid.
    pulled, unseen = (pairs(n, seed + k, 60.0, pull=0.3) for n, k in ((count, 0), (1000, 2)))
    for name, make in (makers | {"relaxed": lambda: Relaxed(metric)}).items():
        model = learnt(make, pulled, quick, seed)
        off = float(osc.equivariance(model, unseen, out, trajectories=None)["commutator"].median())
        numbers |= {f"{name} pulled": error(model, unseen), f"{name} pulled commutator": off}
        print(f"{name}, with a pull: error {numbers[f'{name} pulled']:.1%}, commutator {off:.1e}")
    return numbers


def learnt(make: Callable[[], nn.Module], data: osc.Examples, config: FitConfig, seed: int) -> nn.Module:
    """The network that `make` makes, trained."""
    assert isinstance(data.x, Tensor) and isinstance(data.y, Tensor)
    single = (data.x.float(), data.y.float())
    return fit(make, single, config, loss="mse", validation=0.2, seed=seed, progress=None).model.double()


def error(model: nn.Module, data: osc.Examples) -> float:
    """Root mean square error over that of the best constant."""
    assert isinstance(data.x, Tensor) and isinstance(data.y, Tensor)
    with torch.no_grad():
        gap = model(data.x) - data.y
    return float((gap.square().mean() / (data.y - data.y.mean()).square().mean()).sqrt())


if __name__ == "__main__":
    main()

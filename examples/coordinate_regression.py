"""Where is the marker? Trained on one quadrant, asked in all four: a symmetric energy, symmetric sampling, both, neither.

python examples/coordinate_regression.py
"""

import torch

import orbitscope as osc
from orbitscope.systems.control import PlaceEnergy, marker_pictures


def main(examples: int = 200, steps: int = 400, tests: int = 100) -> dict[tuple[str, str], tuple[float, float]]:
    """Errors of places in the three quadrants that were never seen, and how far decisions are from turning with the picture."""
    generator = torch.Generator().manual_seed(0)
    places = torch.rand(examples, 2, generator=generator) * 0.8 + 0.1  # the quadrant x > 0, y > 0
    elsewhere = (torch.rand(tests, 2, generator=generator) * 0.8 + 0.1) * torch.tensor([[-1, 1], [1, -1], [-1, -1]])[
        torch.arange(tests) % 3
    ]
    quarter = osc.dihedral(4)["r"]
    turn = torch.tensor(quarter.matrix, dtype=torch.float32)
    found = {}
    for energy_words in ("plain", "d4"):
        energy = PlaceEnergy(group=None if energy_words == "plain" else energy_words)
        energy.fit(marker_pictures(places), places, steps=steps)
        for sampling in ("plain", "d4"):
            planner = energy.planner(None if sampling == "plain" else sampling)
            answer = planner.plan(marker_pictures(elsewhere).flatten(1)).action
            turned = planner.plan(marker_pictures(elsewhere @ turn.T).flatten(1)).action
            error = float((answer - elsewhere).norm(dim=-1).median())
            gap = float((turned - answer @ turn.T).norm(dim=-1).max())
            found[energy_words, sampling] = error, gap
            print(f"energy {energy_words:<6} sampling {sampling:<6} error in unseen quadrants {error:.3f}, decision error {gap:.1e}")
    return found


if __name__ == "__main__":
    main()

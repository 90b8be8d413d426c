"""Probe a network that orbitscope has never seen: write it, train it for a moment, ask which symmetries it has learnt.

python examples/own_model.py
"""

import torch
from torch import nn

import orbitscope as osc
from orbitscope.report import write_report


class Mine(nn.Module):
    """State -> next state, [batch, channel, x, y] both. Any layers will do."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(2, width, 5, padding=2, padding_mode="circular"),
            nn.GELU(),
            nn.Conv2d(width, width, 5, padding=2, padding_mode="circular"),
            nn.GELU(),
            nn.Conv2d(width, 2, 5, padding=2, padding_mode="circular"),
        )

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        return state + self.net(state)


def main(trajectories: int = 32, steps: int = 150, out: str = "own_model.html") -> None:
    """Simulate, train, probe, report."""
    torch.manual_seed(0)
    law = osc.equation("navier-stokes")
    states = torch.cat([chunk for _, chunk in osc.simulate("navier-stokes.gauss", trajectories=trajectories, resolution=16, frames=9)])
    data = osc.Trajectories(states, law.layout, law.grid(16), dt=0.125, provenance={"equation": law.name, "parameters": law.parameters})
    train, _, test = data.split(seed=0)

    model = Mine()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    values = train.tensor()
    x, y = values[:, :-1].flatten(0, 1), values[:, 1:].flatten(0, 1)
    for _ in range(steps):
        pick = torch.randint(len(x), (32,))
        optimiser.zero_grad()
        osc.smse(model(x[pick]), y[pick]).backward()
        optimiser.step()

    config = osc.ProbeConfig(trajectories=6)
    tree = osc.examine(model.eval(), test, ["d4", "tx"], config, audit_data=data, title="Navier-Stokes, my network")
    for group in ("D4", "Tx16"):
        words = tree[f"{group}/verdict"].attrs
        print(group, *(words[f"sentence_{k}"] for k in ("data", "output", "learning", "next")), sep="\n  ")
    print(write_report([tree], out, force=True))


if __name__ == "__main__":
    main()

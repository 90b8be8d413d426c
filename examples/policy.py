"""A policy, a vector of observations in and an action out: does it turn with the world?

python examples/policy.py
"""

import torch

import orbitscope as osc


def main(episodes: int = 12, steps: int = 4, epochs: int = 300) -> None:
    """Clone an expert, then ask the clone."""
    torch.manual_seed(0)
    observation, action = osc.Layout.of("target:vector:m", "speed"), osc.Layout.of("force:vector:N")
    d4 = osc.Symmetry(osc.dihedral(4), osc.FieldAction(observation, osc.Values()), osc.FieldAction(action, osc.Values()))
    x = torch.randn(episodes * steps, 3)
    y = x[:, :2] * torch.exp(-x[:, 2:])  # the expert pulls towards the target, less when it is fast
    data = osc.Examples(
        x, y, unit=torch.arange(episodes).repeat_interleave(steps), slot=torch.arange(steps).repeat(episodes), name="an expert"
    )
    policy = torch.nn.Sequential(torch.nn.Linear(3, 32), torch.nn.Tanh(), torch.nn.Linear(32, 2))
    optimiser = torch.optim.Adam(policy.parameters(), 0.02)
    for _ in range(epochs):
        optimiser.zero_grad()
        torch.nn.functional.mse_loss(policy(x), y).backward()
        optimiser.step()
    error = osc.equivariance(policy, data, d4, trajectories=None)
    words = osc.verdict(d4, error, osc.influence(policy, data, d4))
    for name in ("output", "learning", "next"):
        print(f"{name}: {words.attrs[f'sentence_{name}']}")


if __name__ == "__main__":
    main()

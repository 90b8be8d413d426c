"""A classifier of shapes whose label does not depend on the frame: is the classifier's answer free of it, too?

python examples/classifier.py
"""

import torch

import orbitscope as osc
from orbitscope.report import write_report
from orbitscope.symmetry import Classes


def main(shapes: int = 48, epochs: int = 100, out: str = "classifier.html") -> None:
    """Train, look, write the report."""
    torch.manual_seed(0)
    x = torch.randn(shapes, 4, 2)
    label = (x.square().sum((1, 2)) > 8).long()
    data = osc.Examples(x, label, name="shapes of four corners")
    turns = osc.Symmetry(osc.cyclic(8), osc.FieldAction(osc.Layout.of("corner:vector"), osc.Points()), Classes(("small", "large")))
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(epochs):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(x), label).backward()
        optimiser.step()
    tree = osc.examine(model, data, turns, osc.ProbeConfig(trajectories=6), title="A classifier of shapes")
    print(tree["C8/verdict"].attrs["sentence_output"])
    print(write_report([tree], out, force=True))


if __name__ == "__main__":
    main()

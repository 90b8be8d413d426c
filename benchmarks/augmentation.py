"""Does augmentation add anything to a symmetry that is built in? Gradients of a state and of its moved copy, weights with and without.

    python benchmarks/augmentation.py

Proposition 1 of Wang, Walters and Yu (ICLR 2021): with a network that commutes with a group and a loss that the group leaves alone, a
transition and its moved copy have the same gradient. Corollary 2: training on moved copies is training on the states themselves.
Written to benchmarks/results/augmentation.json and between the markers of docs/how-to/build-in.md.
"""

import argparse
import datetime
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import orbitscope as osc  # noqa: E402
from orbitscope.probe import machine  # noqa: E402

BEGIN, END = "<!-- augmentation:begin -->", "<!-- augmentation:end -->"
ROOT = Path(__file__).resolve().parent.parent
PAGE = Path("docs/how-to/build-in.md")
RESULT = Path("benchmarks/results/augmentation.json")
POINTS, TRAJECTORIES, EPOCHS = 16, 10, 3
NETWORKS: dict[str, dict[str, Any]] = {
    "equivariant_resnet": {"group": "d4", "width": 3, "depth": 1},
    "equivariant_unet": {"group": "d4", "width": 2, "kernels": (3, 3), "heads": 1},
    "resnet": {"width": 8, "depth": 1},
}


def flows() -> osc.Trajectories:
    """Navier-Stokes flows, float64."""
    states = torch.cat([c for _, c in osc.simulate("navier-stokes.gauss", trajectories=TRAJECTORIES, resolution=POINTS, frames=5)])
    law = osc.equation("navier-stokes")
    return osc.Trajectories(states.double(), law.layout, law.grid(POINTS), dt=0.25)


def gradient(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Of the SMSE of each transition alone, [example, weight]."""
    weights = list(model.parameters())
    rows = [torch.autograd.grad(osc.smse(model(a[None]), b[None]), weights) for a, b in zip(x, y, strict=True)]
    return torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])


def gradient_difference(name: str, data: osc.Trajectories) -> float:
    r"""Largest $|\nabla L(gx, gy) - \nabla L(x, y)| / |\nabla L(x, y)|$ over D4 and some transitions, in float64."""
    torch.manual_seed(0)
    options = {"layout": data.layout, "grid": data.grid} if name.startswith("equivariant") else {}
    model = osc.build(name, channels_in=data.layout.channels, **options, **NETWORKS[name]).double().eval()
    x, y = data.tensor()[:4, 1], data.tensor()[:4, 2]
    action, own = osc.GridAction(data.layout, data.grid), gradient(model, x, y)
    return max(float(((gradient(model, action(g, x), action(g, y)) - own).norm(dim=1) / own.norm(dim=1)).max()) for g in osc.dihedral(4))


def weight_difference(name: str, data: osc.Trajectories) -> float:
    r"""$|w_{augmented} - w| / |w|$ after the same training with and without `augment="d4"`, in float32 as `train` does it."""
    data, found = data.replace(values=data.tensor().float()), []
    for augment in (None, "d4"):
        overrides = {k: ",".join(map(str, v)) if isinstance(v, tuple) else v for k, v in NETWORKS[name].items()}
        config = osc.TrainConfig(model=name, overrides=overrides, epochs=EPOCHS, batch=8, augment=augment, device="cpu")
        with tempfile.TemporaryDirectory() as folder:
            model = osc.load_run(osc.train(data, config, Path(folder) / "run", progress=None, tensorboard=False)).model
            found.append(torch.cat([p.detach().double().flatten() for p in model.parameters()]))
    return float((found[1] - found[0]).norm() / found[0].norm())


def measure() -> dict[str, Any]:
    """Both numbers for every network, and where they were measured."""
    data = flows()
    rows = [{"network": n, "gradient": gradient_difference(n, data), "weights": weight_difference(n, data)} for n in NETWORKS]
    about = {"grid": f"{POINTS} x {POINTS}", "trajectories": TRAJECTORIES, "epochs": EPOCHS, "machine": machine()}
    return {"rows": rows, **about, "torch": torch.__version__, "date": datetime.date.today().isoformat()}


def block(found: dict[str, Any]) -> str:
    """The table and what was measured, as Markdown."""
    lines = ["| network | gradients of $(gx, gy)$ and $(x, y)$ differ by | weights trained with and without `augment` differ by |"]
    lines += ["|---|---:|---:|"]
    lines += [f"| `{r['network']}` | {r['gradient']:.1e} | {r['weights']:.1e} |" for r in found["rows"]]
    about = "Relative differences: of the gradients in float64, largest over D4 and four transitions; of the weights in float32, after "
    about += f"{found['epochs']} epochs on {found['trajectories']} flows of {found['grid']} cells"
    return "\n".join([*lines, "", f"{about} (`benchmarks/augmentation.py`, torch {found['torch']}, {found['date']})."])


def write_between(path: Path, text: str) -> None:
    """Replace what stands between the markers; the rest of the file stays as it is."""
    old = path.read_text(encoding="utf-8")
    if old.count(BEGIN) != 1 or old.count(END) != 1:
        sys.exit(f"{path} should hold one {BEGIN} and one {END}.")
    head, rest = old.split(BEGIN)
    part = path.with_name(path.name + ".part")
    part.write_text(f"{head}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}", encoding="utf-8")
    os.replace(part, path)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=ROOT, help=f"repository whose {PAGE} and {RESULT} are written")
    parser.add_argument("--page-only", action="store_true", help="write the page from the numbers at hand")
    options = parser.parse_args(argv)
    kept = options.root / RESULT
    if not options.page_only:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    found = json.loads(kept.read_text(encoding="utf-8"))
    write_between(options.root / PAGE, block(found))
    print(block(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""escnn or e2cnn on the same layers: python run_escnn.py LIBRARY in.npz out.npz. Needs that library, torch and numpy only."""

import importlib
import json
import statistics
import sys
import time

import numpy as np
import torch


def timed(work):
    """Seconds of processor time: one thread, so that what else the machine does counts less."""
    start = time.process_time()
    work()
    return time.process_time() - start


def main(library, source, target):
    gspaces = importlib.import_module(f"{library}.gspaces")
    nn = importlib.import_module(f"{library}.nn")
    space = gspaces.rot2dOnR2(8) if library == "escnn" else gspaces.Rot2dOnR2(8)
    given = np.load(source)
    settings = json.loads(str(given["settings"]))
    torch.set_num_threads(1)
    x, moved = (torch.tensor(given[k]) for k in ("x", "moved"))
    vector = nn.FieldType(space, [space.irrep(1)])
    results, arrays = (
        {"versions": {library: importlib.import_module("importlib.metadata").version(library), "torch": torch.__version__}},
        {},
    )

    def regular(fields):
        return nn.FieldType(space, fields * [space.regular_repr])

    hidden = regular(8)
    for kernel in settings["kernels"]:
        for seed in settings["seeds"]:
            torch.manual_seed(seed)
            pad = kernel // 2
            net = nn.SequentialModule(
                nn.R2Conv(vector, hidden, kernel, padding=pad), nn.ReLU(hidden), nn.R2Conv(hidden, hidden, kernel, padding=pad),
                nn.ReLU(hidden), nn.R2Conv(hidden, vector, kernel, padding=pad),
            ).eval()  # fmt: skip
            with torch.no_grad():
                for name, values in (("x", x), ("moved", moved)):
                    arrays[f"{name}_{kernel}_{seed}"] = net(nn.GeometricTensor(values[seed].float(), vector)).tensor.double().numpy()
    channels = settings["channels"] // 8
    layer = nn.R2Conv(regular(channels), regular(channels), settings["kernel"], padding=settings["kernel"] // 2)
    image = torch.randn(settings["batch"], 8 * channels, settings["points"], settings["points"], requires_grad=True)

    plain = torch.nn.Conv2d(8 * channels, 8 * channels, settings["kernel"], padding=settings["kernel"] // 2)

    def step(module, wrap):
        module.zero_grad()
        image.grad = None
        out = module(nn.GeometricTensor(image, regular(channels)) if wrap else image)
        (out.tensor if wrap else out).square().mean().backward()

    step(layer, True), step(plain, False)
    pairs = [(timed(lambda: step(layer, True)), timed(lambda: step(plain, False))) for _ in range(settings["repeats"])]
    results["step"], results["plain"] = min(a for a, _ in pairs), min(b for _, b in pairs)
    results["ratio"] = statistics.median(a / b for a, b in pairs)
    wide = regular(settings["fields"])
    results["construction"] = timed(lambda: nn.R2Conv(wide, wide, settings["kernel"], padding=settings["kernel"] // 2))
    np.savez(target, results=json.dumps(results), **arrays)


main(*sys.argv[1:])

"""escnn or e2cnn on the same layers: python run_escnn.py LIBRARY in.npz out.npz. Needs that library, torch and numpy only."""

import importlib
import json
import sys
import time

import numpy as np
import torch


def best(work, repeats):
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


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

    def step():
        layer.zero_grad()
        layer(nn.GeometricTensor(image, regular(channels))).tensor.square().mean().backward()

    step()
    results["step"] = best(step, settings["repeats"])
    wide = regular(settings["fields"])
    start = time.perf_counter()
    nn.R2Conv(wide, wide, settings["kernel"], padding=settings["kernel"] // 2)
    results["construction"] = time.perf_counter() - start
    np.savez(target, results=json.dumps(results), **arrays)


main(*sys.argv[1:])

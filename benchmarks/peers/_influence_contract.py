"""What the peers of `benchmarks/influence.py` take and print.

    python run_influence_<peer>.py PROBLEM.npz RUN [--repeats 2]

PROBLEM.npz holds the transitions, untransformed (`x`, `y`: kets) and moved by one element (`x_moved`, `y_moved`: bras), and the inner
products of their loss gradients as `orbitscope` finds them, one [bra, ket] matrix per parameter (`gram/<name>`). RUN is the folder of the
trained model, which `orbitscope` in the peer's own environment builds. One JSON line comes out.
"""

import argparse
import importlib.metadata
import json
import platform
import time

import numpy as np
import torch
from _contract import timed

import orbitscope as osc

TOLERANCE = 1e-4


class Problem:
    """The model and the transitions, on one thread."""

    def __init__(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("problem")
        parser.add_argument("run")
        parser.add_argument("--repeats", type=int, default=2)
        options = parser.parse_args()
        torch.set_num_threads(1)
        self.repeats, self.file = options.repeats, np.load(options.problem)
        self.model = osc.load_run(options.run).model
        self.kets, self.bras = (torch.utils.data.TensorDataset(*(torch.tensor(self.file[k + end]) for k in "xy")) for end in ("", "_moved"))
        self.count = len(self.kets)
        self.sizes = {name: p.numel() for name, p in self.model.named_parameters()}

    def measure(self, work, names):
        """Best time over batches of 8 and of everything, and the worst agreement; `work` maps the size of a batch to [bra, ket]."""
        runs = []
        for batch in sorted({min(8, self.count), self.count}):
            processor = []

            def counted(batch=batch, processor=processor):
                start = time.process_time()
                answer = work(batch)
                processor.append(time.process_time() - start)
                return answer

            first, best, answer = timed(counted, self.repeats)
            run = {"batch": batch, "seconds": best, "processor_seconds": min(processor[1:]), "first": first}
            runs.append(run | {"agreement": self.agreement(answer, names)})
        worst = min((r["agreement"] for r in runs), key=lambda a: (a["agrees"], -a["largest"]))
        best = {key: min(r[key] for r in runs) for key in ("seconds", "processor_seconds")}
        return {**best, "agreement": worst, "runs": runs, **self.covered(names)}

    def agreement(self, found, names):
        """Of a [bra, ket] matrix with ours over the parameters `names`."""
        exact, found = sum(self.file["gram/" + name] for name in names), np.asarray(found, dtype=float)
        gap = np.abs(found - exact)
        result = {"frobenius": float(np.linalg.norm(gap) / np.linalg.norm(exact)), "largest": float(gap.max() / np.abs(exact).max())}
        return result | {"agrees": all(value < TOLERANCE for value in result.values())}

    def covered(self, names):
        """How many numbers of the model a method sees, and the modules, by kind, that hold those that it does not."""
        left_out = {}
        for name in self.sizes:
            owner = name.rpartition(".")[0]
            if name not in names and owner not in left_out.setdefault(type(self.model.get_submodule(owner)).__name__, []):
                left_out[type(self.model.get_submodule(owner)).__name__].append(owner)
        count = sum(self.sizes[name] for name in names)
        return {"parameters": count, "parameters_left_out": sum(self.sizes.values()) - count, "left_out": left_out}


def report(peer, **found):
    """The one line."""
    versions = {name: importlib.metadata.version(name) for name in (peer, "torch", "orbitscope")} | {"python": platform.python_version()}
    print(json.dumps({"peer": peer, "versions": versions, **found}))

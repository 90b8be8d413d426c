"""What every script of this folder takes and prints; numpy alone, for it runs in the peer's own environment.

    python run_<peer>.py PROBLEMS.npz [--dtype float32] [--repeats 3] [--problems NAME ...]

PROBLEMS.npz was written by `benchmarks/peers.py`: for each problem and size n, `<problem>/<n>/initial` and `<problem>/<n>/reference`, and
`<problem>/time`. One JSON line comes out: peer, versions, runs; a run has problem, method, size, setting, seconds (the best), first (the
first call, compilation included) and error.
"""

import argparse
import json
import time

import numpy as np


def arguments(argv=None):
    """The command line of a peer's script."""
    parser = argparse.ArgumentParser()
    parser.add_argument("problems_file")
    parser.add_argument("--dtype", default="float64", choices=["float32", "float64"])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--problems", nargs="+", default=None)
    return parser.parse_args(argv)


class Problems:
    """The problems of a file that a peer can do, one size at a time."""

    def __init__(self, options, able):
        self.file = np.load(options.problems_file)
        self.names = [n for n in able if f"{n}/time" in self.file and (options.problems is None or n in options.problems)]

    def time(self, name):
        return float(self.file[f"{name}/time"])

    def viscosity(self, name):
        return float(self.file[f"{name}/viscosity"])

    def sizes(self, name):
        return sorted({int(key.split("/")[1]) for key in self.file if key.startswith(name + "/") and key.endswith("/initial")})

    def initial(self, name, n):
        return self.file[f"{name}/{n}/initial"]

    def error(self, name, n, found):
        """Gas: mean |density - reference|. Flow: relative rms error of velocity."""
        reference = self.file[f"{name}/{n}/reference"]
        found = np.asarray(found, dtype=float)
        if name.startswith("flow"):
            return float(np.sqrt(np.mean((found - reference) ** 2) / np.mean(reference**2)))
        return float(np.mean(np.abs(found[0] - reference[0])))


def timed(work, repeats):
    """Seconds of the first call and of the best of `repeats` further ones, and the last answer; an error or NaN is the caller's to see."""
    start = time.perf_counter()
    answer = work()
    first = time.perf_counter() - start
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        answer = work()
        best = min(best, time.perf_counter() - start)
    return first, best, answer


def curl(velocity):
    """Vorticity of a periodic velocity [2, n, n] on the unit square."""
    n = velocity.shape[-1]
    k = np.fft.fftfreq(n, 1 / n)
    spectrum = np.fft.fft2(velocity)
    return np.fft.ifft2(2j * np.pi * (k[:, None] * spectrum[1] - k[None, :] * spectrum[0])).real


def velocity_of(vorticity):
    """The velocity [2, n, n] without mean flow that has this vorticity."""
    n = vorticity.shape[-1]
    k = np.fft.fftfreq(n, 1 / n)
    square = k[:, None] ** 2 + k[None, :] ** 2
    square[0, 0] = 1.0
    stream = np.fft.fft2(vorticity) / (2 * np.pi * square)
    return np.fft.ifft2(np.stack([1j * k[None, :] * stream, -1j * k[:, None] * stream])).real


def shifted(field, axis, cells):
    """The periodic field at points `cells` cells further along `axis` (-2 for x, -1 for y), by Fourier interpolation."""
    n = field.shape[axis]
    k = np.fft.fftfreq(n, 1 / n)
    phase = np.exp(2j * np.pi * k * cells / n)
    return np.fft.ifft(np.fft.fft(field, axis=axis) * (phase[:, None] if axis == -2 else phase), axis=axis).real


def report(peer, versions, runs, note=""):
    """The one line."""
    print(json.dumps({"peer": peer, "versions": versions, "runs": runs, "note": note}))

"""Our own solvers on the problems of `benchmarks/peers.py`."""

import sys
import time
from typing import Any

import torch
from _contract import Problems, arguments, report, timed

import orbitscope as osc
from orbitscope.physics import Euler, NavierStokes


def main() -> None:
    """Gas by resolution; flow by resolution at the standard `cfl`, then by `cfl`."""
    options = arguments()
    problems = Problems(options, ["gas-vortex", "gas-sod", "gas-quadrants", "flow"])
    dtype = getattr(torch, options.dtype)
    runs: list[dict[str, Any]] = []
    start = time.perf_counter()
    still = torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=dtype)[:, None, None].repeat(1, 8, 8)[None]
    for solver in (Euler(), Euler(reconstruction="weno5")):
        solver.step(still, 0.01)
    compiled = time.perf_counter() - start
    for name in problems.names:
        t_end = problems.time(name)
        for n in problems.sizes(name):
            state = torch.from_numpy(problems.initial(name, n)).to(dtype)[None]
            for solver, method, setting in _methods(name, problems, n):
                first, best, answer = timed(lambda s=solver, x=state, t=t_end: s.step(x, t), options.repeats)
                runs.append(
                    {"problem": name, "method": method, "size": n, "setting": setting, "seconds": best, "first": first}
                    | {"error": problems.error(name, n, answer[0].numpy())}
                )
    versions = {"orbitscope": osc.__version__, "torch": torch.__version__, "python": sys.version.split()[0]}
    report("orbitscope", versions, runs, f"the gas kernels compiled, or loaded from its cache, in {compiled:.1f} s")


def _methods(name: str, problems: Problems, n: int) -> list[tuple[Any, str, str]]:
    if name != "flow":
        weno = Euler(reconstruction="weno5")
        return [(Euler(), "MUSCL mc, HLLC, RK2", "muscl, cfl 0.5"), (weno, "WENO5-Z, HLLC, RK3", "weno5, cfl 0.5")]
    viscosity, largest = problems.viscosity(name), max(problems.sizes(name))
    settings = (1.2, 0.8, 0.4, 0.2) if n == largest else (1.2,)
    return [(NavierStokes(viscosity=viscosity, cfl=c), "spectral, RK4", f"cfl {c:g}") for c in settings]


if __name__ == "__main__":
    main()

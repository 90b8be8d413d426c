"""PyClaw (clawpack: Fortran, float64) on the gas problems of `benchmarks/peers.py`."""

import importlib.metadata
import logging
import sys

from _contract import Problems, arguments, report, timed


def main():
    """Classic (second order, wave propagation, MC limiter, Roe solver with four waves) and SharpClaw (WENO5, SSP-RK)."""
    from clawpack import pyclaw, riemann

    logging.disable(logging.CRITICAL)
    options = arguments()
    problems = Problems(options, ["gas-vortex", "gas-sod", "gas-quadrants"])
    runs, notes = [], []

    def run(method, initial, t_end):
        n, m = initial.shape[1:]
        if method.startswith("classic"):
            solver = pyclaw.ClawSolver2D(riemann.euler_4wave_2D)
            solver.limiters = pyclaw.limiters.tvd.MC
            solver.cfl_desired, solver.cfl_max = 0.9, 1.0
            # Split, it would be of first order in time; unsplit, it needs transverse waves for its second.
            solver.dimensional_split = False
            solver.transverse_waves = 2
        else:
            solver = pyclaw.SharpClawSolver2D(riemann.euler_4wave_2D)
            solver.cfl_desired, solver.cfl_max = 0.45, 0.5
        solver.all_bcs = pyclaw.BC.periodic
        solver.max_steps = 100_000
        solver.dt_initial = 1e-4 / n
        solution = pyclaw.Solution(4, pyclaw.Domain([0.0, 0.0], [1.0, 1.0], [n, m]))
        solution.problem_data["gamma"] = 1.4
        solution.q[...] = initial
        solver.setup(solution)
        solver.evolve_to_time(solution, t_end)
        return solution.q.copy()

    for name in problems.names:
        for method in ("classic unsplit, MC, Roe", "sharpclaw, WENO5, Roe"):
            for n in problems.sizes(name)[:-1]:  # the finest is ours alone, so that equal errors can be found
                initial, t_end = problems.initial(name, n), problems.time(name)
                try:
                    first, best, answer = timed(lambda m=method, x=initial, t=t_end: run(m, x, t), options.repeats)
                    error = problems.error(name, n, answer)
                except Exception as failure:  # a solver that breaks down is a result
                    notes.append(f"{name}, {method}, {n}: {type(failure).__name__}: {failure}")
                    continue
                if error != error:
                    notes.append(f"{name}, {method}, {n}: NaN")
                    continue
                row = {"problem": name, "method": method, "size": n, "setting": "cfl " + ("0.9" if "classic" in method else "0.45")}
                runs.append(row | {"seconds": best, "first": first, "error": error})
    versions = {"clawpack": importlib.metadata.version("clawpack"), "python": sys.version.split()[0]}
    report("pyclaw", versions, runs, "; ".join(notes))


if __name__ == "__main__":
    main()

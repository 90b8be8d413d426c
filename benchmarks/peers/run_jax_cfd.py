"""jax-cfd (JAX) on the flow of `benchmarks/peers.py`: its spectral solver, Crank-Nicolson with Runge-Kutta."""

import importlib.metadata
import math
import sys

from _contract import Problems, arguments, curl, report, timed, velocity_of


def main():
    """At the largest size, several time steps; the whole roll-out is one compiled loop."""
    import jax

    options = arguments()
    jax.config.update("jax_enable_x64", options.dtype == "float64")
    import jax.numpy as jnp
    import numpy as np
    from jax_cfd.base import grids
    from jax_cfd.spectral import equations, time_stepping

    problems = Problems(options, ["flow"])
    runs = []
    for name in problems.names:
        n, t_end = max(problems.sizes(name)), problems.time(name)
        grid = grids.Grid((n, n), domain=((0.0, 1.0), (0.0, 1.0)))
        equation = equations.NavierStokes2D(problems.viscosity(name), grid, smooth=True)
        start = jnp.fft.rfftn(jnp.asarray(curl(problems.initial(name, n)), dtype=options.dtype))
        for steps in (128, 256, 512):
            steps = math.ceil(steps * n * t_end / 128)
            step = time_stepping.crank_nicolson_rk4(equation, t_end / steps)
            roll = jax.jit(lambda w, step=step, steps=steps: jax.lax.fori_loop(0, steps, lambda _, v: step(v), w))
            first, best, answer = timed(lambda roll=roll, x=start: roll(x).block_until_ready(), options.repeats)
            error = problems.error(name, n, velocity_of(np.fft.irfft2(np.asarray(answer), s=(n, n))))
            if error == error:
                row = {"problem": name, "method": "spectral, CN-RK4", "size": n, "setting": f"{steps} steps"}
                runs.append(row | {"seconds": best, "first": first, "error": error})
    versions = {name: importlib.metadata.version(name) for name in ("jax-cfd", "jax")} | {"python": sys.version.split()[0]}
    report("jax-cfd", versions, runs)


if __name__ == "__main__":
    main()

"""exponax (JAX) on the flow of `benchmarks/peers.py`: ETDRK in vorticity form."""

import importlib.metadata
import math
import sys

from _contract import Problems, arguments, curl, report, timed, velocity_of


def main():
    """At the largest size, order 2 and 4, several time steps; the whole roll-out is one compiled loop."""
    import jax

    options = arguments()
    jax.config.update("jax_enable_x64", options.dtype == "float64")
    import exponax as ex
    import jax.numpy as jnp
    import numpy as np

    problems = Problems(options, ["flow"])
    runs = []
    for name in problems.names:
        n, t_end = max(problems.sizes(name)), problems.time(name)
        # Its stream function has the opposite sign, so its vorticity is ours with a minus.
        start = jnp.asarray(-curl(problems.initial(name, n))[None], dtype=options.dtype)
        for order, steps in ((2, 128), (2, 256), (2, 512), (4, 64), (4, 128), (4, 256)):
            steps = math.ceil(steps * n * t_end / 128)
            stepper = ex.stepper.NavierStokesVorticity(2, 1.0, n, t_end / steps, diffusivity=problems.viscosity(name), order=order)
            roll = jax.jit(ex.repeat(stepper, steps))
            first, best, answer = timed(lambda roll=roll, x=start: roll(x).block_until_ready(), options.repeats)
            error = problems.error(name, n, velocity_of(-np.asarray(answer[0], dtype=float)))
            if error == error:
                row = {"problem": name, "method": f"spectral, ETDRK{order}", "size": n, "setting": f"{steps} steps"}
                runs.append(row | {"seconds": best, "first": first, "error": error})
    versions = {name: importlib.metadata.version(name) for name in ("exponax", "jax")} | {"python": sys.version.split()[0]}
    report("exponax", versions, runs)


if __name__ == "__main__":
    main()

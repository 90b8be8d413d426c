"""PhiFlow (on JAX) on the flow of `benchmarks/peers.py`: staggered grid, MacCormack advection, pressure by conjugate gradients."""

import importlib.metadata
import math
import sys

from _contract import Problems, arguments, report, shifted, timed


def main():
    """At the two largest sizes, at a step of about two cells and of one cell."""
    options = arguments()
    import numpy as np
    from phi.jax import flow as phi

    phi.math.set_global_precision(64 if options.dtype == "float64" else 32)
    problems = Problems(options, ["flow"])
    runs = []
    for name in problems.names:
        t_end, viscosity = problems.time(name), problems.viscosity(name)
        for n in problems.sizes(name)[-2:]:
            initial = problems.initial(name, n)
            # Components on the lower faces of their cells, half a cell below the centre.
            faces = np.stack([shifted(initial[0], -2, -0.5), shifted(initial[1], -1, -0.5)], -1)
            for per_cell in (0.5, 1):
                steps = math.ceil(per_cell * 2 * n * t_end)
                dt = t_end / steps

                def step(v, dt=dt, viscosity=viscosity):
                    v = phi.advect.mac_cormack(v, v, dt)
                    v = phi.diffuse.explicit(v, viscosity, dt)
                    return phi.fluid.make_incompressible(v, solve=phi.Solve("CG", 1e-5, 1e-8))[0]

                compiled = phi.jit_compile(step)

                def work(compiled=compiled, faces=faces, n=n, steps=steps):
                    values = phi.tensor(faces, phi.spatial("x,y"), phi.channel(vector="x,y"))
                    v = phi.StaggeredGrid(values, phi.PERIODIC, x=n, y=n, bounds=phi.Box(x=1, y=1))
                    for _ in range(steps):
                        v = compiled(v)
                    parts = [np.asarray(v.vector[c].values.numpy("x,y"), dtype=float) for c in "xy"]
                    return np.stack([shifted(parts[0], -2, 0.5), shifted(parts[1], -1, 0.5)])

                first, best, answer = timed(work, 1)
                error = problems.error(name, n, answer)
                if error == error:
                    row = {"problem": name, "method": "staggered, MacCormack, CG", "size": n, "setting": f"{steps} steps"}
                    runs.append(row | {"seconds": best, "first": first, "error": error})
    versions = {name: importlib.metadata.version(name) for name in ("phiflow", "jax")} | {"python": sys.version.split()[0]}
    report("phiflow", versions, runs)


if __name__ == "__main__":
    main()

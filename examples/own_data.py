"""Bring numpy arrays: say what the channels are, audit them, save them, split and normalise them.

python examples/own_data.py
"""

import numpy as np

import orbitscope as osc


def my_arrays(trajectories: int, points: int = 32) -> np.ndarray:
    """Stands for your own code: a vortex lattice that decays and drifts, [trajectory, time, y, x, (u_x, u_y)], an image-like order."""
    rng = np.random.default_rng(0)
    axis = (np.arange(points) + 0.5) / points
    y, x = np.meshgrid(axis, axis, indexing="ij")
    frames = []
    for _ in range(trajectories):
        drift, phase, time = rng.normal(size=2), rng.uniform(size=2), np.linspace(0, 0.3, 4)[:, None, None]
        a = 2 * np.pi * (x - drift[0] * time + phase[0])
        b = 2 * np.pi * (y - drift[1] * time + phase[1])
        decay = np.exp(-8 * np.pi**2 * 0.01 * time)
        # A Taylor-Green flow: an exact solution of Navier-Stokes with viscosity 0.01.
        frames.append(np.stack([drift[0] - decay * np.cos(a) * np.sin(b), drift[1] + decay * np.sin(a) * np.cos(b)], axis=-1))
    return np.stack(frames).astype("float32")


def main(trajectories: int = 24, out: str = "own_data.nc") -> None:
    """From arrays to an audited file."""
    foreign = my_arrays(trajectories)
    ours = np.ascontiguousarray(foreign.transpose(0, 1, 4, 3, 2))  # [trajectory, time, channel, x, y]; the components keep their order
    layout = osc.Layout.of("velocity:vector:m/s")
    law = osc.equation("navier-stokes", viscosity=0.01)
    data = osc.Trajectories(ours, layout, osc.Grid.square(32), dt=0.1, provenance={"equation": law.name, "parameters": law.parameters})
    print(data.describe())
    audit = osc.audit(data, "d4")
    print(audit.attrs["verdict"], "-", audit.attrs["explanation"])

    # The usual mistake: the axes are exchanged, or the components are, but not both.
    mistaken = osc.audit(data.replace(values=np.ascontiguousarray(foreign.transpose(0, 1, 4, 2, 3))), "d4")
    print(mistaken.attrs["verdict"], "-", mistaken.attrs["explanation"])

    train, _, test = data.split((0.7, 0.1, 0.2), seed=0)
    normalisation = osc.Normalisation.fit(train)
    print("one scale for both components, no mean:", normalisation.scale.tolist(), normalisation.mean.tolist())
    print(normalisation.normalise(test.tensor()).std().item())
    print(osc.save(data, out, force=True))
    print(osc.load(out))


if __name__ == "__main__":
    main()

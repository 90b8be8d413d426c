"""What does it bring to do nothing? The return of the zero action in the episodes that agents of the pixel task are evaluated on.

    python studies/approximate_equivariance_rl/still.py

Writes results/pixels/still.csv, which the page of the study reads. Some ten seconds of the processor.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import read_settings  # noqa: E402
from study import Settings  # noqa: E402

from orbitscope._whole import write_whole  # noqa: E402
from orbitscope.systems.control import environment, returns  # noqa: E402


class Still:
    """An agent that does nothing: of a balance in the middle of its range the trivial policy."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.nothing = np.zeros(shape)

    def predict(self, seen: Any) -> tuple[np.ndarray, None]:
        """Zero, whatever is seen."""
        return self.nothing, None


def main() -> int:
    """A row for each environment and seed that has agents."""
    settings = read_settings(Settings, Path("pixels.toml"), HERE)
    out = HERE / "results" / settings.name
    rows = []
    for (name, seed), _ in pd.read_csv(out / "agents.csv").groupby(["environment", "seed"]):
        env = environment(str(name), repeat=settings.repeat)
        assert env.action_space.shape is not None
        found = returns(Still(env.action_space.shape), env, episodes=settings.episodes, seed=int(seed))
        rows.append({"environment": name, "seed": seed, "return": float(found.mean())})
    write_whole(out / "still.csv", lambda part: pd.DataFrame(rows).to_csv(part, index=False, float_format="%.5g"))
    print(out / "still.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())

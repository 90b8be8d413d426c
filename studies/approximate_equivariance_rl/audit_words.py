"""How often are the words wrong that `probe` of an agent says of its world? Planted breakings, known elements, counted.

    python studies/approximate_equivariance_rl/audit_words.py

Writes results/words.csv, which the page of the study reads. Some two minutes of the processor.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness import say  # noqa: E402

from orbitscope._whole import write_whole  # noqa: E402
from orbitscope.symmetry import Layout  # noqa: E402
from orbitscope.systems.control import Agent, EnvSymmetry, audit_environment, environment, symmetry_of  # noqa: E402

MOVED_AXES = ("cartpole", "pendulum", "acrobot", "cup_catch", "reacher", "point_mass")
"""Tasks whose group moves the world's first axis as a vector, so that it is known which elements a force along it breaks."""
OTHERS = ("walker", "swimmer")
BREAKINGS = {
    "gain": ("cartpole", "pendulum", "reacher", "point_mass", "walker"), "gravity": MOVED_AXES, "wind": ("cartpole", "reacher"),
    "bonus": ("cartpole", "point_mass"),
}  # fmt: skip
SIZES = (1e-3, 1e-2, 0.1)
EPISODES, LENGTH = 16, 8  # as `audits_of` takes them


def broken_elements(symmetry: EnvSymmetry, kind: str) -> list[bool]:
    """For every element but the identity whether a breaking of the first action, observation or axis of the world breaks it."""
    layout = {"gain": symmetry.layout("action"), "bonus": symmetry.layout("observation")}.get(kind, Layout.of("axis:vector"))
    first = [layout.matrix(g)[:, 0] for g in symmetry.group.elements[1:]]
    return [not np.array_equal(column, np.eye(len(column))[0]) for column in first]


def cases(seeds: Sequence[int]) -> Iterator[tuple[str, str, float, int]]:
    """(task, kind, size, seed) of every audit; no kind for a world as it is."""
    for seed in seeds:
        yield from ((task, "", 0.0, seed) for task in (*MOVED_AXES, *OTHERS))
        yield from ((task, kind, size, seed) for kind, tasks in BREAKINGS.items() for task in tasks for size in SIZES)


def words(task: str, kind: str, size: float, seed: int) -> list[dict[str, object]]:
    """A row for every element but the identity: what is true, what was said."""
    env, symmetry = environment(f"{task}+{kind}={size:g}" if kind else task), symmetry_of(task)
    agent = Agent(env, symmetry, policy="plain", width=8, seed=seed)

    def wander(seen: object) -> object:
        return agent.predict(seen, deterministic=False)[0]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        table = audit_environment(env, symmetry, episodes=EPISODES, length=LENGTH, horizon=1, seed=seed, policy=wander, repair=False)
    truth = broken_elements(symmetry, kind) if kind else [False] * (len(symmetry.group.elements) - 1)
    said = [str(v) for v in table["verdict"].values[1:]]
    common = {"task": task, "kind": kind or "none", "size": size, "seed": seed}
    names = [g.name for g in symmetry.group.elements[1:]]
    return [{**common, "element": n, "broken": b, "said": w} for n, b, w in zip(names, truth, said, strict=True)]


def main(argv: Sequence[str] | None = None) -> int:
    """Audit, count, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=HERE / "results" / "words.csv")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows: list[dict[str, object]] = []
    for case in cases(options.seeds):
        rows += words(*case)
        say(f"{case}: {rows[-1]['said']}")
    text = pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
    write_whole(options.out, lambda part: part.write_text(text, encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())

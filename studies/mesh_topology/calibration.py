"""How often the words on re-meshing are wrong: breakings of known size under the verdict, ratios of known size under the study's rule.

    python studies/mesh_topology/calibration.py

Writes results/<config>/calibration.csv, a row for every rule and size. The verdict's words ("holds", "broken", "undecided") are those that
`probe` gives for one move: networks whose answers are the radar's, an error that no move changes (a random integral over the surface), and
a random network on the graph of faces that a move does change, less its mean over both meshings, of a known share of the squared error in
a population of shapes. The study's words: ratios of a known size times what the runs of the study scatter by, as many
at a time as it has seeds, from all settings together.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import harness  # noqa: E402  # one thread, before torch is imported
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402
from experiments import shapes  # noqa: E402
from study import PRETEXTS  # noqa: E402
from tables import of, summary, word  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import orbitscope as osc  # noqa: E402
from orbitscope._whole import write_whole  # noqa: E402
from orbitscope.probe import machine  # noqa: E402
from orbitscope.symmetry import Action, Invariant  # noqa: E402
from orbitscope.systems.meshes import SYSTEM, Remesh, remeshing, trimmed  # noqa: E402

SHARES, UNITS, MARGIN = (0.025, 0.05, 0.1, 0.2), (8, 16, 32), 0.05
MOVES, MODELS, POPULATION = ("split_30", "flip_50", "midpoint"), 40, 210
#: Ratios that are planted under the study's rule, and draws for each.
COSTS, DRIFTS, DRAWS = (1.0, 1.1, 1.2, 1.5), (1.0, 0.8, 0.5, 0.25), 4000
SEED = 77_000


class Turned(Action[Any]):
    """Shapes by number: the move takes number k to k + `count`, its re-meshed copy, whose answers were computed beforehand."""

    channels = ("number",)

    def __init__(self, count: int) -> None:
        self.count = count

    def __call__(self, element: Any, state: Any) -> Any:
        """The numbers of the re-meshed shapes."""
        return state if element.is_identity else state + self.count


class Known(nn.Module):
    """The answers [2 count, channel] of a network by the numbers of shapes [N, 1]."""

    def __init__(self, answers: Tensor) -> None:
        super().__init__()
        self.register_buffer("answers", answers)

    def forward(self, number: Tensor) -> Tensor:
        """The answers at those numbers."""
        return self.answers[number[:, 0].long()]  # type: ignore[index]


@torch.no_grad()
def random_answers(name: str, examples: osc.Examples, seed: int, *states: tuple[Tensor, ...]) -> list[Tensor]:
    """What an untrained network says of states, [N, channel] each."""
    torch.manual_seed(seed)
    net = SYSTEM.models[name].make(examples)
    return [torch.cat([net(*trimmed(tuple(p[i : i + 64] for p in s))) for i in range(0, len(s[0]), 64)]).double() for s in states]


def planted(truth: Tensor, even: Tensor, plain: Tensor, moved: Tensor, share: float) -> Tensor:
    """The answers [2 N, channel] on meshes as they are and re-meshed: of the squared error, `share` is the breaking."""
    half = (plain - moved) / 2
    size = (share / (1 - share) * even.square().sum() / half.square().sum()).sqrt()
    return torch.cat([truth + even + size * half, truth + even - size * half])


def verdicts(models: int, population: int, kinds: tuple[str, ...], room: int) -> list[dict[str, Any]]:
    """The verdict's word for each move, size of breaking and number of shapes, counted over networks."""
    examples = shapes(population, SEED, room, kinds)
    assert isinstance(examples.y, Tensor) and isinstance(examples.x, tuple)
    truth = examples.y.double()
    errors = [random_answers("mesh_integral", examples, SEED + model, examples.x)[0] for model in range(models)]
    size = (truth - truth.mean(0)).square().sum().sqrt() / 2
    rows = []
    for move in MOVES:
        words = remeshing([move])
        state = Remesh()(words.probes()[1], examples.x)
        claim = osc.Symmetry(words, Turned(population), Invariant(truth.shape[1]))
        said: dict[tuple[float, int], list[str]] = {(share, n): [] for share in SHARES for n in UNITS}
        for model, even in enumerate(errors):
            plain, moved = random_answers("mesh_graph", examples, SEED + 500 + model, examples.x, state)
            order = np.random.default_rng([SEED, model]).permutation(population)
            for share, n in said:
                net, chosen = Known(planted(truth, even * size / even.norm(), plain, moved, share)), torch.as_tensor(order[:n])
                some = osc.Examples(chosen[:, None].double(), truth[chosen])
                found = osc.equivariance(net, some, claim, trajectories=None, times=None)
                said[share, n].append(str(osc.verdict(claim, found, margin=MARGIN)["output"].values[1]))
        rows += [
            {
                "rule": "verdict", "what": move, "size": share, "units": n, "draws": models, "first": w.count("broken"),
                "other": w.count("holds"),
            }
            for (share, n), w in said.items()
        ]  # fmt: skip
    return rows


def scatter(runs: pd.DataFrame, what: str) -> np.ndarray:
    """How logarithms of the study's ratios lie about the mean of their setting, made as wide as if that mean had not been taken of them."""
    found = []
    for (model, pretext, augmented, labels), _ in runs.groupby(["model", "pretext", "augmented", "labels"]):
        mine = of(runs, model, pretext, augmented, labels)
        if what == "cost" and model != "integral":  # its ratios are 1 to three digits in every run
            found.append(np.log(mine["moved"] / mine["plain"]).to_numpy())
        if what == "drift" and pretext in PRETEXTS and len(base := of(runs, model, "none", augmented, labels)):
            found.append(np.log(mine["drift"] / base["drift"]).dropna().to_numpy())
    return np.concatenate([(v - v.mean()) * (len(v) / (len(v) - 1)) ** 0.5 for v in found if len(v) > 2])


def ratios(runs: pd.DataFrame, draws: int) -> list[dict[str, Any]]:
    """The study's word for ratios of known size, counted over draws of as many seeds as it has."""
    from judgement import interval

    rows, seeds = [], int(runs["seed"].nunique())
    for what, sizes in (("cost", COSTS), ("drift", DRIFTS)):
        pool, rng = scatter(runs, what), np.random.default_rng([SEED, len(what)])
        for size in sizes:
            logs = np.log(size) + rng.choice(pool, (draws, seeds))
            said = [word((float(np.exp(v.mean())), *np.exp(interval(v))), below=what == "drift") for v in logs]
            rows.append({
                "rule": "study", "what": what, "size": size, "units": seeds, "draws": draws, "first": said.count("agrees"),
                "other": said.count("contradicts"),
            })  # fmt: skip
    return rows


def main() -> int:
    """Count and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "small")
    parser.add_argument("--ratios-only", action="store_true", help="count the study's words again, keep what is known of the verdict")
    parser.add_argument("--models", type=int, default=MODELS, help="random networks for each move")
    parser.add_argument("--population", type=int, default=POPULATION, help="shapes in which the share is planted")
    options = parser.parse_args()
    torch.set_num_threads(1)
    t = harness.Tables(options.results)
    settings = t.meta["settings"]
    rows = ratios(summary(t["errors"]), DRAWS)
    if options.ratios_only:
        known = t["calibration"]
        rows += known[known["rule"] == "verdict"].drop(columns="machine").to_dict("records")
    else:
        rows += verdicts(options.models, options.population, tuple(settings["kinds"]), settings["room"])
    frame = pd.DataFrame(rows).assign(machine=machine())
    text = frame.to_csv(index=False, float_format="%.4g", lineterminator="\n")
    write_whole(options.results / "calibration.csv", lambda part: part.write_text(text, encoding="utf-8"))
    print(frame.drop(columns="machine").to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main())

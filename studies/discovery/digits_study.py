"""Digits on curved surfaces: the group from predictors by chart, then networks built from the learnt matrices. Writes results/digits/.

    python studies/discovery/digits_study.py [STEPS [SURFACE]]     # a minute or less of one core for each step; what is finished is kept

Four networks see the same digits, turned within 60 degrees: a plain one, one with the group of the learnt matrices, one with the same group
made to come back after a turn, one with that of exact rotations. A fifth, plain one sees digits turned anyhow, which is augmentation with
the true group. All are tested on digits turned anyhow. What single errors of a generator cost is planted, on seeds of their own.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import digits as dg
import numpy as np
import torch
from torch import Tensor, nn

from orbitscope._whole import write_whole
from orbitscope.data import Examples
from orbitscope.discover import Atlas, Forms, Problem, principal_cosines, rates, weigh
from orbitscope.probe import machine
from orbitscope.symmetry import Classes, FieldAction, Symmetry, general_linear
from orbitscope.training import FitConfig, fit

RESULTS = Path(__file__).parent / "results" / "digits"
SEEDS = (0, 1, 2, 3, 4)
TURN = np.array([[0.0, -1.0], [1.0, 0.0]])
NARROW, WIDE = 60.0, 180.0
#: Fields for each of two predictors, held out, and for a network; test fields.
EACH, HELD, TRAIN, TEST = 900, 150, 1000, 500
NETWORKS = ("plain", "learnt group", "learnt group, closed", "true group", "plain, augmented")
#: Generators with one error each, and seeds that nothing else is judged by.
STRETCH = np.diag([1.12**0.5, 1.12**-0.5])
PLANTED = {
    "none": TURN, "axes 1.12 : 1": STRETCH @ TURN @ np.linalg.inv(STRETCH), "growth by 6.5 % in a turn": TURN + 0.01 * np.eye(2),
    "both": STRETCH @ TURN @ np.linalg.inv(STRETCH) + 0.01 * np.eye(2),
}  # fmt: skip
PLANTED_SEEDS, PLANTED_ON = (100, 101, 102), "cylinder"
PREDICTOR = FitConfig(epochs=30, batch=32, learning_rate=3e-3)
NETWORK = FitConfig(epochs=20, batch=64, learning_rate=3e-3)


def charts(place: dg.Place, count: int, widest: float, seed: int, test: bool = False) -> tuple[Tensor, Tensor]:
    """Charts [count, 3, 1, x, y] cut out of painted surfaces, float32, and classes [count, 3]."""
    field, classes = dg.painted(place, count, widest, seed, test)
    return place.charts.cut(field, dg.LAYOUT).float(), classes


def by_digit(logits: Tensor, classes: Tensor) -> Tensor:
    """Cross-entropy over charts."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), classes.flatten())


def angle(generator: np.ndarray) -> float:
    """To the generator of rotations, in degrees."""
    return float(np.degrees(np.arccos(min(1.0, float(principal_cosines(generator[None], TURN[None])[0])))))


def discovered(name: str, seed: int) -> dict[str, Any]:
    """What `gradient` and `atlas` find in gl(2), from predictors trained on digits turned within 60 degrees."""
    clock, place = time.process_time(), dg.PLACES[name]
    x, y = charts(place, 2 * EACH + HELD, NARROW, 10 + seed)
    models = []
    for k in (0, 1):
        rows = slice(k * EACH, (k + 1) * EACH)
        made = fit(lambda: dg.ByChart(3), (x[rows], y[rows]), PREDICTOR, loss=by_digit, validation=0.1, seed=2 * seed + k, progress=None)
        models.append(made.model.double())
    x, y = x[2 * EACH :].double(), y[2 * EACH :]
    with torch.no_grad():
        accuracy = [float((m(x).argmax(-1) == y).double().mean()) for m in models]
    hypothesis = Symmetry(general_linear(2), FieldAction(dg.LAYOUT, place.charts.domain), Classes(10))
    asked = Problem(hypothesis, Examples(x, y), tuple(models), charts=3, seed=seed)
    found = rates(asked)
    evidence = weigh(Forms.of(found), found.moved, asked.examples.unit, seed=seed)
    basis = np.einsum("ik,iab->kab", evidence.directions, asked.basis())
    learnt = Atlas(steps=200, batch=16).search(asked)
    return {
        "place": name, "seed": seed, "accuracy": accuracy, "words": list(evidence.words), "count": evidence.count, "rough": evidence.rough,
        "breaking": evidence.breaking.tolist(), "by_chart": evidence.by_chart[:, 0].tolist(), "gradient": basis[0].tolist(),
        "gradient_angle": angle(basis[0]), "atlas": learnt.basis[0].tolist(), "atlas_angle": angle(learnt.basis[0]),
        "atlas_score": float(learnt.scores[0]), "gap": dg.closed(learnt.basis[0])[1], "seconds": time.process_time() - clock,
    }  # fmt: skip


def classified(name: str, seed: int, network: str, generator: np.ndarray) -> dict[str, Any]:
    """One network trained on digits one by one, and its accuracy on digits turned within 60 degrees and anyhow."""
    clock, place = time.process_time(), dg.PLACES[name]
    x, y = charts(place, TRAIN, WIDE if network == "plain, augmented" else NARROW, 20 + seed)
    built = {"learnt group": generator, "planted": generator, "learnt group, closed": dg.compact(generator)}
    matrices = dg.closed(built.get(network, TURN))[0]
    make = dg.plain if network.startswith("plain") else lambda: dg.Equivariant(matrices)
    made = fit(make, (x.flatten(0, 1), y.flatten()), NETWORK, loss="cross_entropy", validation=0.1, seed=seed, progress=None)
    row: dict[str, Any] = {"place": name, "seed": seed, "network": network, "parameters": made.parameters}
    for key, widest in (("narrow", NARROW), ("wide", WIDE)):
        x, y = charts(place, TEST, widest, 30 + seed, test=True)
        with torch.no_grad():
            row[key] = float((made.model(x.flatten(0, 1)).argmax(1) == y.flatten()).double().mean())
    return row | {"seconds": time.process_time() - clock}


def main(most: int = 1000, places: tuple[str, ...] = tuple(dg.PLACES), seeds: tuple[int, ...] = SEEDS) -> None:
    """The next `most` steps that are not there yet; each is written when it is whole."""
    torch.set_num_threads(1)
    file = RESULTS / "digits.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {"machine": machine(), "discovered": [], "networks": []}
    for name in places:
        for seed in seeds:
            for network in ("", *NETWORKS):
                if most <= 0:
                    return
                found = next((r for r in kept["discovered"] if (r["place"], r["seed"]) == (name, seed)), None)
                if not network and found is None:
                    kept["discovered"].append(row := discovered(name, seed))
                    said = f"{name}, seed {seed}: gradient {row['gradient_angle']:.1f}, atlas {row['atlas_angle']:.1f} degrees"
                elif network and not any((r["place"], r["seed"], r["network"]) == (name, seed, network) for r in kept["networks"]):
                    assert found is not None
                    kept["networks"].append(row := classified(name, seed, network, np.array(found["atlas"])))
                    said = f"{name}, seed {seed}, {network}: {row['narrow']:.3f}, {row['wide']:.3f}"
                else:
                    continue
                _write(file, kept, said, row)
                most -= 1
    for seed in PLANTED_SEEDS if PLANTED_ON in places else ():
        for error, generator in PLANTED.items():
            rows = kept.setdefault("planted", [])
            if most > 0 and not any((r["seed"], r["error"]) == (seed, error) for r in rows):
                rows.append(row := classified(PLANTED_ON, seed, "planted", generator) | {"error": error})
                _write(file, kept, f"seed {seed}, planted {error}: {row['narrow']:.3f}, {row['wide']:.3f}", row)
                most -= 1


def _write(file: Path, kept: dict[str, Any], said: str, row: dict[str, Any]) -> None:
    """Everything so far; says what is new."""
    write_whole(file, lambda part: part.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8"))
    print(f"{said}; {row['seconds']:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, tuple(sys.argv[2].split(";")) if len(sys.argv) > 2 else tuple(dg.PLACES))

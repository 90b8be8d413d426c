"""One setting of a network tried on one family, on seeds from 100 up: its skill becomes a row of results/tuning/tuning.csv.

    python studies/symmetry_influence/tune.py euler vit 100 --epochs 60 --rate 3e-3 --override '{"width": 36, "depth": 3}'

The data, the split and the trivial forecasts are those of small.toml; seeds below 100 are for the study itself and are refused.
"""

import argparse
import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import experiments  # noqa: E402
import pandas as pd  # noqa: E402
from harness import read_settings, say  # noqa: E402
from run import simulate  # noqa: E402
from study import DATASETS, Place, Run, Settings, train_config  # noqa: E402
from tables import LABEL, TRIVIAL  # noqa: E402

from orbitscope._whole import write_whole  # noqa: E402
from orbitscope.emulators import load_run, train  # noqa: E402

FILE = HERE / "results" / "tuning" / "tuning.csv"


class Tried(Place):
    """The folder of one trial within that of the study."""

    def run_folder(self, run: Run) -> Path:
        """Where the weights go, away from those of the study."""
        return self.out / "tried" / run.key


def tried(place: Tried, run: Run, changes: dict[str, Any]) -> dict[str, Any]:
    """Train `run` with `changes` of its configuration: settings, parameters, processor seconds and skill."""
    shutil.rmtree(place.run_folder(run), ignore_errors=True)
    data, config = place.dataset(run.dataset), dataclasses.replace(train_config(place.settings, run), **changes)
    started = time.process_time()
    train(data, config, place.run_folder(run), progress=None, tensorboard=False)
    seconds = time.process_time() - started
    kept = load_run(place.run_folder(run), "last", trust=True)
    found, _ = experiments.skill(experiments.Context(place, run, data, kept.split["test"]))
    means = pd.DataFrame(found["skill"])[["error", *TRIVIAL]].mean()
    label = dict(zip(LABEL, (run.dataset, run.model, run.schedule, run.seed), strict=True))
    asked = {"epochs": config.epochs, "learning_rate": config.learning_rate, "batch": config.batch}
    asked |= {"overrides": json.dumps(config.overrides)}
    skill = float(means.error / means[TRIVIAL].min())
    return {**label, **asked, "parameters": kept.parameters, "cpu_seconds": seconds, "skill": skill}


def main(argv: Sequence[str] | None = None) -> int:
    """Try one setting and add its row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=DATASETS)
    parser.add_argument("model")
    parser.add_argument("seed", type=int)
    parser.add_argument("--config", type=Path, default=Path("small.toml"))
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--override", type=json.loads, default={})
    parser.add_argument("--schedule", choices=("constant", "cosine"), default="constant")
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--out", type=Path, default=Path("runs") / "study-small")
    parser.add_argument("--file", type=Path, default=FILE)
    options = parser.parse_args(argv)
    if options.seed < 100:
        parser.error(f"seed {options.seed} is one of the study's own; settings are chosen on seeds from 100 up.")
    settings = read_settings(Settings, options.config, HERE)
    place, run = Tried(options.out, settings), Run(options.dataset, options.model, options.schedule, options.seed)
    simulate(place)
    changes = {"epochs": options.epochs, "learning_rate": options.rate, "overrides": options.override}
    row = tried(place, run, changes | ({} if options.batch is None else {"batch": options.batch}))
    frame = pd.DataFrame([row])
    if options.file.exists():
        frame = pd.concat([pd.read_csv(options.file), frame], ignore_index=True)
    text = frame.to_csv(index=False, float_format="%.5g", lineterminator="\n")
    write_whole(options.file, lambda part: part.write_text(text, encoding="utf-8"))
    say(f"{run.key}: skill {row['skill']:.3f}, {row['parameters']:,} parameters, {row['cpu_seconds']:.0f} CPU s")
    return 0


if __name__ == "__main__":
    sys.exit(main())

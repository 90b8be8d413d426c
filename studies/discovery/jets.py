"""Which symmetry do taggers of top quarks see? Jets are generated here, and the library finds it.

    python studies/discovery/jets.py --config jets-quick.toml --jets runs/jets --out runs/discovery-jets-quick

Every finished case is kept in the folder of the study, every chunk of jets in `--jets`; a second start goes on with what is missing. Needs
the extra `collider`, except for `source = "toy"`. Targets: `label`, top against the background; `girth`, a width in the detector's frame
above its median, a control whose symmetry is {Kz, Rxy, D}; `shuffled`, the labels in another order, a control without any.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from harness import Folder, Tell, arguments, collect, compute, read_settings, where  # noqa: E402

import numpy as np  # noqa: E402  # isort: skip  # after the harness: one thread
import torch  # noqa: E402  # isort: skip
from collider import Jets, pool  # noqa: E402
from jets_scores import DILATION, SO13, Spectrum, along, area, form, scores, slopes, spectra  # noqa: E402
from toy_jets import toy  # noqa: E402

from orbitscope import Examples, OrbitscopeError  # noqa: E402
from orbitscope._seed import permutation  # noqa: E402
from orbitscope.discover import (  # noqa: E402
    Atlas,
    Discovery,
    Problem,
    ProductNet,
    discover_symmetry,
    finite_check,
    hypothesis,
    identify,
)
from orbitscope.discover._predictors import _dealt  # noqa: E402  # which jets no tagger has seen
from orbitscope.training import FitConfig, load_fit  # noqa: E402

TARGETS = ("label", "girth", "shuffled")


@dataclass(frozen=True)
class Settings:
    """One TOML file: `jets` in each of the independent `pools`; `source`: pythia or toy; `config`: of `FitConfig`, {}: the library's.

    `atlas`: of the slower method, `orbitscope.discover.Atlas`, which is tried beside on the taggers of the label in `atlas_pools`.
    """

    name: str
    jets: int
    pools: list[int]
    source: str = "pythia"
    pt: tuple[float, float] = (5.5, 10.0)
    config: dict[str, Any] = field(default_factory=dict)
    atlas: dict[str, Any] = field(default_factory=dict)
    atlas_pools: list[int] = field(default_factory=list)


class Place(Folder):
    """The study's folder, and where jets are kept."""

    def __init__(self, out: Path, settings: Settings, jets: Path) -> None:
        super().__init__(out, settings)
        self.jets = jets

    def pool(self, number: int) -> Jets:
        s = self.settings
        return toy(number, s.jets, tuple(s.pt)) if s.source == "toy" else pool(number, s.jets, self.jets)


def main(argv: Sequence[str] | None = None) -> int:
    """Generate, train, discover, collect."""
    parser = arguments(__doc__)
    parser.set_defaults(config=Path("jets-quick.toml"))
    parser.add_argument("--jets", type=Path, default=Path("runs") / "jets", help="where generated jets are kept")
    options = parser.parse_args(argv)
    settings = read_settings(Settings, options.config, HERE)
    place = Place(options.out or Path("runs") / f"discovery-{settings.name}", settings, options.jets)
    results = options.results or HERE / "results" / settings.name
    if not options.page_only:
        compute(place, work, settings.pools, where(options), options.minutes, lambda: None)
        collect(place, results, [{"pool": p, "target": t} for p in settings.pools for t in TARGETS], {})
    print(results)
    return 0


def work(place: Place, number: int, deadline: float, tell: Tell) -> None:
    """All targets of one pool."""
    if all(place.case_file(f"pool-{number}", t).exists() for t in TARGETS):
        return
    jets = place.pool(number)
    for target in TARGETS:
        if not place.case_file(f"pool-{number}", target).exists() and time.time() <= deadline:
            tell(f"pool {number}, {target}")
            measure(place, number, target, jets)


def answers(jets: Jets, target: str, seed: int) -> torch.Tensor:
    """Class numbers."""
    if target == "girth":
        return torch.from_numpy((jets.girth > np.median(jets.girth)).astype(np.int64))
    y = torch.from_numpy(jets.label.astype(np.int64))
    return y[permutation(len(y), seed, "shuffled labels")] if target == "shuffled" else y


def measure(place: Place, number: int, target: str, jets: Jets) -> None:
    """One target of one pool: the library's answer, and the form on gl(4) by its own derivatives."""
    started, cpu = time.time(), time.process_time()
    settings, runs = place.settings, place.out / "runs" / f"pool-{number}-{target}"
    y = answers(jets, target, number)
    examples = Examples(torch.from_numpy(jets.subjets), y, jets.event, _within(jets.event), name="jets")
    config = FitConfig(**settings.config) if settings.config else None
    found, words = None, ""
    try:
        found = discover_symmetry(examples, "gl4", config=config, out=runs, seed=number)
        words = found.sentence()
    except OrbitscopeError as error:
        if "no skill" not in str(error):
            raise
        words = str(error)
    held = examples.take(_dealt(examples, 2, number)[-1])
    x = held.x
    assert isinstance(x, torch.Tensor)
    nets = [load_fit(runs / f"predictor-{k}", ProductNet(torch.zeros(12), 1.0, (2,))).model.double() for k in range(2)]
    v = [slopes(net, x) for net in nets]
    by_form = spectra(*v)
    if found is not None:
        e = found.evidence
        by_form["library"] = Spectrum(found.basis, e.breaking, e.correlation)
        found.save(runs / "found.nc")
    problem, before = Problem(hypothesis("gl4", held), held, tuple(nets), None, number), time.process_time()
    if target == "label" and number in settings.atlas_pools:
        learnt = Atlas(**settings.atlas).search(problem)
        by_form["atlas"] = Spectrum(learnt.basis, learnt.scores, np.full(len(learnt.scores), np.nan))
    slower = time.process_time() - before
    with torch.no_grad():
        logits = [net(x).numpy() for net in nets]
    truth = held.y.numpy()  # type: ignore[union-attr]
    answer = {
        "sentence": words, "count": 0 if found is None else found.count,
        "levels": "" if found is None else " ".join(map(str, found.evidence.levels)),
        **_names(found, by_form), "skill": float("nan") if found is None else max(found.predictor_error),
        **{f"area_{k + 1}": area(one[:, 1] - one[:, 0], truth) for k, one in enumerate(logits)},
        "held": len(x), "cpu_seconds": time.process_time() - cpu - slower, "atlas_seconds": slower,
    }  # fmt: skip
    tables = {
        "answers": [answer],
        "scores": [{"form": name, **scores(s)} for name, s in by_form.items()],
        "spectrum": [row for name, s in by_form.items() for row in _spectrum(name, s, found)],
        "along": [{"generator": k, "value": value} for k, value in along(form(*v)).items()],
        "finite": _finite(problem, found),
        "data": _data(jets, y) if target == "girth" else [],
    }
    place.write_case(f"pool-{number}", target, {"pool": number, "target": target}, tables, time.time() - started)


def _within(event: np.ndarray) -> np.ndarray:
    """The number of a jet within its event."""
    seen: dict[int, int] = {}
    slots = []
    for one in event.tolist():
        slots.append(seen.get(one, 0))
        seen[one] = slots[-1] + 1
    return np.array(slots)


def _names(found: Discovery | None, by_form: dict[str, Spectrum]) -> dict[str, str]:
    """What the library calls the first three, six and seven directions."""
    chosen = {"crossed": by_form["crossed"].basis} | ({} if found is None else {"library": found.basis})
    names = {f"{form}_{k}": identify(basis[:k]).name for form, basis in chosen.items() for k in (3, 6, 7)}
    return names | {"found": found.identification().name if found is not None and found.count else "nothing"}


def _spectrum(name: str, s: Spectrum, found: Discovery | None) -> list[dict[str, Any]]:
    rows = []
    for k in range(len(s.values)):
        row = {"form": name, "direction": k + 1, "value": s.values[k], "correlation": s.correlation[k]}
        if name == "library" and found is not None:
            e = found.evidence
            row |= {"low": e.low[k], "high": e.high[k], "noise": e.noise[k], "word": e.words[k]}
        rows.append(row)
    return rows


def _finite(problem: Problem, found: Discovery | None) -> list[dict[str, Any]]:
    """Finite motions along what was found, the true so(1,3), dilation, and all of gl(4)."""
    algebras = {"so(1,3)": SO13, "dilation": DILATION} | ({} if found is None or not found.count else {"found": found.algebra})
    rows = []
    for name, algebra in algebras.items():
        check = finite_check(problem, algebra)
        for k, size in enumerate(check["size"]):
            rows.append({"motion": name, "size": size, "change": check["found"][k], "outside": check["outside"][k]})
            if name == "dilation":
                rows.append({"motion": "gl(4)", "size": size, "change": check["hypothesis"][k], "outside": float("nan")})
    return rows


def _data(jets: Jets, girth: torch.Tensor) -> list[dict[str, Any]]:
    """Quantiles of both classes, and how often the control's class is the label."""
    same, rows = float((girth.numpy() == jets.label).mean()), []
    for label in (0, 1):
        some = jets.take(jets.label == label)
        row = {"label": label, "jets": len(some), "events": len(np.unique(some.event)), "girth_is_label": same}
        for name in ("mass", "pt", "girth"):
            row |= {f"{name}_{q}": float(np.quantile(getattr(some, name), q / 100)) for q in (10, 50, 90)}
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())

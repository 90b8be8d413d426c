"""Jets of top quarks and of light partons, generated here: seeded chunk by chunk, kept on disk, resumable.

Truth level, proton collisions at 14 TeV without multi-parton interactions; neutrinos removed; anti-kT jets of radius 0.8 with |eta| < 2,
550 <= pT <= 1000 GeV and at least 8 constituents, every such jet of an event. Tops decay to hadrons. The spectrum is flattened
(`PhaseSpace:bias2Selection`, power 4.5) and the events' weights are ignored on purpose: the label asks what a jet is, not how many there
are.
Needs the extra `collider` (pythia8mc, fastjet, awkward).
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orbitscope._whole import write_whole

Array = NDArray[np.float64]

CHUNK = 5000  # jets of one class from one generator
WINDOW = (550.0, 1000.0)  # GeV
PT_HAT = (480.0, 1300.0)  # GeV, of the hard process: wide enough that its edges lie outside of the window
PROCESSES = {
    0: ("HardQCD:all = on",),
    1: ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", "24:onMode = off", "24:onIfAny = 1 2 3 4 5"),
}
_EVENTS = 400  # at a time
_NEUTRINOS = (12, 14, 16)
_RADIUS, _ETA, _LEAST, _SUBJETS = 0.8, 2.0, 8, 3
_UNIT = 100.0  # GeV


@dataclass(frozen=True, eq=False)
class Jets:
    """Jets in the order in which they were made, classes in turn.

    * `subjets` [N, 3, 4]: (E, px, py, pz) of three exclusive-kT subjets, hardest first, in 100 GeV, in the laboratory's frame.
    * `label` [N]: 1 for events with tops, 0 for the background. `event` [N]: jets of one event share it.
    * `girth` [N]: sum of pT dR over sum of pT of the constituents, in the laboratory's frame. `pt`, `mass` [N]: of the jet, in GeV.
    """

    subjets: Array
    label: NDArray[np.int64]
    event: NDArray[np.int64]
    girth: Array
    pt: Array
    mass: Array

    def __len__(self) -> int:
        return len(self.label)

    def take(self, rows: Any) -> "Jets":
        """Some jets."""
        return Jets(**{k: v[rows] for k, v in vars(self).items()})


def pool(number: int, count: int, folder: Path, say: Callable[[str], object] = print) -> Jets:
    """`count` jets, half of them of each class, of the independent pool `number`; chunks that lie in `folder` are not made again."""
    per_class = count // 2
    found: list[dict[str, Any]] = []
    for chunk in range(-(-per_class // CHUNK)):
        for label in PROCESSES:
            path = folder / f"pool-{number}" / f"{'top' if label else 'qcd'}-{chunk:03d}.npz"
            if not path.exists():
                made = generate(label, _seed(number, label, chunk), CHUNK)
                write_whole(path, lambda part, made=made: _save(part, made))
                say(f"jets: {path.parent.name}/{path.stem}")
            with np.load(path) as stored:
                kept = {k: stored[k][: per_class - chunk * CHUNK] for k in stored.files}
            kept["event"] = kept["event"] + (2 * chunk + label) * 10_000_000
            found.append({**kept, "label": np.full(len(kept["event"]), label)})
    return Jets(**{k: np.concatenate([f[k] for f in found]) for k in Jets.__dataclass_fields__})


def _seed(number: int, label: int, chunk: int) -> int:
    """Of the generator, which takes 1 to 900,000,000."""
    return 1 + int(np.random.SeedSequence([0x1E75, number, label, chunk]).generate_state(1, np.uint64)[0] % 900_000_000)


def _save(part: Path, made: dict[str, Array]) -> None:
    with part.open("wb") as file:
        np.savez(file, **made)


def generate(label: int, seed: int, count: int) -> dict[str, Array]:
    """`count` jets of one class: subjets, event, girth, pt, mass."""
    rows: list[dict[str, Array]] = []
    done = start = 0
    for events in _events(label, seed):
        made = _jets(events)
        made["event"] = made["event"] + start
        start, done = start + _EVENTS, done + len(made["event"])
        rows.append(made)
        if done >= count:
            return {k: np.concatenate([r[k] for r in rows])[:count] for k in rows[0]}
    raise AssertionError("the generator goes on for ever")


def _events(label: int, seed: int) -> Iterator[Any]:
    """Batches of events as awkward arrays of final particles with px, py, pz, E."""
    import awkward as ak
    import pythia8mc

    generator = pythia8mc.Pythia("", False)
    low, high = PT_HAT
    for line in (
        "Print:quiet = on", "Beams:eCM = 14000", "PartonLevel:MPI = off", "Random:setSeed = on", f"Random:seed = {seed}",
        f"PhaseSpace:pTHatMin = {low}", f"PhaseSpace:pTHatMax = {high}", "PhaseSpace:bias2Selection = on",
        "PhaseSpace:bias2SelectionPow = 4.5", *PROCESSES[label],
    ):  # fmt: skip
        if not generator.readString(line):
            raise ValueError(f"pythia does not know {line!r}")
    if not generator.init():
        raise RuntimeError("pythia did not start")
    while True:
        particles = generator.nextBatch(_EVENTS).prt
        unseen = particles.id * 0 == 1
        for code in _NEUTRINOS:
            unseen = unseen | (abs(particles.id) == code)
        final = particles[(particles.status > 0) & ~unseen]
        # With the mass that the generator lists: E^2 - p^2 of a soft particle has no digits left.
        p, m = final.p, final.m
        energy = np.sqrt(p.px**2 + p.py**2 + p.pz**2 + np.maximum(m, 0.0) ** 2)
        yield ak.zip({"px": p.px, "py": p.py, "pz": p.pz, "E": energy}, with_name="Momentum4D")


def _jets(events: Any) -> dict[str, Array]:
    """The jets of a batch of events that pass the cuts."""
    import awkward as ak
    import fastjet

    with _quiet():
        clusters = fastjet.ClusterSequence(events, fastjet.JetDefinition(fastjet.antikt_algorithm, _RADIUS))
        jets, inside = clusters.inclusive_jets(min_pt=WINDOW[0]), clusters.constituents(min_pt=WINDOW[0])
    pt, eta = _pt(jets), np.arcsinh(jets.pz / _pt(jets))
    good = (pt <= WINDOW[1]) & (abs(eta) < _ETA) & (ak.num(inside, axis=2) >= _LEAST)
    event = ak.to_numpy(ak.flatten(ak.broadcast_arrays(np.arange(len(events)), pt)[0][good]))
    flat, parts = ak.flatten(jets[good]), ak.flatten(inside[good])
    if not len(flat):
        empty = np.zeros(0)
        return {"subjets": np.zeros((0, _SUBJETS, 4)), "event": event, "girth": empty, "pt": empty, "mass": empty}
    with _quiet():
        # The radius does not matter to exclusive kT, as long as no pair lies farther apart than it.
        split = fastjet.ClusterSequence(parts, fastjet.JetDefinition(fastjet.kt_algorithm, 10.0)).exclusive_jets(n_jets=_SUBJETS)
    ordered = split[ak.argsort(_pt(split), axis=1, ascending=False)]
    subjets = np.stack([ak.to_numpy(ordered[c]) for c in ("E", "px", "py", "pz")], -1) / _UNIT
    whole = np.stack([ak.to_numpy(flat[c]) for c in ("E", "px", "py", "pz")], -1)
    assert np.abs(subjets.sum(1) * _UNIT - whole).max() < 1e-8 * whole.max(), "subjets lost a constituent"
    mass = np.sqrt(np.maximum(whole[:, 0] ** 2 - (whole[:, 1:] ** 2).sum(1), 0.0))
    return {"subjets": subjets, "event": event, "girth": _girth(flat, parts), "pt": np.hypot(whole[:, 1], whole[:, 2]), "mass": mass}


def _pt(p: Any) -> Any:
    return np.sqrt(p.px**2 + p.py**2)


def _girth(jets: Any, parts: Any) -> Array:
    """Distances in rapidity and azimuth, which boosts along the beam, turns about it and scaling leave alone."""
    import awkward as ak

    rapidity = lambda p: np.arctanh(p.pz / p.E)  # noqa: E731
    turn = np.arctan2(parts.py, parts.px) - np.arctan2(jets.py, jets.px)
    turn = (turn + np.pi) % (2 * np.pi) - np.pi
    away = np.sqrt((rapidity(parts) - rapidity(jets)) ** 2 + turn**2)
    return ak.to_numpy(ak.sum(_pt(parts) * away, axis=1) / ak.sum(_pt(parts), axis=1))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without fastjet's banner and its warning about d_cut, which is meant for other algorithms than kT."""
    kept, nothing = [os.dup(1), os.dup(2)], os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1), os.dup2(nothing, 2)
    try:
        yield
    finally:
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)
        os.close(nothing)

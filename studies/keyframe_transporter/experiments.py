"""What the study measures: how often arms do a task under each condition, errors of their keyframes, symmetry, and flat scoring."""

import math
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from arms import ARMS
from harness import Folder, Tell
from tabletop import push, scene_of
from torch import Tensor

from orbitscope.data import Examples, load_examples, save_examples
from orbitscope.systems.manipulation import (
    SETTINGS,
    SYSTEM,
    FingerError,
    KeyframeLoss,
    ModelPolicy,
    NearestDemonstration,
    PlaceError,
    Policy,
    Transporter,
    TurnError,
    WithAnswer,
    evaluate,
    examples_of,
    keypose_mlp_for,
    recorded,
    transporter_for,
)
from orbitscope.systems.manipulation._seen import middle
from orbitscope.training import FitConfig, fit

JUDGED, SHOWN, UNSEEN = 3000, 1000, 5000  # first layouts of episodes, of demonstrations, of decisions that are compared
_NEAR = (0.02, math.radians(20.0))
Rows = dict[str, list[dict[str, Any]]]


def demonstrations(place: Folder, task: str, condition: str, first: int, count: int) -> Examples:
    """Keyframes of demonstrations, made once."""
    kept = place.out / "demonstrations" / f"{task}-{condition.replace(' ', '_')}-{first}-{count}.nc"
    if not kept.exists():
        scene = scene_of(task, condition, place.settings.yaw)
        tables = [recorded(scene, first + k, SETTINGS) for k in range(count)]
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_examples(examples_of(tables, {"scenario": f"manipulation.{task}"}), kept, force=True)
    return load_examples(kept)


def shown(place: Folder, label: dict[str, Any], condition: str = "as shown") -> Examples:
    """The demonstrations of a run: those of a smaller run are the first of those of a larger one."""
    s = place.settings
    own = condition != "as shown" or label["arm"] == "modulo"
    count = label["demonstrations"] if own else max([s.demonstrations, *s.more])
    every = demonstrations(place, label["task"], condition, SHOWN + 200 * label["seed"], count)
    chosen = every.units[: label["demonstrations"]]
    found = every.take(np.flatnonzero(np.isin(every.unit, chosen)))
    return found if label["arm"] == "modulo" else SYSTEM.probed(found)  # one answer for each keyframe


def trained(place: Folder, label: dict[str, Any], condition: str = "as shown") -> Any:
    """The model of a run; trained once."""
    s, arm, examples = place.settings, label["arm"], shown(place, label, condition)
    steps = math.ceil(len(examples) / s.batch)
    config = FitConfig(epochs=math.ceil(s.steps / steps), batch=s.batch, learning_rate=s.learning_rate, weight_decay=1e-5)
    make = keypose_mlp_for if arm == "mlp" else transporter_for
    kind = "trained" if condition == "as shown" else "suite"
    options = dict(ARMS[arm])
    augment = WithAnswer(turn=options.pop("turned", True))
    folder = place.out / kind / f"{label['task']}-{arm.replace(' ', '_')}-{label['demonstrations']}-{label['seed']}"
    return fit(
        partial(make, examples, width=s.width, **options), examples, config, loss=KeyframeLoss(), augment=augment, out=Path(folder),
        seed=label["seed"], progress=None,
    )  # fmt: skip


def arms(place: Folder, label: dict[str, Any], tell: Tell) -> Rows:
    """One arm with one seed: trained, then it acts under every condition."""
    s, found = place.settings, {"runs": [], "errors": [], "symmetry": []}
    began = time.process_time()
    if label["arm"] == "nearest demonstration":
        policy: Policy = NearestDemonstration(shown(place, label))
    else:
        fitted = trained(place, label)
        seconds = time.process_time() - began
        policy = ModelPolicy(fitted.model)
        found["runs"].append({"parameters": fitted.parameters, "train_seconds": seconds, "loss": fitted.history[-1]["train"]})
        for condition in ("as shown", "hands held out"):
            found["errors"].append({"condition": condition, **errors(fitted.model, unseen(place, label["task"], condition))})
        if isinstance(fitted.model, Transporter):
            found["runs"][0]["scores"] = candidates(fitted.model)
            found["symmetry"] = symmetry(fitted.model, unseen(place, label["task"], "hands held out"))
        tell(f"{label}: trained, {seconds:.0f} s")
    found["success"] = acted(place, label, policy, s.conditions, tell)
    return found


def robust(place: Folder, label: dict[str, Any], tell: Tell) -> Rows:
    """The same models under other conditions."""
    return {"success": acted(place, label, ModelPolicy(trained(place, label).model), place.settings.more_conditions, tell)}


def suite(place: Folder, label: dict[str, Any], tell: Tell) -> Rows:
    """A full arm on a task of the suite, and the nearest demonstration."""
    fitted, rows = trained(place, label, "any hold"), []
    rivals = {label["arm"]: ModelPolicy(fitted.model), "nearest demonstration": NearestDemonstration(shown(place, label, "any hold"))}
    for name, policy in rivals.items():
        rows += [{"policy": name, **row} for row in acted(place, label, policy, ["any hold"], tell)]
    found = errors(fitted.model, demonstrations(place, label["task"], "any hold", UNSEEN, 2 if place.settings.name == "tiny" else 8))
    return {"suite": rows, "suite_errors": [{**found, "orientations": len(fitted.model.turns), "scores": candidates(fitted.model)}]}


def acted(place: Folder, label: dict[str, Any], policy: Policy, conditions: list[str], tell: Tell) -> list[dict[str, Any]]:
    """How often a policy does its task under each condition."""
    s, rows = place.settings, []
    for condition in conditions:
        scene, began = scene_of(label["task"], condition, s.yaw), time.process_time()
        disturb = push if condition == "pushed" else None
        outcome = evaluate(policy, scene, range(s.judged, s.judged + s.episodes), settings=dict(SETTINGS), disturb=disturb)
        far = sum("out of reach" in o for o in outcome.outcomes)
        row = {"condition": condition, "successes": outcome.successes, "episodes": outcome.episodes, "out_of_reach": far}
        rows.append({**row, "keyframes": outcome.keyframes, "seconds": time.process_time() - began})
        tell(f"{label}: {condition}, {outcome}")
    return rows


def unseen(place: Folder, task: str, condition: str) -> Examples:
    """Decisions that no run was trained on."""
    return demonstrations(place, task, condition, UNSEEN, 2 if place.settings.name == "tiny" else 8)


@torch.no_grad()
def errors(model: Any, examples: Examples) -> dict[str, float]:
    """Medians of distance and angle to the demonstrated keyframe, and the share of wrong fingers."""
    answer = model(*examples.x)
    each = {"place": PlaceError(), "turn": TurnError()}
    found = {name: float(loss.each(answer, examples.y[:2]).median()) for name, loss in each.items()}
    found |= {f"{name}_modulo": float(loss.each(answer, examples.y).median()) for name, loss in each.items()}
    return {**found, "fingers": float(FingerError().each(answer, examples.y).mean()), "decisions": len(examples)}


def candidates(model: Transporter) -> int:
    """Poses that are scored for one answer."""
    return sum((len(model.turns) if k == 0 else 27) * level.cells**3 for k, level in enumerate(model.levels))


@torch.no_grad()
def symmetry(model: Transporter, examples: Examples) -> list[dict[str, Any]]:
    """Largest change of coarse scores, over their largest, in float32: quarter turns of the scene, a turn of what is held by 40 degrees."""
    assert isinstance(examples.x, tuple)
    first = torch.as_tensor(examples.slot == 0)  # the hand is still high over everything
    points, colours, mask, hand, told = (v[first][:4] for v in examples.x)
    inside = model.in_hand(points, hand)
    mean = model.contents((points, colours, mask, hand, told))[3]
    axes = hand[:, 3:].unflatten(1, (3, 3))  # rows
    local = (points - hand[:, None, :3]) @ axes.mT
    far = inside * ((local - mean[:, None]).norm(dim=2) > 0.04)  # what a turn would take out of the box is left out
    x = (points, colours, mask * (1 - far), hand, told)
    mean, turns, centre = model.contents(x)[3], model.turns.expand(len(hand), -1, -1, -1), middle(hand)
    plain = model.scores(0, x, turns, centre)[0]
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    rows = hand.unflatten(1, (4, 3)) @ quarter.mT
    hits = torch.einsum("rij,sij->rs", quarter @ model.turns, model.turns).argmax(1)
    moved = model.scores(0, (points @ quarter.mT, colours, x[2], rows.flatten(1), told), turns, centre)[0][:, hits]
    g2 = turn_about(torch.tensor([0.6, 0.0, 0.8]), math.radians(40.0))
    held = torch.where(inside[..., None] > 0, ((local - mean[:, None]) @ g2.mT + mean[:, None]) @ axes + hand[:, None, :3], points)
    found = model.scores(0, (held, *x[1:]), turns @ g2.mT, centre)[0]
    size = float(plain.abs().max())
    return [
        {"motion": "a quarter turn of the scene", "error": float((moved - torch.rot90(plain, 1, (2, 3))).abs().max()) / size},
        {"motion": "40 degrees of what is held", "error": float((found - plain).abs().max()) / size},
    ]


def turn_about(axis: Tensor, angle: float) -> Tensor:
    """The rotation [3, 3] about a unit vector."""
    x, y, z = axis.tolist()
    k = torch.tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return torch.eye(3) + math.sin(angle) * k + (1 - math.cos(angle)) * (k @ k)


@torch.no_grad()
def search(place: Folder, label: dict[str, Any], tell: Tell) -> Rows:
    """The fine network alone, scored over the whole table at every orientation, beside coarse to fine."""
    with torch.enable_grad():  # a study of the search alone trains first
        model: Any = trained(place, label).model.eval()
    examples, rows = unseen(place, label["task"], "as shown"), []
    for k in range(min(place.settings.searched, len(examples))):
        x, y = (tuple(v[k : k + 1] for v in parts) for parts in (examples.x, examples.y))
        began = time.process_time()
        answer = model(*x)
        between = time.process_time()
        flat, count = flat_search(model, x, place.settings.reach)
        row: dict[str, Any] = {"decision": k, "coarse_to_fine": candidates(model), "flat": count}
        row |= {"coarse_to_fine_seconds": between - began, "flat_seconds": time.process_time() - between}
        for name, pose in (("coarse_to_fine", answer[0]), ("flat", flat)):
            place_error = float(PlaceError().each((pose, answer[1]), y)[0])
            turn_error = float(TurnError().each((pose, answer[1]), y)[0])
            row |= {f"{name}_place": place_error, f"{name}_turn": turn_error}
            row[f"{name}_right"] = int(place_error < _NEAR[0] and turn_error < _NEAR[1])
        rows.append(row)
        tell(f"{label}: decision {k}, {count} poses")
    return {"search": rows}


def flat_search(model: Transporter, x: tuple[Tensor, ...], reach: float) -> tuple[Tensor, int]:
    """The best pose [1, 12] of the last level's network, up to `reach` from the middle of the table, and how many were scored."""
    level = len(model.levels) - 1
    edge = model.levels[level].edge
    wide = model.levels[level]._replace(cells=2 * round(reach / edge))
    kept, model.levels = model.levels, (*model.levels[:-1], wide)
    try:
        turns = torch.cat([model.finer(level, base[None])[0] for base in model.turns])
        scene = model.scene_field(level, x, middle(x[3]))
        best, answer, count = -math.inf, torch.zeros(1, 12), 0
        for some in turns.split(9):
            kernels = model.hand_kernels(level, x, some[None])[0]
            scores = torch.nn.functional.conv3d(scene, kernels)[0]
            count += scores.numel()
            top, at = float(scores.max()), int(scores.argmax())
            if top > best:
                n = scores.shape[-1]
                cell = torch.tensor([at // n**2 % n, at // n % n, at % n]) - (n - 1) / 2
                turn = some[at // n**3]
                held = middle(x[3]) + cell * edge - turn @ model.contents(x)[3][0]
                best, answer = top, torch.cat([held, turn.T.flatten()[None]], 1)
    finally:
        model.levels = kept
    return answer, count

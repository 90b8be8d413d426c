"""One kind of network on one task: trained for all seeds at once, and what it found, a row for each seed."""

import time
from typing import Any

import numpy as np
import torch
from study import Job, Place, Settings
from tasks import TASKS, Task
from torch import Tensor, nn

from orbitscope import Examples
from orbitscope.symmetry import RotationIrrep, octahedral, schoenflies, stabiliser
from orbitscope.systems.points import PHASES, SYSTEM, PointMSE, responses
from training import Batch, Plan, errors, train

MODELS = {
    "relaxed": "relaxed_e3net", "strict": "e3net", "residual": "residual_e3net", "coordinates": "coordinate_net",
    "one-stage": "relaxed_e3net", "single": "relaxed_e3net",
}  # fmt: skip
RELAXED = ("relaxed", "one-stage", "single")
RESIDUAL = 1e-4  # weight of the penalty on the free path of a residual network, gone at the end
LASSO = 2e-2  # weight of the lengths of the relaxed weights' irreps while they are selected; the loss of a mean answer is 1
TOLERANCE = 1e-2
APART = 1000  # between the seeds of one run's starts


def work(place: Place, job: Job, deadline: float, tell: Any) -> None:
    """One job, kept when it is whole."""
    if place.case_file(job.key, "trained").exists():
        return
    started = time.process_time()
    rows = measured(place.settings, job)
    seconds = time.process_time() - started
    cost = [{"cpu_seconds": seconds}]
    place.write_case(job.key, "trained", job.label, {"seeds": rows, "cost": cost}, seconds)
    tell(f"{job.task} {job.variant}: error {np.median([r['test'] for r in rows]):.1e}, {seconds:.0f} CPU s")


def plan_of(variant: str, task: Task, steps: int) -> Plan:
    """How a variant is trained."""
    held = {"relaxed": 0.4, "single": 0.4}.get(variant, 0.0)
    return Plan(
        int(steps * task.steps), task.rate, held, shared=variant != "single", ridge=RESIDUAL if variant == "residual" else 0.0,
        lasso=LASSO if variant == "relaxed" else 0.0,
    )  # fmt: skip


def measured(settings: Settings, job: Job) -> list[dict[str, Any]]:
    """A row for every seed."""
    task = TASKS[job.task]
    data, held = task.examples(0), task.examples(1)
    seeds = settings.seeds if job.variant == "relaxed" else settings.seeds[: settings.baseline_seeds]
    plain = job.variant == "coordinates"

    def make() -> nn.Module:
        return SYSTEM.models[MODELS[job.variant]].make(data, **({} if plain else task.network))

    loss, held_out = PointMSE.of(data), _tensors(held)
    x, y = _tensors(data)
    starts, trained = [], []
    for start in range(task.starts):
        starts.append(batch := Batch(make, [seed + APART * start for seed in seeds]))
        seconds = train(batch, x, y, loss, plan_of(job.variant, task, settings.steps))
        trained.append(errors(batch, x, y, loss))
    best = np.argmin(trained, axis=0)  # by the training error, which whoever trains knows
    tested = [errors(batch, *held_out, loss) for batch in starts]
    rows = []
    for number, seed in enumerate(seeds):
        k = int(best[number])
        net = starts[k].of(number)
        row: dict[str, Any] = {"seed": seed, "train": trained[k][number], "test": tested[k][number], "start": k, **seconds}
        row |= {"train_first": trained[0][number]}
        if job.variant in RELAXED:
            row |= broken(task, net, data)
        rows.append(row | compared(task, net, held, job.variant))
    return rows


def broken(task: Task, net: Any, data: Examples) -> dict[str, Any]:
    """Sizes of the relaxed weights, what of them theory forbids, what the answer owes to each, and the group that is left."""
    weights, elements = net.relaxed, task.elements()
    case = weights.cases - 1
    tensors = {name: v.double().numpy() for name, v in weights.by_irrep(case).items()}
    total = float(np.sqrt(sum(float(v @ v) for v in tensors.values())))
    x, y = _tensors(data)
    size = float(y.square().mean().sqrt()) or 1.0
    found: dict[str, Any] = {"theta": total, "forbidden": float("nan"), "cases": weights.cases}
    if len(elements):
        found["forbidden"] = max(_outside(name, v, elements) for name, v in tensors.items())
    found |= {f"size_{name}": float(np.linalg.norm(v)) for name, v in tensors.items()}
    found |= {f"owed_{name}": float(v.square().mean().sqrt()) / size for name, v in responses(net, x).items()}
    group = stabiliser(tensors if total > 1e-9 else {}, TOLERANCE)
    found["group"], found["continuous"] = group.name, len(group.algebra)
    found["joint"] = joint(task, tensors, total)
    axis = group.axes[0][1] if group.axes else np.full(3, np.nan)
    found |= {f"axis_{c}": float(v) for c, v in zip("xyz", axis, strict=True)}
    if "2e" in tensors and found["size_2e"] > 1e-6:
        found["sign_2e"] = float(np.sign(tensors["2e"][np.argmax(np.abs(tensors["2e"]))]))
    if weights.cases > 1:
        axis = np.array(PHASES[task.parameters["phase"]])
        for k in range(weights.cases):
            v = weights.by_irrep(k)["1o"].numpy()
            found[f"case_{k}"] = float(np.linalg.norm(v))
            found[f"case_{k}_z"] = float(v[2])
            found[f"case_{k}_along"] = float(
                v @ np.array(PHASES[task.parameters["phase"]]) / np.linalg.norm(PHASES[task.parameters["phase"]])
            )
    return found


def joint(task: Task, tensors: dict[str, np.ndarray], total: float) -> str:
    """The group that the map keeps where the inputs have that of the cube: the elements of Oh that leave the relaxed weights alone."""
    if task.group not in ("shape", "phase"):
        return ""
    kept = []
    for g in octahedral():
        matrix = np.array(g.linear, dtype=float)
        change = sum(float(np.sum((RotationIrrep(int(n[0]), n[1] == "o").matrix(matrix) @ v - v) ** 2)) for n, v in tensors.items())
        if change**0.5 <= TOLERANCE * total:
            kept.append(matrix)
    return schoenflies(kept)[0]


def _outside(name: str, values: np.ndarray, elements: np.ndarray) -> float:
    """The largest component outside of what the elements leave alone."""
    rep = RotationIrrep(int(name[0]), name[1] == "o")
    mean = np.mean([rep.matrix(g) for g in elements], axis=0)
    return float(np.abs(values - mean @ values).max())


def compared(task: Task, net: Any, held: Examples, variant: str) -> dict[str, float]:
    """What a network found beside the truth: fields, gravity and damping, the diffusion tensor."""
    x, _ = _tensors(held)
    found: dict[str, float] = {}
    if task.scenario == "particle.field":
        electric, magnetic = affine_law(net)
        truth = {k: np.array(held.about[k]) for k in ("electric", "magnetic")}
        for name, got in (("electric", electric), ("magnetic", magnetic)):
            found[f"{name}_angle"] = angle(got, truth[name])
            found[f"{name}_size"] = float(np.linalg.norm(got) / np.linalg.norm(truth[name]) - 1)
        found["trajectory"] = rollout(net, held)
        if variant in RELAXED:
            found |= by_response(net, x, truth)
    if task.scenario == "pendulum.damped" and variant in RELAXED:
        theta = net.relaxed.by_irrep()["1o"].numpy()
        found["gravity_angle"] = min(angle(theta, np.array(held.about["gravity"])), angle(-theta, np.array(held.about["gravity"])))
    if task.scenario == "pendulum.damped":
        found["damping"] = damping(net, x)
    if task.scenario == "diffusion.tensor":
        tensor = -affine_matrix(net)
        truth = np.array(held.about["tensor"])
        found["tensor"] = float(np.linalg.norm(tensor - truth) / np.linalg.norm(truth))
    return found


@torch.no_grad()
def answers(net: Any, vectors: Tensor) -> Tensor:
    """The answer [N, 3] of a network on single points to a constant and vectors [N, 3 k]."""
    x = (torch.zeros(len(vectors), 1, 3).double(), torch.cat([torch.ones(len(vectors), 1), vectors], 1)[:, None].double())
    return net(*x)[:, 0]


def affine_matrix(net: Any) -> np.ndarray:
    """The linear part of the answer, by central differences of unit vectors (exact where the network is affine)."""
    unit = torch.eye(3, dtype=torch.float64)
    return ((answers(net, unit) - answers(net, -unit)) / 2).T.numpy()


def affine_law(net: Any) -> tuple[np.ndarray, np.ndarray]:
    """E and B of any network: its answer at rest, and the skew part of its linear one."""
    matrix = affine_matrix(net)
    skew = (matrix - matrix.T) / 2  # v x B = -[B] v
    return answers(net, torch.zeros(1, 3, dtype=torch.float64))[0].numpy(), -np.array([skew[2, 1], skew[0, 2], skew[1, 0]])


def by_response(net: Any, x: tuple[Tensor, ...], truth: dict[str, np.ndarray]) -> dict[str, float]:
    """E and B from what the answer owes to 1o and to 1e alone."""
    owed = responses(net, x)
    electric = owed["1o"][:, 0].mean(0).numpy()
    v = x[1][:, 0, 1:].numpy()
    # v x B is linear in B: [v x e_k] B.
    design = np.stack([np.cross(v, e) for e in np.eye(3)], 2).reshape(-1, 3)
    magnetic = np.linalg.lstsq(design, owed["1e"][:, 0].numpy().reshape(-1), rcond=None)[0]
    found = {}
    for name, got in (("electric", electric), ("magnetic", magnetic)):
        found[f"{name}_angle_response"] = angle(got, truth[name])
        found[f"{name}_size_response"] = float(np.linalg.norm(got) / np.linalg.norm(truth[name]) - 1)
    return found


@torch.no_grad()
def rollout(net: Any, held: Examples) -> float:
    """Relative error of the last velocity of held-out trajectories, integrated with the learnt acceleration (Runge-Kutta, dt / 4)."""
    _, y = _tensors(held)
    frames = len(held.slots)
    v = _tensors(held)[0][1][:, 0, 1:].reshape(-1, frames, 3)
    at, h = v[:, 0], 0.1 / 4
    for _ in range(4 * (frames - 1)):
        a = answers(net, at)
        b = answers(net, at + h / 2 * a)
        c = answers(net, at + h / 2 * b)
        d = answers(net, at + h * c)
        at = at + h / 6 * (a + 2 * b + 2 * c + d)
    return float((at - v[:, -1]).norm() / v[:, -1].norm())


@torch.no_grad()
def damping(net: Any, x: tuple[Tensor, ...]) -> float:
    r"""$\beta$ from the part of the answer that is odd under time reversal, by least squares along the velocity."""
    r, v = x[1][:, 0, 1:4], x[1][:, 0, 4:]
    odd = (answers(net, torch.cat([r, v], 1)) - answers(net, torch.cat([r, -v], 1))) / 2
    return -float((odd * v).sum() / v.square().sum())


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """In degrees."""
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))) if size > 0 else float("nan")


def _tensors(examples: Examples) -> tuple[tuple[Tensor, ...], Tensor]:
    assert isinstance(examples.x, tuple) and isinstance(examples.y, Tensor)
    return examples.x, examples.y

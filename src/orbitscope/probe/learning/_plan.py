"""How much to compute at a time, so that an influence fits into a memory budget."""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from ..._errors import OrbitscopeError
from .._subject import Subject
from ._metric import Metric

_UNITS = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
}
# Peak over what a plain backward pass saves: at most 4.6 and 1.5 were seen on the UNet, the ViT, the ResNet and the FNO.
_GRADIENT_FACTOR = 5.0
_PUSH_FACTOR = 1.6
# A CPU is fastest while what is at work stays small: of 8 directions at a time, 24 examples took 1.5 times as long per direction as 2 on
# the UNet at 64 x 64, while networks that save less per example wanted more of them. A GPU wants as much as it holds.
_PUSH_AT_WORK = 256 * 2**20


@dataclass(frozen=True)
class Plan:
    """How much an influence computes at a time, and the memory that it is expected to take.

    * `chunk`: examples whose gradients are taken at a time.
    * `push_chunk`: examples whose directional derivatives are taken at a time.
    * `together`: directions of such a derivative at a time.
    * `kept`: bytes of gradients, directional derivatives and probes that are kept.
    * `working`: bytes of the largest batch of gradients and of the largest one of directional derivatives together: what an allocator has
      got from the system for the first it keeps, in pieces that the second cannot always use.
    * `budget`: bytes that were allowed; None: no limit was given.
    """

    chunk: int = 8
    push_chunk: int = 32
    together: int = 8
    kept: int = 0
    working: int = 0
    budget: int | None = None

    @property
    def peak(self) -> int:
        """Expected bytes at the most, beside the program itself."""
        return self.kept + self.working

    def __str__(self) -> str:
        whole = f"{_words(self.peak)} expected ({_words(self.kept)} kept, {_words(self.working)} at work)"
        budget = f" of {_words(self.budget)}" if self.budget is not None else ""
        return f"{whole}{budget}; gradients {self.chunk} examples at a time, directions {self.together} on {self.push_chunk} examples"


def memory_bytes(text: str | int) -> int:
    """Bytes from "4GiB", "500 MB" or a number.

    * `text`: a number of bytes, or a number with a unit.

    >>> memory_bytes("4GiB"), memory_bytes("500 MB")
    (4294967296, 500000000)
    """
    found = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", str(text).lower())
    if not found or found[2] not in _UNITS or found[1].count(".") > 1 or found[1] == ".":
        raise OrbitscopeError(f"memory: expected a size such as 4GiB or 500MB, got {text!r}.")
    size = float(found[1]) * _UNITS[found[2]]
    if not 0 < size < 2**63:
        raise OrbitscopeError(f"memory: {str(text)[:40]} is no size of a memory. Say one such as 4GiB.")
    return int(size)


def plan_influence(
    subject: Subject,
    x: Tensor,
    metric: Metric,
    *,
    elements: int,
    memory: str | int | None = None,
    chunk: int = 8,
) -> Plan:
    """What to do at a time; without a budget `chunk` examples, and only the expectation is worked out.

    * `subject`: model and data, as the instruments see them.
    * `x`: the states, [N, ...].
    * `metric`: whose engine needs the memory.
    * `elements`: how many.
    * `memory`: budget, in bytes or in words such as 4GiB; None: no budget.

    Raises `OrbitscopeError` if what must be kept, with one example at work, exceeds the budget, and says what would help.
    """
    kept, saved = kept_bytes(subject, x, metric, elements), saved_bytes(subject, x[:1])
    gradient = int(_GRADIENT_FACTOR * saved) + 4 * subject.count * x.element_size()
    push = int(_PUSH_FACTOR * saved) + 2 * subject.count * x.element_size()
    count = len(x)
    most = 32 if x.device.type != "cpu" else min(32, max(1, _PUSH_AT_WORK // (8 * max(saved, 1))))
    if memory is None:
        plan = Plan(min(chunk, count), min(most, count), 8)
        return Plan(plan.chunk, plan.push_chunk, plan.together, kept, _working(plan, metric, gradient, push))
    budget = memory_bytes(memory)
    parts = 2 if metric.needs_pushforward else 1  # see `Plan.working`
    free = (budget - kept) // parts
    if free < max(gradient, push):
        least = _words(parts * max(gradient, push))
        raise OrbitscopeError(
            f"influence: {_words(kept)} must be kept and {least} is needed for one example, more than the budget of {_words(budget)}. "
            f"Take fewer trajectories or times, or a larger budget{metric.advice}."
        )
    together = next(t for t in (8, 4, 2, 1) if t == 1 or free >= t * push)
    plan = Plan(min(chunk, count, max(1, free // gradient)), min(count, most, max(1, free // (together * push))), together)
    return Plan(plan.chunk, plan.push_chunk, plan.together, kept, _working(plan, metric, gradient, push), budget)


def _working(plan: Plan, metric: Metric, gradient: int, push: int) -> int:
    return plan.chunk * gradient + (plan.push_chunk * plan.together * push if metric.needs_pushforward else 0)


def kept_bytes(subject: Subject, x: Tensor, metric: Metric, elements: int) -> int:
    """Bytes of the arrays that live through the run, from their shapes."""
    return 2 * subject.count * x.element_size() + metric.kept(subject, x, elements)


def saved_bytes(subject: Subject, x: Tensor) -> int:
    """Bytes that one plain forward pass keeps for its backward pass, without the parameters."""
    seen: dict[int, int] = {}
    own = {p.untyped_storage().data_ptr() for p in subject.parameters.values()}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        leaves = {k: p.detach().requires_grad_() for k, p in subject.parameters.items()}
        own |= {p.untyped_storage().data_ptr() for p in leaves.values()}
        kept = subject(leaves, x)  # alive until the sizes are summed, so that no storage is counted twice
        total = sum(seen.values())
        del kept
    return total


def _words(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 2**10:.0f} KiB"

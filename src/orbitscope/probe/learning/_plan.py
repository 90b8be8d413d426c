"""How much to compute at a time, so that an influence fits into a memory budget."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ..._errors import OrbitscopeError
from .._subject import Subject
from ._memory import Plan, in_words, memory_bytes
from ._metric import Metric

# Peak over what a plain backward pass saves: at most 4.6 and 1.5 were seen on the UNet, the ViT, the ResNet and the FNO.
_GRADIENT_FACTOR = 5.0
_PUSH_FACTOR = 1.6
# A CPU is fastest while what is at work stays small: of 8 directions at a time, 24 examples took 1.5 times as long per direction as 2 on
# the UNet at 64 x 64, while networks that save less per example wanted more of them. A GPU wants as much as it holds.
_PUSH_AT_WORK = 256 * 2**20


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
        least = in_words(parts * max(gradient, push))
        raise OrbitscopeError(
            f"influence: {in_words(kept)} must be kept and {least} is needed for one example, more than the budget of {in_words(budget)}. "
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
    """Bytes that one plain forward pass keeps for its backward pass, without the parameters.

    Of a model that takes derivatives in its own forward pass (`torch.func.grad`, under which nothing says what is kept) all results count.
    """
    try:
        return _saved(subject, x)
    except RuntimeError as error:
        if "saved tensor hooks" not in str(error):
            raise
    with _Results() as results:
        subject(subject.parameters, x)
    return results.total


class _Results(TorchDispatchMode):
    """Adds up the bytes of the results of all operations."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        self.total += sum(t.nbytes for t in tree_leaves(found) if isinstance(t, Tensor))
        return found


def _saved(subject: Subject, x: Tensor) -> int:
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

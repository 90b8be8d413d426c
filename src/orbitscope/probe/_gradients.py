"""Per-example gradients and directional derivatives of the whole module, through torch.func."""

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.checkpoint
from torch import Tensor
from torch.utils._pytree import tree_map

from .._attention import plain_attention
from .._errors import LearningError, OrbitscopeError
from ._subject import Parameters, Subject

Loss = Callable[..., Tensor]
"""(prediction [1, C, X, Y], target [1, C, X, Y]) -> a number; with a true attribute `needs_state` it gets the state as well."""


def example_gradients(subject: Subject, loss: Loss, x: Tensor, y: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    r"""$\partial_\theta C_n$ for each example and the losses $C_n$: tensors [N, p] and [N]; `chunk` examples at a time.

    The result does not depend on `chunk` beyond float rounding. A module that cannot be batched by vmap (writes in place, looks at values,
    recurrent kernels) is differentiated example by example, which takes longer. Raises `OrbitscopeError` if a gradient is not finite or the
    module cannot be differentiated at all.
    """

    needs_state = getattr(loss, "needs_state", False)

    def one(parameters: Parameters, state: Tensor, target: Tensor) -> Tensor:
        prediction = subject(parameters, state[None])
        return loss(prediction, target[None], subject.last(state[None])) if needs_state else loss(prediction, target[None])

    both = over_examples(torch.func.grad_and_value(one), (None, 0, 0))
    result, losses = torch.empty(0), []
    with _differentiable():
        for k, (xs, ys) in enumerate(zip(x.split(chunk), y.split(chunk), strict=True)):
            with _explained("per-example gradients", subject):
                grads, value = both(subject.parameters, xs, ys)
            if not k:  # one array from the beginning: parts joined at the end would stand in memory twice
                result = torch.empty(len(x), subject.count, dtype=_common(grads), device=x.device)
            put(grads, result[k * chunk : k * chunk + len(xs)])
            losses.append(value.detach())
    _require_finite(result, "gradient")
    return result, torch.cat(losses)


def pushforward(subject: Subject, x: Tensor, directions: Tensor, chunk: int, together: int = 8) -> Tensor:
    r"""$J v$ for each row v of `directions` [K, p], J the derivative of all outputs on the batch `x`: a tensor [K, N * C * X * Y].

    Forward-mode derivatives, `chunk` examples of `x` at a time (the examples of a batch do not see each other) and `together` directions
    at a time, which share the undifferentiated pass (1.4 times as fast for a small UNet on two cores as one by one).
    """

    def along(tangent: Parameters, xs: Tensor) -> Tensor:
        return torch.func.jvp(lambda p: subject(p, xs), (subject.parameters,), (tangent,))[1]

    each = over_examples(along, (0, None))
    rows = []
    with _differentiable(), torch.no_grad():
        for some in directions.split(together) if len(directions) else ():
            tangents = {name: torch.stack(parts) for name, parts in _transposed([unflatten(v, subject.parameters) for v in some]).items()}
            parts = []
            for xs in x.split(chunk):
                with _explained("directional derivatives", subject):
                    parts.append(each(tangents, xs).flatten(1))
            rows.append(torch.cat(parts, dim=1))
    result = torch.cat(rows) if rows else torch.zeros(0, subject.outputs(x), dtype=subject.dtype, device=x.device)
    _require_finite(result, "directional derivative")
    return result


def pullback(subject: Subject, x: Tensor, cotangents: Tensor, chunk: int, together: int = 8) -> Tensor:
    r"""$J^\top w$ for each row w of `cotangents` [K, N * outputs], J as in `pushforward`: a tensor [K, p].

    Reverse-mode derivatives, `chunk` examples of `x` at a time and `together` rows at a time, which share the forward pass.
    """
    total = torch.zeros(len(cotangents), subject.count, dtype=cotangents.dtype, device=cotangents.device)
    wide = cotangents.reshape(len(cotangents), *subject.answer_shape(x))
    with _differentiable():
        for xs, ws in zip(x.split(chunk), wide.split(chunk, dim=1), strict=True):
            with _explained("reverse-mode derivatives", subject):
                pull = torch.func.vjp(lambda p, xs=xs: subject(p, xs), subject.parameters)[1]
                each = over_examples(pull, (0,))
                for start in range(0, len(ws), together):
                    some = ws[start : start + together]
                    total[start : start + together] += flatten(each(some)[0], len(some))
    _require_finite(total, "reverse-mode derivative")
    return total


def output_probes(subject: Subject, x: Tensor, count: int, seed: int, chunk: int) -> Tensor:
    r"""$J_n^\top w_{ns}$ for `count` random sign vectors w per example: rows [count * N, p], draw by draw.

    $\sum_{ns} (J_n^\top w_{ns})(J_n^\top w_{ns})^\top / S$ is $J^\top J$ in expectation. Signs of one draw depend on (seed, draw) alone.
    """
    rows = torch.empty(count * len(x), subject.count, dtype=subject.dtype, device=subject.device)
    for draw in range(count):
        signs = random_signs(subject.blank(x), seed, draw)
        rows[draw * len(x) : (draw + 1) * len(x)] = output_rows(subject, x, signs, chunk)
    return rows


def output_rows(subject: Subject, x: Tensor, cotangents: Tensor, chunk: int) -> Tensor:
    r"""$J_n^\top w_n$ for one cotangent per example, in the shape of the answers: rows [N, p], `chunk` examples at a time."""

    def one(parameters: Parameters, state: Tensor, cotangent: Tensor) -> Parameters:
        pull = torch.func.vjp(lambda p: subject(p, state[None]), parameters)[1]
        return pull(cotangent[None])[0]

    every = over_examples(one, (None, 0, 0))
    with _differentiable(), _explained("reverse-mode derivatives", subject):
        rows = torch.empty(0)
        for k, (a, w) in enumerate(zip(x.split(chunk), cotangents.split(chunk), strict=True)):
            grads = every(subject.parameters, a, w)
            if not k:
                rows = torch.empty(len(x), subject.count, dtype=_common(grads), device=x.device)
            put(grads, rows[k * chunk : k * chunk + len(a)])
    _require_finite(rows, "reverse-mode derivative")
    return rows


def random_signs(like: Tensor, seed: int, draw: int) -> Tensor:
    """+1 and -1 with equal odds, in the shape of `like`, a function of (seed, draw)."""
    generator = torch.Generator().manual_seed((seed * 1_000_003 + draw) % 2**63)
    return (torch.randint(0, 2, like.shape, generator=generator) * 2 - 1).to(like)


def _transposed(trees: list[Parameters]) -> dict[str, list[Tensor]]:
    return {name: [tree[name] for tree in trees] for name in trees[0]}


def check_pushforward(subject: Subject, x: Tensor, direction: Tensor, pushed: Tensor) -> float:
    r"""Disagreement of forward with reverse mode along one direction: $|\langle w, Jv \rangle - \langle J^\top w, v \rangle| /
    \|w\|^2$ at $w = Jv$.

    Forward-mode rules can be wrong in silence (torch 2.13's `linearize` on a circular convolution is), so every run compares one. Unlike a
    finite difference this has no step to choose: both sides agree to rounding.
    """
    with _differentiable(), _explained("reverse-mode derivatives", subject):
        pull = torch.func.vjp(lambda p: subject(p, x), subject.parameters)[1]
        (back,) = pull(pushed.reshape(subject.answer_shape(x)))
    adjoint = float((flatten({k: v[None] for k, v in back.items()}, 1)[0].double() * direction.double()).sum())
    own = float(pushed.double().square().sum())
    return abs(own - adjoint) / (own + 1e-300)


def flatten(tree: Parameters, count: int) -> Tensor:
    """[count, p] from tensors [count, ...], in the order of the parameters."""
    return torch.cat([leaf.reshape(count, -1) for leaf in tree.values()], dim=1).detach()


def put(tree: Parameters, rows: Tensor) -> None:
    """`flatten` into rows that are there, without a copy of all in between."""
    start = 0
    for leaf in tree.values():
        flat = leaf.detach().reshape(len(rows), -1)
        rows[:, start : start + flat.shape[1]] = flat
        start += flat.shape[1]


def _common(tree: Parameters) -> torch.dtype:
    """The dtype that holds all tensors, as joining them would find it."""
    return functools.reduce(torch.promote_types, (leaf.dtype for leaf in tree.values()))


def unflatten(vector: Tensor, like: Parameters) -> Parameters:
    """The tensors whose entries stand in `vector` [p]."""
    parts = vector.split([p.numel() for p in like.values()])
    return {name: part.reshape(p.shape).to(p.dtype) for (name, p), part in zip(like.items(), parts, strict=True)}


def gram(a: Tensor, b: Tensor, block: int = 2**20) -> Tensor:
    """a b^T in float64, [A, B], over blocks of columns so that no float64 copy of all of them is made."""
    total = torch.zeros(len(a), len(b), dtype=torch.float64, device=a.device)
    for left, right in zip(a.split(block, dim=1), b.split(block, dim=1), strict=True):
        total += left.double() @ right.double().T
    return total


@contextmanager
def _without_checkpoints() -> Iterator[None]:
    """Activation checkpointing calls its function as it stands: the answer is the same, more is kept, and torch.func can follow.

    torch has no switch for it. Where a release has moved the two names that are exchanged here, the error says what to do instead.
    """

    class Plain:
        @staticmethod
        def apply(function: Callable[..., Any], preserve: bool, *arguments: Any) -> Any:
            return function(*arguments)

    def plain(*arguments: Any, **settings: Any) -> Iterator[None]:
        yield

    names = {"CheckpointFunction": Plain, "_checkpoint_without_reentrant_generator": plain}
    kept = {name: getattr(torch.utils.checkpoint, name) for name in names if hasattr(torch.utils.checkpoint, name)}
    for name in kept:
        setattr(torch.utils.checkpoint, name, names[name])
    try:
        yield
    finally:
        for name, own in kept.items():
            setattr(torch.utils.checkpoint, name, own)


@contextmanager
def _differentiable() -> Iterator[None]:
    """Without what stands in the way of derivatives forwards and in batches: fused attention and checkpoints."""
    with plain_attention(), _without_checkpoints(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")
        yield


def over_examples(function: Callable[..., Any], in_dims: Sequence[int | None]) -> Callable[..., Any]:
    """`torch.func.vmap(function, in_dims)`, or where that fails for this function a loop, whose results are put together likewise.

    Much that a network may do has no rule for batches of derivatives: writes into fresh tensors, looking at values, masks, recurrent
    kernels. One by one the same derivative exists. Randomness is no such thing, and stays an error.
    """
    batched, loops = torch.func.vmap(function, in_dims=tuple(in_dims), randomness="error"), False

    def one_by_one(*arguments: Any) -> Any:
        count = next(len(_leaves(a)[0]) for a, d in zip(arguments, in_dims, strict=True) if d == 0)
        rows = [
            function(*(tree_map(lambda t, n=n: t[n], a) if d == 0 else a for a, d in zip(arguments, in_dims, strict=True)))
            for n in range(count)
        ]
        return tree_map(lambda *leaves: torch.stack(leaves), *rows)

    def run(*arguments: Any) -> Any:
        nonlocal loops
        if not loops:
            try:
                return batched(*arguments)
            except OrbitscopeError:
                raise
            except Exception as error:  # whatever a module's own code raises on what vmap hands it
                if "random" in str(error).lower():
                    raise
                loops = True
        return one_by_one(*arguments)

    return run


def _leaves(tree: Any) -> list[Tensor]:
    return list(tree.values()) if isinstance(tree, dict) else [tree]


@contextmanager
def _explained(what: str, subject: Subject | None = None) -> Iterator[None]:
    """What fails in a module's derivatives, as an error that says what to do about it."""
    try:
        yield
    except (OrbitscopeError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a module may raise anything
        text = str(error).strip()
        words = text.splitlines()[0] if text else ""
        hint = _hint_for(what, f"{type(error).__name__} {text}".lower(), subject)
        raise LearningError(f"model: {what} fail under torch.func: {type(error).__name__}: {words}.{hint}") from error


def _hint_for(what: str, text: str, subject: Subject | None) -> str:
    forward = what == "directional derivatives"
    exported = subject is not None and isinstance(subject.module, torch.fx.GraphModule)
    for signs, hint in _HINTS:
        if any(sign in text for sign in signs):
            return " " + hint
    if exported and ("shape" in text or "size" in text):
        return " If the model was exported for one batch size, export it with a dynamic batch dimension (torch.export.Dim)."
    return " metric='euclidean' needs no directional derivatives." if forward else ""


_HINTS = (
    (("checkpoint", "saved tensor hooks", "setup_context"),
     "Activation checkpointing recomputes the forward pass outside of torch.func: switch it off (use_checkpoint=False), which changes "
     "nothing in the answers."),
    (("storage", "data pointer", "numpy"),
     "forward reads a tensor's memory, as equivariant libraries do that cache filters: hand over an exported module (escnn: "
     "model.export())."),
    (("forward ad", "jvp", "forward mode", "forward-mode"),
     "One of its operations has no forward-mode derivative: metric='euclidean' needs none."),
    (("in-place", "inplace", "leaf"), "forward writes into a parameter or a buffer: write out of place."),
    (("random",), "forward draws random numbers: switch that off."),
)  # fmt: skip


def _require_finite(values: Tensor, what: str) -> None:
    bad = torch.tensor([not torch.isfinite(row).all() for row in values], dtype=torch.bool)  # row by row: a mask of all is large
    if bool(bad.any()):
        raise LearningError(
            f"model: the {what} of example {int(bad.nonzero()[0])} holds NaN or infinite values. A norm or a square root at exactly 0 "
            "is the usual cause; add a small constant under it."
        )

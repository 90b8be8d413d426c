"""Attention that can be differentiated in every way."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def plain_attention() -> Iterator[None]:
    """Attention by products and sums inside, with derivatives of every order, forwards and in batches; fused kernels have none.

    nn.MultiheadAttention and nn.TransformerEncoderLayer go to a fused kernel of their own where no gradient is recorded, whatever kernel
    attention is told to take.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)

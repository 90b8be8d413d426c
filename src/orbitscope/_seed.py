"""Independent random streams, each derived from (seed, purpose, index)."""

import zlib

import numpy as np
import torch
from torch import Tensor


def _sequence(seed: int, purpose: str, *index: int) -> np.random.SeedSequence:
    return np.random.SeedSequence((seed, zlib.crc32(purpose.encode()), *index))


def derive(seed: int, purpose: str, index: int = 0) -> int:
    """A 63-bit seed for torch, the same on every machine.

    * `seed`: of the whole, at least 0.
    * `purpose`: what the numbers are for; another word gives independent ones.
    * `index`: number of the stream within that purpose, at least 0: an epoch, for example.
    """
    return int(_sequence(seed, purpose, index).generate_state(1, np.uint64)[0] >> np.uint64(1))


def permutation(length: int, seed: int, purpose: str, index: int = 0) -> Tensor:
    """A random order of 0 to length - 1, int64, from raw Philox words so that no release of numpy or torch changes it.

    * `length`: how many numbers.
    * `seed`, `purpose`, `index`: of the stream, as of `derive`.
    """
    words = np.random.Philox(_sequence(seed, purpose, index)).random_raw(length)
    return torch.from_numpy(np.argsort(np.atleast_1d(words), kind="stable"))


def integers(length: int, below: int, seed: int, purpose: str, *index: int) -> Tensor:
    """Independent random whole numbers, int64, from raw Philox words (the bias of the remainder is below 2^-40).

    * `length`: how many numbers.
    * `below`: they run from 0 to below - 1; at most 2^24 for that bias.
    * `seed`, `purpose`, `index`: of the stream, as of `derive`; here there may be several indices.
    """
    words = np.random.Philox(_sequence(seed, purpose, *index)).random_raw(length)
    return torch.from_numpy((np.atleast_1d(words) % np.uint64(below)).astype(np.int64))

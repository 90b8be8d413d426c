"""A user's own metric is asked for everything that the library's are: nothing is dropped without a word."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

import orbitscope as osc
from orbitscope.probe import Response, step_test

from ..cases import convolutions


@dataclass(frozen=True)
class Ridge(osc.Metric):
    """The Gauss-Newton metric of the library, told through inner products alone."""

    damping: float = 1e-2
    name: ClassVar[str] = "ridge"
    needs_pushforward: ClassVar[bool] = True

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        return osc.GaussNewton(damping=self.damping).response(gram, pushed, kets, dtype)


@dataclass(frozen=True)
class Plain(osc.Metric):
    """The euclidean metric, written as a user would."""

    name: ClassVar[str] = "plain"

    def response(self, gram: Tensor, pushed: Tensor | None, kets: int, dtype: torch.dtype) -> Response:
        return Response(gram[kets:, :kets], gram.diagonal()[kets:], gram.diagonal()[:kets], len(gram), 1.0)


@pytest.mark.parametrize(("own", "known"), [(Ridge(), osc.GaussNewton(damping=1e-2)), (Plain(), osc.Euclidean())])
def test_the_step_test_of_a_users_metric(own: osc.Metric, known: osc.Metric, random_data: Callable[..., osc.Trajectories]) -> None:
    """The default direction comes from inner products; it is that of the library's metric, and the step does what was predicted."""
    found, expected = (step_test(convolutions(hidden=3), random_data(), "c4", metric=m, relative=1e-4) for m in (own, known))
    np.testing.assert_allclose(found["predicted"], expected["predicted"], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found["measured"], expected["measured"], rtol=1e-4, atol=1e-9)
    assert float(found["correlation"]) > 0.99


def test_a_users_metric_in_a_whole_probe_has_its_step_test(random_data: Callable[..., osc.Trajectories]) -> None:
    config = osc.ProbeConfig(trajectories=3, times=1, control=0, metric=Plain())
    tree = osc.examine(convolutions(hidden=3), random_data(trajectories=6), "c4", config)
    assert "steps" in tree["C4"].children


def test_what_a_metric_cannot_do_is_said_by_name(random_data: Callable[..., osc.Trajectories]) -> None:
    with pytest.raises(osc.OrbitscopeError, match="'plain'"):
        osc.influence(convolutions(hidden=3), random_data(), "c4", metric=Plain(), sketch=4)
    with pytest.raises(osc.OrbitscopeError, match="'plain'"):
        osc.coherence_blocks(convolutions(hidden=3), random_data(), "c4", metric=Plain())

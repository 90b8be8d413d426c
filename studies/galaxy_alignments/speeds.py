"""Processor time of a mock and of an answer of each emulator, in one process on one core."""

import time
from typing import Any

import numpy as np
import torch
from harness import Folder
from measure import emulator, halos_of, simulated, trained
from mocks import Rows, data_file
from torch import Tensor

from orbitscope.data import load_examples
from orbitscope.systems.galaxies import (
    SYSTEM,
    AlignmentEmulator,
    CorrelationEmulator,
    QuickEmulator,
    edges,
    mean_occupation,
    populate_halotools,
)


def speed(place: Folder, model: str, seed: int) -> Rows:
    """Seconds of processor for one mock and for one answer of an emulator, in one process on one thread."""
    test = trained(place, "alignment_emulator", seed).examples["test"]
    assert isinstance(test.x, Tensor)
    theta = torch.unique(test.x, dim=0)
    theta = theta[torch.linspace(0, len(theta) - 1, min(60, len(theta))).round().long()].numpy()
    halos = halos_of(place)
    simulated(halos, theta[0], 5, 0)  # compiles
    began = time.process_time()
    for k, one in enumerate(theta):
        simulated(halos, one, 5, k)
    mock = (time.process_time() - began) / len(theta)
    rows = [{"what": "mock", "seconds": mock, "calls": len(theta), "ratio": 1.0}]
    rows += [_peer(halos, theta, mock)]
    inside = emulator(trained(place, "alignment_emulator", seed)).region.contains(torch.from_numpy(theta)).numpy()
    many = torch.from_numpy(np.resize(theta[inside], (4096, theta.shape[1])))
    for name in place.settings.models:
        net = emulator(trained(place, name, seed)) if name != "iaemu" else _untrained(place)
        ways: list[tuple[str, Any, Tensor | np.ndarray, int]] = []
        if isinstance(net, AlignmentEmulator):
            quick = QuickEmulator(net)
            ways += [("batched", quick, many.numpy(), 40), ("single", quick, many[:1].numpy(), 2000)]
            ways += [("matrix products alone, batched", _products(net), many.numpy(), 40)]
        slow = 1 if name == "iaemu" else 10  # convolutions are slow
        some = many.float()
        ways += [
            ("batched, by torch", net, some[: 400 * slow], 2 * slow),
            ("single, by torch", net, some[:1], 40 * slow),
            ("single with covariance", lambda x, net=net: net.predict(x, outside="ignore"), some[:1], 20 * slow),
        ]
        for what, ask, given, calls in ways:
            seconds = _seconds(ask, given, calls) / len(given)
            rows.append({"what": f"{name}, {what}", "seconds": seconds, "calls": calls * len(given), "ratio": mock / seconds})
    return {"speed": rows}


def _products(net: AlignmentEmulator) -> Any:
    """The matrix products of an answer and nothing else, in pieces that stay in the processor's cache."""
    trunks: list[tuple[Any, Any]] = [(net.trunk, net.centre), (net.unrest, net.scatter)]
    layers = [[m.weight.detach().float().numpy() for m in (trunk.first, *trunk.inner, last)] for trunk, last in trunks]
    given = np.random.default_rng(0).normal(size=(128, 64)).astype(np.float32)

    def ask(rows: np.ndarray) -> None:
        for _ in range(len(rows) // len(given)):
            for weights in layers:
                h = given[:, : weights[0].shape[1]]
                for w in weights:
                    h = h @ w

    return ask


def _untrained(place: Folder) -> CorrelationEmulator:
    """The published network with first weights: they are no faster or slower than trained ones."""
    net = SYSTEM.model("iaemu").make(load_examples(data_file(place)).take(np.arange(200))).eval()
    assert isinstance(net, CorrelationEmulator)
    return net


def _seconds(ask: Any, given: Any, calls: int) -> float:
    """Of processor for one call."""
    with torch.no_grad():
        ask(given)
        began = time.process_time()
        for _ in range(calls):
            ask(given)
    return (time.process_time() - began) / calls


def _peer(halos: Any, theta: np.ndarray, mock: float) -> dict[str, Any]:
    """The same mocks by halotools, its own estimators included."""
    import warnings

    from halotools.mock_observables import tpcf
    from halotools.mock_observables.ia_correlations import ed_3d, ee_3d

    peopled = [one for one in theta if mean_occupation(halos.mass, one)[1].sum() > 100]  # halotools fails where there is no satellite
    some = peopled[:: max(1, len(peopled) // 6)] or list(theta[:1])
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in some:
            made = populate_halotools(halos, one, 5)
            bins, box = edges(), made.box
            tpcf(made.positions, bins, period=box)
            ed_3d(made.positions, made.axes, made.positions, bins, period=box)
            ee_3d(made.positions, made.axes, made.positions, made.axes, bins, period=box)
    seconds = (time.process_time() - began) / len(some)
    return {"what": "mock by halotools", "seconds": seconds, "calls": len(some), "ratio": mock / seconds}

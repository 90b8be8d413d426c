"""kronfluence on the euclidean part of `benchmarks/influence.py`: pairwise scores with the strategy "identity".

It knows `nn.Linear` and `nn.Conv2d` themselves, not their subclasses, and takes the input of the module for that of the convolution. A
convolution that wraps its input around is therefore taken apart here into a padding and an `nn.Conv2d` with the same weights. It has no
gradients of any other parameter; the comparison is over those that it covers.
"""

import copy
import logging
import tempfile
import time

import torch
from _influence_contract import Problem, report
from kronfluence.analyzer import Analyzer, prepare_model
from kronfluence.arguments import FactorArguments, ScoreArguments
from kronfluence.module.tracked_module import TrackedModule
from kronfluence.task import Task
from torch import nn

import orbitscope as osc
from orbitscope.emulators.networks._layers import CircularConv, wrap

INSIDE = ".plain"


class Loss(Task):
    """SMSE of each transition, summed over the batch."""

    def compute_train_loss(self, batch, model, sample=False):
        if sample:
            raise NotImplementedError("the true Fisher needs a distribution of outputs, which a squared error over a scale is not")
        x, y = batch
        return osc.smse(model(x), y, "none").sum()

    def compute_measurement(self, batch, model):
        return self.compute_train_loss(batch, model)


class Wrapped(nn.Module):
    """A `CircularConv` as a padding and an `nn.Conv2d`."""

    def __init__(self, conv):
        super().__init__()
        self.wrap = conv.wrap
        self.plain = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, bias=conv.bias is not None)
        self.plain.load_state_dict(conv.state_dict())

    def forward(self, state):
        return self.plain(wrap(state, *self.wrap) if any(self.wrap) else state)


def taken_apart(model):
    """A copy of the model whose convolutions are ones that kronfluence knows."""
    model = copy.deepcopy(model)
    for name, module in list(model.named_modules()):
        if isinstance(module, CircularConv):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, Wrapped(module))
    return model


def as_it_is(model):
    """What kronfluence says to the model as it is: an error, or nothing."""
    try:
        prepare_model(copy.deepcopy(model), Loss())
    except Exception as error:  # the peer raises of its own kinds; whichever it is belongs in the table
        return f"{type(error).__name__}: {error}"
    return ""


def main():
    """Scores, then the factors of EK-FAC."""
    logging.disable(logging.WARNING)
    problem = Problem()
    refused = as_it_is(problem.model)
    model = taken_apart(problem.model)
    with torch.no_grad():
        x = problem.kets.tensors[0]
        same = float((model(x) - problem.model(x)).abs().max())
    model = prepare_model(model, Loss())
    tracked = [module.name for module in model.modules() if isinstance(module, TrackedModule)]
    names = [name for name in problem.sizes if name.rpartition(".")[0] in {t.removesuffix(INSIDE) for t in tracked}]
    with tempfile.TemporaryDirectory() as folder:
        analyzer = Analyzer("influence", model, Loss(), cpu=True, disable_tqdm=True, output_dir=folder)
        analyzer.fit_all_factors("identity", problem.kets, factor_args=FactorArguments(strategy="identity"), overwrite_output_dir=True)

        def work(batch):
            analyzer.compute_pairwise_scores(
                "scores",
                "identity",
                query_dataset=problem.bras,
                train_dataset=problem.kets,
                per_device_query_batch_size=batch,
                per_device_train_batch_size=batch,
                score_args=ScoreArguments(damping_factor=0.0),
                overwrite_output_dir=True,
            )
            return analyzer.load_pairwise_scores("scores")["all_modules"].numpy()

        found = problem.measure(work, names)
        ekfac = fit_ekfac(analyzer, problem)
    note = f"model as it is refused ({refused}); convolutions taken apart, outputs differ by {same:.1e} at most" if refused else ""
    report("kronfluence", method="identity, pairwise", **found, note=note, ekfac=ekfac)


def fit_ekfac(analyzer, problem):
    """Seconds to fit the factors of EK-FAC on the kets (empirical Fisher), or why it did not run."""
    start = time.perf_counter()
    try:
        arguments = FactorArguments(strategy="ekfac", use_empirical_fisher=True)
        analyzer.fit_all_factors("ekfac", problem.kets, per_device_batch_size=min(8, problem.count), factor_args=arguments)
    except Exception as error:  # the same: that it does not run is a result
        return {"runs": False, "why": f"{type(error).__name__}: {error}"}
    return {"runs": True, "fit_seconds": time.perf_counter() - start, "fisher": "empirical, on the kets"}


if __name__ == "__main__":
    main()

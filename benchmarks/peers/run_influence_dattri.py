"""dattri on the euclidean part of `benchmarks/influence.py`: TracInAttributor at one checkpoint of weight 1, which is Grad-Dot."""

import torch
from _influence_contract import Problem, report
from dattri.algorithm.tracin import TracInAttributor
from dattri.task import AttributionTask
from torch.utils.data import DataLoader

import orbitscope as osc


def main():
    """All parameters, without projection."""
    problem = Problem()

    def loss(parameters, example):
        x, y = example
        return osc.smse(torch.func.functional_call(problem.model, parameters, (x[None],)), y[None])

    task = AttributionTask(loss_func=loss, model=problem.model, checkpoints=problem.model.state_dict())
    attributor = TracInAttributor(task, weight_list=torch.ones(1), normalized_grad=False, projector_kwargs=None)
    note = ""
    if attributor.projector_kwargs is not None:
        kept = attributor.projector_kwargs["proj_dim"]
        note = f"projector_kwargs=None means a random projection to {kept} numbers; switched off by setting the attribute afterwards"
        attributor.projector_kwargs = None

    def work(batch):
        kets, bras = (DataLoader(examples, batch_size=batch) for examples in (problem.kets, problem.bras))
        return attributor.attribute(kets, bras).T.numpy()

    report("dattri", method="TracIn, one checkpoint", **problem.measure(work, list(problem.sizes)), note=note)


if __name__ == "__main__":
    main()

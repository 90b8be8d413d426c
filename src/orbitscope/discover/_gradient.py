"""The null space of the stacked infinitesimal conditions: one eigenproblem, nothing trained."""

from dataclasses import dataclass

import numpy as np

from ._evidence import Forms, solve
from ._problem import Directions, Method, Problem, Tell, silent
from ._rates import Rates, rates


@dataclass(frozen=True)
class Gradient(Method):
    r"""Directions X of the algebra along which $J_f(x)\, X x = X f(x)$ holds best, by one generalised eigenproblem $S a = b D a$.

    S is the mean over examples of the squared breaking (over pairs of predictors trained apart, so that their own noise does not count), D
    the same with the derivative taken at another example. So b is 0 for a symmetry and about 1 for a direction that means nothing, whatever
    the units of the inputs are. It finds symmetries of the identity component only, those of the hypothesis group, and needs predictors
    with a derivative. It fails where the data move too little to tell directions apart (see the word "unseen").

    Source: LieGG (Moskalev et al., NeurIPS 2022) has the null space of $E[\nabla f\, x^\top]$ for invariant scalars; equivariance, charts,
    the scale by unrelated examples and the crossed predictors are this library's.
    """

    name = "gradient"

    def search(self, problem: Problem, tell: Tell = silent) -> Directions:
        """All directions of the algebra of the hypothesis of `problem`, the most symmetric first; `tell` hears of the progress."""
        return self.of(problem, rates(problem, tell))

    def of(self, problem: Problem, found: Rates) -> Directions:
        """From breaking rates that are there: those `found` for `problem`."""
        signal, noise, scale = Forms.of(found).mean()
        columns = solve(signal, noise, scale)
        scores = np.einsum("ik,ij,jk->k", columns, signal + noise, columns)
        columns = columns / np.linalg.norm(columns, axis=0)
        return Directions(np.einsum("ik,iab->kab", columns, problem.basis()), scores)

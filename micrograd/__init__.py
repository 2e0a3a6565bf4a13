"""Scalar autodiff and mini-batch training one can read, see and trust.

``Value`` records a graph of scalar operations and backpropagates through it; the gradients of each sample's loss graph
are added into shared parameter nodes before an optimizer step. To read: ``ops`` (the table of primitives), ``graph``,
``engine`` (``Value``), then ``train`` (the batch).
"""

from micrograd import data, losses, nn, ops, optim
from micrograd.check import gradcheck
from micrograd.engine import Value, dot, logsumexp, no_grad, pick, softmax, where
from micrograd.higher import gradients
from micrograd.ops import primitive
from micrograd.page.page import step_through
from micrograd.pictures.draw import draw
from micrograd.pictures.explain import explain
from micrograd.tape.recorded import jit
from micrograd.train import Training, accumulate, evaluate, fit

__version__ = "1.2.0"

__all__ = [
    "Training",
    "Value",
    "accumulate",
    "data",
    "dot",
    "draw",
    "evaluate",
    "explain",
    "fit",
    "gradcheck",
    "gradients",
    "jit",
    "logsumexp",
    "losses",
    "nn",
    "no_grad",
    "ops",
    "optim",
    "pick",
    "primitive",
    "softmax",
    "step_through",
    "where",
]

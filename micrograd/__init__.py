"""Scalar autodiff and mini-batch training one can read, see and trust.

``Value`` records a graph of scalar operations and backpropagates through it; the gradients of each sample's loss graph
are added into shared parameter nodes before an optimizer step. Start with ``micrograd.engine``.
"""

from micrograd import ops
from micrograd.draw import draw
from micrograd.engine import Value, dot, gradients, logsumexp, no_grad
from micrograd.ops import primitive

__all__ = ["Value", "dot", "draw", "gradients", "logsumexp", "no_grad", "ops", "primitive"]

"""A right engine in the style of arrays, here of one number: NumPy computes, and data and grad are arrays."""

import numpy as np


class Tensor:
    def __init__(self, data, requires_grad=True):
        self.data = np.atleast_1d(np.asarray(data, dtype=float))
        self.grad = np.zeros_like(self.data)
        self.requires_grad = requires_grad
        self.sources = []

    def __add__(self, other):
        other = lift(other)
        one = np.ones(1)
        return result(self.data + other.data, [(self, one), (other, one)])

    def __mul__(self, other):
        other = lift(other)
        return result(self.data * other.data, [(self, other.data.copy()), (other, self.data.copy())])

    def __truediv__(self, other):
        other = lift(other)
        quotient = self.data / other.data
        return result(quotient, [(self, 1 / other.data), (other, -quotient / other.data)])

    def __pow__(self, n):
        slope = n * self.data ** (n - 1) if n else np.zeros(1)
        return result(self.data**n, [(self, slope)])

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -lift(other)

    def __rsub__(self, other):
        return lift(other) - self

    def __rtruediv__(self, other):
        return lift(other) / self

    __radd__, __rmul__ = __add__, __mul__

    def exp(self):
        y = np.exp(self.data)
        return result(y, [(self, y)])

    def relu(self):
        return result(np.maximum(self.data, 0), [(self, (self.data > 0) * 1.0)])

    def sqrt(self):
        y = np.sqrt(self.data)
        return result(y, [(self, 0.5 / y)])

    def backward(self):
        order, entered, left, stack = [], set(), set(), [self]
        while stack:
            tensor = stack[-1]
            if tensor not in entered:
                entered.add(tensor)
                stack.extend(source for source, _ in tensor.sources if source not in entered)
                continue
            stack.pop()
            if tensor not in left:
                left.add(tensor)
                order.append(tensor)
        for tensor in order:
            if tensor.sources:
                tensor.grad = np.zeros(1)
        self.grad = self.grad + 1.0
        for tensor in reversed(order):
            for source, slope in tensor.sources:
                source.grad = source.grad + slope * tensor.grad


def lift(x):
    return x if isinstance(x, Tensor) else Tensor(x, requires_grad=False)


def result(data, sources):
    tensor = Tensor(data)
    tensor.sources = sources
    return tensor

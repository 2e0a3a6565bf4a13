"""A right engine in the style of a tape: values are numbered as they are made, and go backwards by their numbers."""

from itertools import count
from math import exp as e_to_the
from math import log as natural_logarithm

_clock = count()


class Var:
    def __init__(self, val):
        self.val = val * 1.0
        self.gradient = 0.0
        self.time = next(_clock)
        self.entries = ()

    def __add__(self, other):
        return entry(self.val + number(other), (self, 1.0), (other, 1.0))

    def __sub__(self, other):
        return entry(self.val - number(other), (self, 1.0), (other, -1.0))

    def __mul__(self, other):
        return entry(self.val * number(other), (self, number(other)), (other, self.val))

    def __truediv__(self, other):
        return self * (other**-1 if isinstance(other, Var) else 1 / other)

    def __pow__(self, n):
        if isinstance(n, Var):
            raise TypeError("exponents are numbers")
        if self.val < 0 and n != int(n):
            raise ValueError(f"{self.val} ** {n} is no real number")
        return entry(self.val**n, (self, n * self.val ** (n - 1) if n != 0 else 0.0))

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self * -1

    def __rsub__(self, other):
        return -self + other

    def __rtruediv__(self, other):
        return self**-1 * other

    def backprop(self):
        tape = {self.time: self}
        todo = [self]
        while todo:
            for operand, _ in todo.pop().entries:
                if operand.time not in tape:
                    tape[operand.time] = operand
                    todo.append(operand)
        for var in tape.values():
            if var.entries:
                var.gradient = 0.0
        self.gradient += 1.0
        for time in sorted(tape, reverse=True):
            for operand, slope in tape[time].entries:
                operand.gradient += slope * tape[time].gradient


def number(x):
    return x.val if isinstance(x, Var) else x


def entry(val, *pairs):
    var = Var(val)
    var.entries = tuple((operand, slope) for operand, slope in pairs if isinstance(operand, Var))
    return var


def exp(x):
    return entry(e_to_the(x.val), (x, e_to_the(x.val)))


def log(x):
    return entry(natural_logarithm(x.val), (x, 1 / x.val))


def relu(x):
    if x.val != x.val:
        raise ValueError("relu(nan)")
    return entry(max(x.val, 0.0), (x, float(x.val > 0)))

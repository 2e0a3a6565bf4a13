"""A right engine in the style of dual numbers, in reverse: a number, and a dictionary of its slopes by operand."""

import math


class Dual:
    __slots__ = ("derivative", "slopes", "value")

    def __init__(self, value, slopes=None):
        self.value = float(value)
        self.derivative = 0.0
        self.slopes = slopes or {}

    __hash__ = object.__hash__

    def backward(self):
        uses, order = {self: 0}, [self]
        for dual in order:
            for operand in dual.slopes:
                if operand not in uses:
                    uses[operand] = 0
                    order.append(operand)
                uses[operand] += 1
        for dual in order:
            if dual.slopes:
                dual.derivative = 0.0
        self.derivative += 1.0
        ready = [self]
        while ready:
            dual = ready.pop()
            for operand, slope in dual.slopes.items():
                operand.derivative += slope * dual.derivative
                uses[operand] -= 1
                if uses[operand] == 0:
                    ready.append(operand)

    def tanh(self):
        t = math.tanh(self.value)
        return Dual(t, {self: 1 - t * t})

    def sin(self):
        return Dual(math.sin(self.value), {self: math.cos(self.value)})

    def __abs__(self):
        return Dual(abs(self.value), {self: float((self.value > 0) - (self.value < 0))})


def binary(value, by_first, by_second):
    def forward(a, b):
        a, b = (x if isinstance(x, Dual) else Dual(x) for x in (a, b))
        x, y = a.value, b.value
        slopes = {a: by_first(x, y)}
        slopes[b] = slopes.get(b, 0.0) + by_second(x, y)
        return Dual(value(x, y), slopes)

    return forward


def power(x, y):
    return math.pow(x, y)


def by_base(x, y):
    return y * math.pow(x, y - 1) if y else 0.0


def by_exponent(x, y):
    return math.pow(x, y) * math.log(x) if x > 0 else 0.0


for _name, _forward in {
    "add": binary(lambda x, y: x + y, lambda x, y: 1.0, lambda x, y: 1.0),
    "sub": binary(lambda x, y: x - y, lambda x, y: 1.0, lambda x, y: -1.0),
    "mul": binary(lambda x, y: x * y, lambda x, y: y, lambda x, y: x),
    "truediv": binary(lambda x, y: x / y, lambda x, y: 1 / y, lambda x, y: -x / y**2),
    "pow": binary(power, by_base, by_exponent),
}.items():
    setattr(Dual, f"__{_name}__", lambda a, b, forward=_forward: forward(a, b))
    setattr(Dual, f"__r{_name}__", lambda a, b, forward=_forward: forward(b, a))
Dual.__neg__ = lambda self: 0 - self

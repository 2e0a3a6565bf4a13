"""A right engine in the style of operator objects: a class for each operation, with forward and backward."""

import math


class Scalar:
    def __init__(self, data, operation=None, inputs=()):
        if not isinstance(data, (int, float)):
            raise TypeError(f"expected a number, got {data!r}")
        self.data = float(data)
        self.grad = None
        self.operation = operation
        self.inputs = inputs

    def backward(self, gradient=1.0):
        order = self.topological_order()
        gradients = {id(self): gradient}
        for scalar in reversed(order):
            arrived = gradients[id(scalar)]
            if scalar.operation is None:
                scalar.grad = (scalar.grad or 0.0) + arrived
                continue
            scalar.grad = arrived
            for source, share in zip(scalar.inputs, scalar.operation.backward(arrived)):
                gradients[id(source)] = gradients.get(id(source), 0.0) + share

    def topological_order(self):
        order, seen, path = [], {id(self)}, [(self, iter(self.inputs))]
        while path:
            scalar, rest = path[-1]
            for source in rest:
                if id(source) not in seen:
                    seen.add(id(source))
                    path.append((source, iter(source.inputs)))
                    break
            else:
                order.append(scalar)
                path.pop()
        return order

    def __add__(self, other):
        return Add.apply(self, other)

    def __mul__(self, other):
        return Multiply.apply(self, other)

    def __pow__(self, exponent):
        return Power.apply(self, exponent=exponent)

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + other * -1.0

    def __truediv__(self, other):
        return self * (other**-1.0)

    def __radd__(self, other):
        return Add.apply(other, self)

    def __rmul__(self, other):
        return Multiply.apply(other, self)

    def __rsub__(self, other):
        return Add.apply(other, -self)

    def __rtruediv__(self, other):
        return self**-1.0 * other


class Operation:
    @classmethod
    def apply(cls, *inputs, **settings):
        operation = cls()
        vars(operation).update(settings)
        inputs = tuple(x if isinstance(x, Scalar) else Scalar(x) for x in inputs)
        return Scalar(operation.forward(*[x.data for x in inputs]), operation, inputs)


class Add(Operation):
    def forward(self, x, y):
        return x + y

    def backward(self, arrived):
        return arrived, arrived


class Multiply(Operation):
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, arrived):
        return arrived * self.y, arrived * self.x


class Power(Operation):
    def forward(self, x):
        self.x = x
        return x**self.exponent

    def backward(self, arrived):
        n = self.exponent
        return (arrived * n * self.x ** (n - 1),) if n else (0.0,)


class Tanh(Operation):
    def forward(self, x):
        self.output = math.tanh(x)
        return self.output

    def backward(self, arrived):
        return (arrived * (1 - self.output**2),)


class Sigmoid(Operation):
    def forward(self, x):
        self.output = 1 / (1 + math.exp(-x)) if x > -700 else 0.0
        return self.output

    def backward(self, arrived):
        return (arrived * self.output * (1 - self.output),)


def tanh(x):
    return Tanh.apply(x)


def sigmoid(x):
    return Sigmoid.apply(x)

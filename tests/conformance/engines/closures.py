"""A right engine in the style of closures: an operation leaves a function from its gradient to its operands' shares."""

import math


class Value:
    def __init__(self, data, parents=(), rule=None):
        self.data = float(data)
        self.grad = 0.0
        self.parents = parents
        self.rule = rule

    def __add__(self, other):
        other = as_value(other)
        return Value(self.data + other.data, (self, other), lambda g: (g, g))

    def __mul__(self, other):
        other = as_value(other)
        a, b = self.data, other.data
        return Value(a * b, (self, other), lambda g: (g * b, g * a))

    def __neg__(self):
        return Value(-self.data, (self,), lambda g: (-g,))

    def __sub__(self, other):
        other = as_value(other)
        return Value(self.data - other.data, (self, other), lambda g: (g, -g))

    def __truediv__(self, other):
        other = as_value(other)
        a, b = self.data, other.data
        return Value(a / b, (self, other), lambda g: (g / b, -g * a / b**2))

    def __pow__(self, n):
        a = self.data
        return Value(a**n, (self,), lambda g: (g * n * a ** (n - 1) if n else 0.0,))

    def __radd__(self, other):
        return self + other

    def __rsub__(self, other):
        return as_value(other) - self

    def __rmul__(self, other):
        return self * other

    def __rtruediv__(self, other):
        return as_value(other) / self

    def exp(self):
        z = math.exp(self.data)
        return Value(z, (self,), lambda g: (g * z,))

    def log(self):
        a = self.data
        return Value(math.log(a), (self,), lambda g: (g / a,))

    def tanh(self):
        z = math.tanh(self.data)
        return Value(z, (self,), lambda g: (g * (1 - z * z),))

    def sigmoid(self):
        z = (1 + math.tanh(self.data / 2)) / 2
        return Value(z, (self,), lambda g: (g * z * (1 - z),))

    def relu(self):
        a = self.data
        return Value(a if not a < 0 else 0.0, (self,), lambda g: (g if a > 0 else 0.0,))

    def backward(self):
        order = sort(self)
        for node in order:
            if node.parents:
                node.grad = 0.0
        self.grad += 1.0
        for node in reversed(order):
            if node.parents:
                for parent, share in zip(node.parents, node.rule(node.grad)):
                    parent.grad += share


def as_value(x):
    return x if isinstance(x, Value) else Value(x)


def sort(root):
    order, seen, stack = [], set(), [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents)
    return order


class Neuron:
    def __init__(self, inputs, last):
        self.w = [Value(0.1 * (k + 1)) for k in range(inputs)]
        self.b = Value(0.2)
        self.last = last

    def __call__(self, x):
        s = sum((w * v for w, v in zip(self.w, x)), self.b)
        return s if self.last else s.tanh()

    def parameters(self):
        return [*self.w, self.b]


class MLP:
    def __init__(self, inputs, sizes):
        widths = [inputs, *sizes]
        self.layers = [
            [Neuron(n, k == len(sizes) - 1) for _ in range(m)] for k, (n, m) in enumerate(zip(widths, sizes))
        ]

    def __call__(self, x):
        for layer in self.layers:
            x = [unit(x) for unit in layer]
        return x[0] if len(x) == 1 else x

    def parameters(self):
        return [p for layer in self.layers for unit in layer for p in unit.parameters()]

    def zero_grad(self):
        for p in self.parameters():
            p.grad = 0.0


class SGD:
    def __init__(self, parameters, lr):
        self.parameters = list(parameters)
        self.lr = lr

    def step(self):
        for p in self.parameters:
            p.data -= self.lr * p.grad


def accumulate(loss, batch, reduction="mean"):
    total = 0.0
    for x, y in batch:
        e = loss(x, y)
        if reduction == "mean":
            e = e / len(batch)
        e.backward()
        total += e.data
    return total

class Value:
    """A number that knows how it was computed."""

    def __init__(self, data, parents=(), slopes=()):
        self.data = data
        self.grad = 0.0
        self.parents = parents
        self.slopes = slopes

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __neg__(self):
        return self * Value(-1.0)

    def __sub__(self, other):
        return self + -other

    def backward(self, grad=1.0):
        self.grad = grad
        for parent, slope in zip(self.parents, self.slopes):
            parent.backward(grad * slope)

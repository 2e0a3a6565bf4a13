class Value:
    """A number that can be computed with."""

    def __init__(self, data):
        self.data = data

    def __add__(self, other):
        return Value(self.data + other.data)

    def __mul__(self, other):
        return Value(self.data * other.data)

    def __neg__(self):
        return self * Value(-1.0)

    def __sub__(self, other):
        return self + -other

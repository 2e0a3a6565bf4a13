"""Wrong engines, each with one mistake that students make: ``engines/closures.py`` with a line changed.

Each is a name, the case that is meant for it, and pairs of old and new text.
"""

from pathlib import Path

ENGINES = Path(__file__).parent / "engines"
RIGHT = (ENGINES / "closures.py").read_text(encoding="utf-8")

RESET = """            if node.parents:
                node.grad = 0.0
        self.grad += 1.0
"""
PASS = """        for node in reversed(order):
            if node.parents:
                for parent, share in zip(node.parents, node.rule(node.grad)):
                    parent.grad += share
"""
SORT = RIGHT[RIGHT.index("    order, seen, stack") : RIGHT.index("    return order\n")]
BACKWARD = RIGHT[RIGHT.index("        order = sort(self)") : RIGHT.index("def as_value")]
ADD = "        return Value(self.data + other.data, (self, other), lambda g: (g, g))\n"
MUL = "        a, b = self.data, other.data\n        return Value(a * b, (self, other), lambda g: (g * b, g * a))\n"
TANH = RIGHT[RIGHT.index("        z = math.tanh(self.data)\n") : RIGHT.index("    def sigmoid")]
LOSS = RIGHT[RIGHT.index("    total = 0.0\n    for x, y in batch") :]

FUNCTIONS_IN_A_LOOP = """

SLOPES = {"exp": lambda x, z: z, "log": lambda x, z: 1 / x, "tanh": lambda x, z: 1 - z * z}
for name, slope in SLOPES.items():
    forward = getattr(math, name)

    def method(self, forward=forward):
        z = forward(self.data)
        return Value(z, (self,), lambda g: (g * slope(self.data, z),))

    setattr(Value, name, method)
"""

WRONG = {
    "numbers become whole": ("1.1", [("self.data = float(data)", "self.data = int(data)")]),
    "no seed: the result's gradient stays 0": ("1.2", [("        self.grad += 1.0\n", "")]),
    "the gradient of the wrong operand": ("1.3", [("lambda g: (g * b, g * a)", "lambda g: (g * a, g * b)")]),
    "minus forgets the sign": ("1.4", [("lambda g: (g, -g)", "lambda g: (g, g)")]),
    "the negative forgets the sign": ("1.5", [("lambda g: (-g,)", "lambda g: (g,)")]),
    "a product forgets what arrives": ("1.6", [("lambda g: (g * b, g * a)", "lambda g: (b, a)")]),
    "a sum writes into its operand": ("1.8", [(ADD, "        self.data += other.data\n" + ADD)]),
    "= in place of +=": ("2.1", [("parent.grad += share", "parent.grad = share")]),
    "operands in a set": (
        "2.2",
        [(ADD, ADD.replace("(self, other), lambda g: (g, g)", "tuple({self, other}), lambda g: (g, g)"))],
    ),
    "recursion instead of an order": (
        "2.3",
        [
            (
                BACKWARD,
                "        self.grad += 1.0\n        self.push()\n\n    def push(self):\n        if self.parents:\n"
                "            for parent, share in zip(self.parents, self.rule(self.grad)):\n"
                "                parent.grad += share\n                parent.push()\n\n\n",
            )
        ],
    ),
    "nodes told apart by their numbers": ("2.4", [("id(node)", "node.data")]),
    "level by level, not in topological order": (
        "2.5",
        [
            (
                SORT,
                "    order = [root]\n    for node in order:\n"
                "        order.extend(p for p in dict.fromkeys(node.parents) if p not in order)\n    order.reverse()\n",
            )
        ],
    ),
    "every pass sets leaves back too": ("3.1", [(RESET, "            node.grad = 0.0\n        self.grad += 1.0\n")]),
    "interior nodes keep what they had": ("3.2", [(RESET, "            pass\n        self.grad = 1.0\n")]),
    "a node that is done is not visited again": (
        "3.3",
        [
            ("        self.rule = rule\n", "        self.rule = rule\n        self.done = False\n"),
            (
                "                for parent, share in",
                "                if node.done:\n                    continue\n                node.done = True\n"
                "                for parent, share in",
            ),
        ],
    ),
    "the seed adds up": ("3.4", [(RESET, RESET.replace("if node.parents:", "if node.parents and node is not self:"))]),
    "all instances share one tape": (
        "3.6",
        [
            ("class Value:\n", "class Value:\n    tape = []\n"),
            ("        self.rule = rule\n", "        self.rule = rule\n        self.tape.append(self)\n"),
            ("        order = sort(self)\n", "        order = self.tape\n"),
            (RESET, "            pass\n        self.grad = 1.0\n"),
        ],
    ),
    "zero_grad skips the bias": (
        "3.8",
        [
            (
                "        for p in self.parameters():\n            p.grad = 0.0",
                "        for layer in self.layers:\n            for unit in layer:\n"
                "                for p in unit.w:\n                    p.grad = 0.0",
            )
        ],
    ),
    "only floats beside a value": (
        "4.1",
        [("isinstance(x, Value) else Value(x)", "not isinstance(x, float) else Value(x)")],
    ),
    "no __radd__": ("4.2", [("    def __radd__(self, other):\n        return self + other\n\n", "")]),
    "__rsub__ the wrong way round": ("4.4", [("as_value(other) - self", "self - as_value(other)")]),
    "a quotient's second slope": ("4.9", [("-g * a / b**2", "g * a / b")]),
    "a power keeps its exponent": ("4.10", [("g * n * a ** (n - 1)", "g * n * a**n")]),
    "division of whole numbers": (
        "4.14",
        [
            ("self.data = float(data)", "self.data = data"),
            ("Value(a / b,", "Value(a // b if a == int(a) == 1 else a / b,"),
        ],
    ),
    "closure over the loop variable": ("4.16", [("def as_value", FUNCTIONS_IN_A_LOOP.strip() + "\n\n\ndef as_value")]),
    "logarithm to the base 10": ("4.17", [("math.log(a)", "math.log10(a)")]),
    "tanh's slope from its input": ("4.18", [("g * (1 - z * z)", "g * (1 - self.data**2)")]),
    "relu lets the gradient through everywhere": ("4.20", [("g if a > 0 else 0.0", "g")]),
    "sigmoid's slope": ("4.21", [("g * z * (1 - z)", "g * (1 - z)")]),
    "a hidden layer cut off from the graph": (
        "5.10",
        [("x = [unit(x) for unit in layer]", "x = [unit([as_value(v).data for v in x]) for unit in layer]")],
    ),
    "only the last sample counts": (
        "6.8",
        [
            (
                "        e.backward()\n",
                "        for node in sort(e):\n            node.grad = 0.0\n        e.backward()\n",
            )
        ],
    ),
    "the mean is taken twice": ("6.9", [("e = e / len(batch)", "e = e / len(batch) / len(batch)")]),
    "the batch is averaged before the product": (
        "6.10",
        [
            (
                LOSS,
                "    size = len(batch)\n    e = loss(sum(x for x, _ in batch) / size, sum(y for _, y in batch) / size)\n"
                "    if reduction == 'sum':\n        e = e * size\n    e.backward()\n    return e.data\n",
            )
        ],
    ),
    "the optimizer walks uphill": ("6.11", [("p.data -= self.lr", "p.data += self.lr")]),
    "relu's slope at 0": ("7.1", [("g if a > 0 else 0.0", "g if a >= 0 else 0.0")]),
    "0**0 divides by 0": ("7.5", [("g * n * a ** (n - 1) if n else 0.0", "g * n * a ** (n - 1)")]),
    "tanh by exp": (
        "7.7",
        [("z = math.tanh(self.data)\n", "z = (math.exp(2 * self.data) - 1) / (math.exp(2 * self.data) + 1)\n")],
    ),
    "log never fails": ("7.13", [("math.log(a)", "math.log(max(a, 1e-12))")]),
    "complex numbers": ("7.15", [("self.data = float(data)", "self.data = data")]),
    "relu hides nan": ("7.20", [("a if not a < 0 else 0.0", "a if a > 0 else 0.0")]),
    "recursion": (
        "8.1",
        [
            (
                SORT,
                "    order, seen = [], set()\n\n    def visit(node):\n        if id(node) not in seen:\n"
                "            seen.add(id(node))\n            for parent in node.parents:\n                visit(parent)\n"
                "            order.append(node)\n\n    visit(root)\n",
            )
        ],
    ),
    "every path on its own": (
        "8.3",
        [
            (
                BACKWARD,
                "        for node in sort(self):\n            if node.parents:\n                node.grad = 0.0\n"
                "        push(self, 1.0)\n\n\ndef push(node, g):\n    node.grad += g\n    if node.parents:\n"
                "        for parent, share in zip(node.parents, node.rule(g)):\n            push(parent, share)\n\n\n",
            )
        ],
    ),
    "seen nodes in a list": (
        "8.4",
        [
            ("order, seen, stack = [], set(), [(root, False)]", "order, seen, stack = [], [], [(root, False)]"),
            ("id(node) not in seen", "node not in seen"),
            ("seen.add(id(node))", "seen.append(node)"),
        ],
    ),
    "values keep what uses them": (
        "8.5",
        [
            (
                "        self.rule = rule\n",
                "        self.rule = rule\n        self.children = []\n        for parent in parents:\n"
                "            parent.children.append(self)\n",
            )
        ],
    ),
    "the order comes from a set": (
        "8.6",
        [
            (
                "stack.extend((parent, False) for parent in node.parents)",
                "stack.extend((p, False) for p in set(node.parents))",
            )
        ],
    ),
    "slopes are computed in the backward pass": (
        "9.1",
        [
            (
                MUL,
                "        return Value(self.data * other.data, (self, other), lambda g: (g * other.data, g * self.data))\n",
            )
        ],
    ),
    "closures over the old nodes": (
        "9.3",
        [
            (
                MUL,
                MUL.replace("return", "out =")
                + "\n        def push(g):\n            self.grad += g * b\n            other.grad += g * a\n            return ()\n\n"
                "        out.rule = push\n        return out\n",
            )
        ],
    ),
    "a lambda in every value": ("9.5", [("self.rule = rule\n", "self.rule = rule or (lambda g: ())\n")]),
}


def source(name: str) -> str:
    """The wrong engine's text."""
    text = RIGHT
    for old, new in WRONG[name][1]:
        assert old in text, (name, old)
        text = text.replace(old, new)
    return text

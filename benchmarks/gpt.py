"""The GPT of ``demos/names.py`` on one name of six letters: the same code, eager and replayed."""

import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "demos"))

from names import GPT, encode
from scalars import CHECKED
from task import LR

from micrograd import accumulate, fit, jit, optim


@dataclass(frozen=True)
class Name:
    name: str = "GPT, 1 name"
    letters: str = "random"

    def batches(self):
        return [[encode(self.letters)]]


def eager(task, lift=lambda loss: loss):
    model = GPT(0)
    (batch,), loss, optimizer = task.batches(), lift(model.loss), optim.SGD(model.parameters(), LR)

    def steps(n):
        for _ in range(n):
            optimizer.zero_grad()
            accumulate(loss, batch)
            optimizer.step()

    accumulate(loss, batch)
    gradient = [p.grad for p in optimizer.parameters]
    if lift is jit:
        steps(CHECKED)
    return gradient, steps


def tape_accumulate(task):
    return eager(task, jit)


def tape_fit(task):
    model = GPT(0)
    batches, loss, optimizer = task.batches(), jit(model.loss), optim.SGD(model.parameters(), LR)
    accumulate(loss, batches[0])
    gradient = [p.grad for p in optimizer.parameters]
    steps = lambda n: fit(loss, batches, optimizer, n, progress=False)
    steps(CHECKED)
    return gradient, steps

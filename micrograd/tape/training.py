"""Steps of training on arrays, for a loss that is recorded and an optimizer whose rule can be compiled.

A ``table`` holds the numbers, a column for each of the optimizer's parameters: their data, their gradients, and the
optimizer's state. A step makes a new table; it becomes the trainer's ``position`` together with the counts that belong
to it. Values are written at named points, from one position, whole or not at all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import accumulate, islice
from operator import is_
from time import perf_counter
from typing import Any, Protocol, cast

import numpy as np

from micrograd.data import DataLoader
from micrograd.engine import Value, set_data, set_grad
from micrograd.optim import Optimizer, Schedule, Snapshot
from micrograd.samples import require_batch
from micrograd.tape.columns import Array
from micrograd.tape.lanes import Lanes
from micrograd.tape.machine import Program
from micrograd.tape.rules import Rule
from micrograd.tape.symbols import Untraceable
from micrograd.train import NodeByNode, Step, Taken

LONGEST = 0.02  # seconds that a compiled call is meant to take: Ctrl-C and the progress bar wait for its end
KEPT = {list, tuple, np.ndarray}  # where samples are, and not made anew each time


class Recording(Protocol):
    """What a trainer asks of a recorded function: ``recorded.Recorded``."""

    function: Callable[..., Value]
    parameters: list[Value]

    def lanes(self, samples: Sequence[Any]) -> tuple[Lanes | None, Array]: ...
    def look_outside(self) -> bool: ...
    def takes(self, thing: object, names: Collection[str]) -> bool: ...
    def expect(self, parameters: Sequence[Value]) -> None: ...


def trainer(recorded: Recording, step: Step, write_back: bool, samples: Sequence[Any]) -> "ArrayTrainer | None":
    """An ``ArrayTrainer``; None where code of the user's own has to run at every step."""
    optimizer, schedule = step.optimizer, step.schedule
    if not _is_rule_alone(optimizer) or not _is_of_count_alone(schedule, optimizer):
        return None
    rule = _rule(optimizer)
    return None if rule is None else ArrayTrainer(recorded, step, rule, write_back, samples)


def _rule(optimizer: Optimizer) -> Rule | None:
    """The optimizer's rule as machine code; None if it cannot be compiled."""
    try:
        return Rule(optimizer)
    except Untraceable:
        return None


def _is_rule_alone(optimizer: Optimizer) -> bool:
    """Whether a step of this optimizer is its rule and nothing else."""
    own = [getattr(type(optimizer), name) is not getattr(Optimizer, name) for name in ("step", "zero_grad")]
    return not any(own) and not {"rule", "step", "zero_grad"} & vars(optimizer).keys()


def _is_of_count_alone(schedule: Schedule | None, optimizer: Optimizer) -> bool:
    """Whether the schedule's learning rate is known beforehand: those of ``optim`` look at the count of steps alone."""
    if schedule is None:
        return True
    own = type(schedule).__module__ != Schedule.__module__ or {"lr", "step"} & vars(schedule).keys()
    then = getattr(schedule, "then", None)
    return not own and schedule.optimizer is optimizer and _is_of_count_alone(then, optimizer)


@dataclass(frozen=True)
class Position:
    """What a whole number of steps has led to.

    Attributes:
        table: data, gradients and state of the optimizer's parameters.
        others: the parameters of the loss that do not learn, with the gradients to be added to them.
        steps, lr: the optimizer's.
        scheduled: steps of the schedule.
    """

    table: Array
    others: dict[Value, float]
    steps: int
    lr: float
    scheduled: int


class ArrayTrainer:
    """A ``train.Trainer`` on arrays. Where a number is not finite, the step is taken on Values, which tells why."""

    def __init__(self, recorded: Recording, step: Step, rule: Rule, write_back: bool, samples: Sequence[Any]) -> None:
        self._recorded, self._step, self._write_back = recorded, step, write_back
        self._optimizer, self._schedule = step.optimizer, step.schedule
        self._rule: Rule | None = rule
        self._on_values = NodeByNode(recorded.function, step)
        self._pace = LONGEST, 1  # seconds a step, and how many there were in the last call
        self._waiting: list[Chosen] = []
        self._reached = False  # whether gradients come to some of the parameters, as far as was looked
        recorded.expect(self._optimizer.parameters)
        self._places = Places([], self._optimizer.parameters)  # until something is recorded
        self._is_read = False  # whether the loss takes a number from the optimizer or the schedule
        self._samples = [*samples]  # which keeps their ids
        self._known = Source(recorded, self._samples) if self._samples else None
        self._index = {id(sample): k for k, sample in enumerate(self._samples)}
        # As read or written last: data, learning rate, the optimizer's counts and state. And the positions that the
        # Values are at, in data and in all.
        self._data: list[float] = []
        self._lr = 0.0
        self._counted: list[Any] = []
        self._at: Position | None = None
        self._wholly_at: Position | None = None
        self._position = Position(np.zeros((2 + len(self._optimizer.state), 0)), {}, 0, 0.0, 0)
        self._read([0.0] * len(self._optimizer.parameters))

    @property
    def taken(self) -> list[Taken]:
        return self._on_values.taken

    @taken.setter
    def taken(self, taken: list[Taken]) -> None:
        self._on_values.taken = taken

    def gradients(self) -> list[float]:
        return self._position.table[1].tolist()  # type: ignore[no-any-return]

    def batches(self, batches: Iterable[Any], watched: bool) -> Iterable[Any]:
        """Those of a ``DataLoader`` or a list by their positions in samples that are read once, if they all can be."""
        try:
            if isinstance(batches, DataLoader) and type(batches).__iter__ is DataLoader.__iter__:
                return Loader(self._recorded, batches, watched) if type(batches.samples) in KEPT else batches
            if type(batches) is list and batches and not watched and KEPT.issuperset(map(type, batches)):
                return Loader(self._recorded, _Listed(batches), watched)
        except (TypeError, ValueError):  # one of them cannot be read; the error comes at its batch
            pass
        return batches

    # ---- steps ----

    def take(self, batches: Iterator[Any]) -> bool:
        batch = self._waiting.pop(0) if self._waiting else next(batches, None)
        if batch is None:
            return False
        if self._at is self._position:
            self._read(None)
        elif self._optimizer.lr != self._lr:  # somebody has set it
            self._position = replace(self._position, lr=self._optimizer.lr)
        if self._rule is not None and self._rule.is_stale():
            self._rule = _rule(self._optimizer)
        self._recorded.look_outside()
        chosen = batch if isinstance(batch, Chosen) else self._chosen(require_batch(batch))
        if not self._train(chosen, batches):
            self._train_on_values(chosen)
        if self._write_back:
            self._write(whole=False)
        return True

    def _chosen(self, samples: list[Any]) -> "Chosen":
        if self._known is not None:
            with suppress(KeyError):  # another sample
                places = map(self._index.__getitem__, map(id, samples))
                return Chosen(self._known, np.fromiter(places, np.int64, len(samples)))
        return Chosen(Source(self._recorded, samples), np.arange(len(samples)))

    def _train(self, chosen: "Chosen", batches: Iterator[Any]) -> bool:
        """Train on this batch, and on some of those after it; False if a number is not finite."""
        lanes, rule = chosen.source.current(), self._rule
        if lanes is None or rule is None:
            return False
        if self._places.of is not self._recorded.parameters or len(self._places.of) != self._places.count:
            self._places = Places(self._recorded.parameters, self._optimizer.parameters)
            self._is_read = self._is_read_by_the_loss()
        if self._is_read:
            return False
        lanes.require_losses()
        if not self._reached:
            self._reached = True  # or it is told now
            learning = set(self._places.learning.tolist())
            if all([track.tape.used.isdisjoint(learning) for track, _, _ in lanes.groups]):
                self._optimizer.warn_unreached()
        together = len(lanes.groups) == 1 and not len(self._places.frozen) and self._step.executor is None
        if together and len(chosen) <= lanes.groups[0][0].program.chunk:
            return self._train_together(rule, lanes, chosen, batches)
        return self._train_once(rule, lanes, chosen)

    def _is_read_by_the_loss(self) -> bool:
        """Whether the loss takes from the optimizer or the schedule what each step changes, which is in arrays here."""
        changing = ("lr", "steps", "state")
        return any([self._recorded.takes(thing, changing) for thing in (self._optimizer, self._schedule) if thing])

    def _train_once(self, rule: Rule, lanes: Lanes, chosen: "Chosen") -> bool:
        """A step on samples of any shapes, with parameters that do not learn among the loss's."""
        position, places = self._position, self._places
        rates = self._rates(1)
        values = places.values(position.table[0])
        answer = lanes.gradient(values, chosen.order, self._step.executor) if len(rates) == 2 else None
        if answer is None:
            return False
        loss, gradient = answer[0], answer[1] * self._step.share(len(chosen))
        table = position.table.copy()
        table[1] = 0.0
        table[1, places.columns] = gradient[places.learning]
        if not rule.apply(table, position.lr, position.steps + 1, self._step.max_norm):
            return False
        others = dict(position.others)
        for parameter, slope in zip(places.frozen_parameters, gradient[places.frozen].tolist()):
            others[parameter] = others.get(parameter, 0.0) + slope
        self._move(table, others, rates, [(len(chosen), loss)])
        return True

    def _train_together(self, rule: Rule, lanes: Lanes, chosen: "Chosen", batches: Iterator[Any]) -> bool:
        """As many steps as nobody looks in between, and as take some hundredths of a second, in one call."""
        position, places = self._position, self._places
        [(track, columns, _)] = lanes.groups
        values = places.values(position.table[0])
        if not lanes.check(values, chosen.order):
            return False
        seconds, count = self._pace
        count = min(int(LONGEST / seconds), 8 * count, track.checks.free(chosen.most or len(chosen)))
        rates = self._rates(1 + max(count, 0))
        steps = [chosen]
        for other in islice(batches, len(rates) - 2) if chosen.most else ():
            if not (isinstance(other, Chosen) and other.source is chosen.source):
                self._waiting.append(other)
                break
            steps.append(other)
        if len(rates) < 2:
            return False
        table, sizes = position.table.copy(), [len(step) for step in steps]
        start = perf_counter()
        losses = rule.train(
            cast(Program, track.program),  # there is a compiler, or there was no trainer
            table,
            places.where,
            columns,
            chosen.order if len(steps) == 1 else np.concatenate([step.order for step in steps]),
            [*accumulate(sizes)],
            [self._step.share(size) for size in sizes],
            rates[: len(steps)],
            position.steps,
            self._step.max_norm,
        )
        if losses:
            self._pace = (perf_counter() - start) / len(losses), len(losses)
            track.checks.passed(sizes[1 : len(losses)])
            self._move(table, position.others, rates, [*zip(sizes, losses)])
        self._waiting = [*steps[max(len(losses), 1) :], *self._waiting]
        return bool(losses)

    def _rates(self, count: int) -> list[float]:
        """The learning rates of so many steps, and of the one after them; fewer if the schedule has no more."""
        rates, schedule = [self._position.lr], self._schedule
        if schedule is None:
            return rates * (count + 1)
        with suppress(ArithmeticError, ValueError):  # it overflows, say, which is told when it comes to that
            rates.extend(schedule.lr(self._position.scheduled + k) for k in range(1, count + 1))
        return rates

    def _move(self, table: Array, others: dict[Value, float], rates: Sequence[float], lines: list[Taken]) -> None:
        """Let that be the position, after as many steps as there are lines."""
        before, count = self._position, len(self.taken)
        steps = len(lines)
        try:
            self._position = Position(table, others, before.steps + steps, rates[steps], before.scheduled + steps)
            self.taken.extend(lines)
        except BaseException:
            self._position = before
            del self.taken[count:]
            raise

    def _train_on_values(self, chosen: "Chosen") -> None:
        self._write(whole=True)  # from here on the Values are what counts, until they are read
        self._optimizer.zero_grad()
        self._on_values.take(iter([[*chosen]]))
        self._read(self._on_values.gradients())

    # ---- Values ----

    def _read(self, gradients: list[float] | None) -> None:
        """Take over what Values, optimizer and schedule hold."""
        optimizer, table = self._optimizer, self._position.table
        data = [parameter.data for parameter in optimizer.parameters]
        state = optimizer.state
        if gradients is not None or state or data != self._data:
            table = np.empty((2 + len(state), len(data)))
            table[0], table[1] = data, self._position.table[1] if gradients is None else gradients
            for row, column in zip(table[2:], state):
                row[:] = column
        scheduled = self._schedule.steps if self._schedule is not None else 0
        position = Position(table, self._position.others, optimizer.steps, optimizer.lr, scheduled)
        self._data, self._lr, self._counted = data, optimizer.lr, self._counts()
        self._position, self._at = position, position

    def sync(self) -> None:
        self._write(whole=True)

    def _write(self, whole: bool) -> None:
        """Write the position into Values, optimizer and schedule; the gradients only with ``whole``.

        Where Values are at the position in data, what somebody has set since stays.
        """
        position, optimizer, schedule = self._position, self._optimizer, self._schedule
        if (self._wholly_at if whole else self._at) is position:
            return
        parameters, others, is_current = optimizer.parameters, position.others, self._at is position
        before = Snapshot(optimizer, schedule), self._data, self._lr, self._counted, self._at, self._wholly_at, position
        slopes, more = [p.grad for p in parameters], [p.grad for p in others]
        changed = None if is_current or self._write_back else self._changed(before[0].data)
        data = self._data if is_current else position.table[0].tolist()
        state: list[Any] = [*(optimizer.state if is_current else position.table[2:])]
        if whole:
            state = [column.tolist() if isinstance(column, np.ndarray) else column for column in state]
        else:
            state = [column.copy() for column in state]
        try:
            optimizer.state = state
            if not is_current:
                if optimizer.lr != self._lr:  # somebody has set it
                    position = replace(position, lr=optimizer.lr)
                vars(optimizer).update(steps=position.steps, lr=position.lr)
                if schedule is not None:
                    schedule.steps = position.scheduled
                set_data(parameters, data)
            if whole:
                set_grad(parameters, position.table[1].tolist())
                set_grad([*others], [g + x for g, x in zip(more, others.values())])
                position = replace(position, others={})
            elif self._wholly_at is not None:  # which has left gradients there
                optimizer.zero_grad()
            self._data, self._lr, self._counted = data, position.lr, self._counts()
            self._position, self._at, self._wholly_at = position, position, position if whole else None
        except BaseException:
            before[0].restore()
            set_grad(parameters, slopes)
            set_grad([*others], more)
            self._data, self._lr, self._counted, self._at, self._wholly_at, self._position = before[1:]
            raise
        if changed:
            raise ValueError(changed)

    def _counts(self) -> list[Any]:
        """The optimizer's state and the counts of steps, to tell whether somebody sets them: not asked if they may."""
        if self._write_back:
            return []
        scheduled = self._schedule.steps if self._schedule is not None else 0
        state = self._optimizer.state
        return [self._optimizer.steps, scheduled, id(state), state, *[[*column] for column in state]]

    def _changed(self, now: list[float]) -> str | None:
        """What to say if somebody has set a parameter or the optimizer's state in the meantime."""
        what = "the optimizer's state, or a count of steps," if self._counts() != self._counted else ""
        if now != self._data:
            pairs = zip(self._optimizer.names, now, self._data)
            what = next(f"{name} was set to {x}" for name, x, y in pairs if x is not y and x != y)
        elif what:
            what = f"{what} was set"
        return what and (
            f"{what} while its numbers were in arrays, and is the trained one again; with write_back=False, call "
            "sync() before setting it"
        )


class Places:
    """Where the parameters of a loss are among those of an optimizer.

    Attributes:
        of, count: the loss's parameters, and how many they were.
        learning, columns: those among them that learn, by position, and their columns in the table.
        frozen, frozen_parameters: the others.
        where: the columns if all learn, but None if they are the first ones, in order.
    """

    def __init__(self, of: list[Value], learning: Sequence[Value]) -> None:
        self.of, self.count = of, len(of)
        self.where: Array | None = None
        if len(of) <= len(learning) and all(map(is_, of, learning)):  # which is told sooner
            self.learning = self.columns = np.arange(len(of))
            self.frozen = np.zeros(0, dtype=np.int64)
        else:
            column_of = {id(parameter): k for k, parameter in enumerate(learning)}
            column = np.array([column_of.get(id(parameter), -1) for parameter in of], dtype=np.int64)
            self.learning, self.frozen = np.flatnonzero(column >= 0), np.flatnonzero(column < 0)
            self.columns = self.where = column[self.learning]
        self.frozen_parameters = [of[k] for k in self.frozen]

    def values(self, data: Array) -> Array:
        """The numbers of the loss's parameters, given the optimizer's."""
        if self.where is None:
            return data[: self.count]
        values = np.empty(self.count)
        values[self.learning] = data[self.columns]
        values[self.frozen] = [parameter.data for parameter in self.frozen_parameters]
        return values


class Source:
    """Samples that are read once, and anew where the function is recorded anew."""

    def __init__(self, recorded: Recording, samples: Sequence[Any]) -> None:
        self.recorded, self.samples = recorded, samples
        self._lanes, _ = recorded.lanes(samples)

    def current(self) -> Lanes | None:
        if self._lanes is not None and self._lanes.parameters is not self.recorded.parameters:
            self._lanes, _ = self.recorded.lanes(self.samples)
        return self._lanes


class Chosen(Sequence[Any]):
    """A batch: samples of a source, by their positions. ``most`` is the size of the largest one of their loader."""

    def __init__(self, source: Source, order: Array, most: int = 0) -> None:
        self.source, self.order, self.most = source, order, most

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, k: Any) -> Any:
        return self.source.samples[self.order[k]]


class _Listed:
    """A list of batches as a loader. A batch that is listed several times is there once."""

    shuffle = drop_last = False

    def __init__(self, batches: list[Any]) -> None:
        self.samples: list[Any] = []
        places: dict[int, range] = {}
        for batch in batches:
            if id(batch) not in places:
                places[id(batch)] = range(len(self.samples), len(self.samples) + len(batch))
                self.samples += require_batch(batch)
        self.ranges = [places[id(batch)] for batch in batches]
        self.batch_size = max(map(len, self.ranges))

    def __len__(self) -> int:
        return len(self.ranges)

    def orders(self) -> list[range]:
        return self.ranges


class Loader:
    """The batches of a loader, as positions in samples that are read once.

    They are read anew where an epoch begins and their number has changed; if somebody watches, who may exchange some,
    also where one is another object than before. Samples that are changed in place are left to the checks.
    """

    def __init__(self, recorded: Recording, loader: DataLoader | _Listed, watched: bool) -> None:
        self.recorded, self.loader, self.watched = recorded, loader, watched
        self._same: list[Chosen] = []
        self._read()

    def _read(self) -> None:
        self._samples = [*self.loader.samples]
        self._source = Source(self.recorded, self.loader.samples)
        self._made: Any = None

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Chosen]:
        loader = self.loader
        same = len(loader.samples) == len(self._samples)
        if not same or (self.watched and not all(map(is_, loader.samples, self._samples))):
            self._read()
        if loader.shuffle:
            return (Chosen(self._source, np.array(order), loader.batch_size) for order in loader.orders())
        now = loader.batch_size, loader.drop_last
        if now != self._made:  # else the same as in the last epoch
            self._same = [Chosen(self._source, np.array(order), loader.batch_size) for order in loader.orders()]
            self._made = now
        return iter(self._same)

"""Which nodes should not be INT8: each block is tried alone, and the costliest leave until the network is good enough.

How much a block costs is told by the network's outputs on a few pictures; whether the network is good enough is told
by whoever asks, on as many as he likes. Errors of blocks add up, nearly: rounding is noise.
"""
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

from wholebody.calibration.output_error import Cost, OutputError
from wholebody.engines.calibration_table import CalibrationTable
from wholebody.engines.qdq_graph import QuantisedModel, quantise

MOST_BLOCKS = 64
_STEPS = tuple(0.5 ** step for step in range(1, 17))  # of the error of all blocks, that is left at each try
_MATERIAL = 0.7   # of the outputs' error at the last trial: only what is below is worth a trial
Say = Callable[[int, int, str], None]
Judge = Callable[[bytes, Tuple[str, ...]], Tuple[float, bool]]  # model, kept nodes -> score for the report, good enough


class Block(NamedTuple):
    """Nodes that go together, and what INT8 costs there."""

    nodes: Tuple[str, ...]
    macs: int
    error: float  # of the outputs, with nothing else in INT8


class Trial(NamedTuple):
    """A choice of kept nodes and what came of it."""

    keep: Tuple[str, ...]
    method: str           # of the ranges
    int8_macs: float      # part of all
    error: float          # of the outputs
    score: float          # as the judge measured
    passed: bool


class Found(NamedTuple):
    """What a search ended with."""

    table: CalibrationTable        # with `keep` and the method that lost least
    trials: Tuple[Trial, ...]      # in the order they were made
    blocks: Tuple[Block, ...]      # from the costliest; () where nothing had to be kept
    methods: Tuple[Tuple[str, float], ...]  # error of the outputs with all in INT8, by method

    @property
    def passed(self) -> bool:
        """Whether the last choice is good enough."""
        return self.trials[-1].passed


def best_method(data: bytes, table: CalibrationTable, error: OutputError,
                keep: Sequence[str] = ()) -> Tuple[CalibrationTable, Tuple[Tuple[str, float], ...]]:
    """The table with the ranges of the method whose outputs are nearest, and the errors of all methods."""
    if not table.statistics:
        return table, ()
    errors = {method: error(quantise(data, ranges, keep, channels=table.channels).data)
              for method, ranges in table.statistics.items()}
    best = min(sorted(errors), key=lambda method: errors[method])
    return (table._replace(method=best, ranges=table.statistics[best]),
            tuple(sorted(errors.items(), key=lambda item: item[1])))


def search(data: bytes, table: CalibrationTable, error: OutputError, costs: Sequence[Cost], judge: Judge,
           least_int8: float = 0.5, say: Optional[Say] = None) -> Found:
    """Tries all in INT8, then with ever more of the costliest blocks in float until the judge is content.

    `least_int8`: the part of the multiplications below which INT8 is not worth it; then `passed` is False.
    """
    table, methods = best_method(data, table, error)
    task = _Task(data, table, error, costs, judge)
    trials = [task.attempt(())]
    if trials[0].passed:
        return Found(table, tuple(trials), (), methods)
    task, blocks = _costliest_first(task, say)
    failing = 0
    counts = _counts(task, blocks, least_int8)
    for count in counts:
        error_now = task.error(task.without(_nodes(blocks[:count])).data)
        if error_now > _MATERIAL * trials[-1].error and count != counts[-1]:
            continue
        trials.append(task.attempt(_nodes(blocks[:count])))
        if trials[-1].passed:
            trials += _fewer(task, blocks, count, failing)
            break
        failing = count
    last = trials[-1]
    table = task.by(last.method).table
    return Found(table._replace(keep=last.keep if last.passed else ()), tuple(trials), tuple(blocks), methods)


def _costliest_first(task: "_Task", say: Optional[Say]) -> Tuple["_Task", List[Block]]:
    """The blocks in the order in which they are kept.

    While one bad block drowns everything all methods look alike: which is best is asked again without the worst.
    """
    blocks = sorted(_measured(task, say), key=_worth_keeping, reverse=True)
    worst = _nodes(blocks[:_count_for(blocks, sum(block.error for block in blocks) * _STEPS[3])])
    if len(worst) == len(task.costs):
        return task, blocks
    again = task.best(worst)
    if again.table.method == task.table.method:
        return task, blocks
    return again, sorted(_measured(again, say), key=_worth_keeping, reverse=True)


def _counts(task: "_Task", blocks: Sequence[Block], least_int8: float) -> List[int]:
    """How many blocks are kept at each try, as long as enough is left in INT8."""
    most = max((count for count in range(len(blocks))
                if task.int8_macs(_nodes(blocks[:count])) >= least_int8), default=0)
    whole = sum(block.error for block in blocks)
    return sorted({min(_count_for(blocks, whole * step), most) for step in _STEPS} | {most}) if most else []


class _Task(NamedTuple):
    """What all trials share."""

    data: bytes
    table: CalibrationTable
    error: OutputError
    costs: Sequence[Cost]
    judge: Judge

    def without(self, keep: Sequence[str]) -> QuantisedModel:
        """The network with these nodes in float."""
        return quantise(self.data, self.table.ranges, keep, channels=self.table.channels)

    def int8_macs(self, keep: Sequence[str]) -> float:
        """The part of the multiplications that is INT8 then."""
        whole = sum(cost.macs for cost in self.costs)
        return sum(cost.macs for cost in self.costs if cost.candidate.name not in keep
                   and self.table.ranges.get(cost.source, 0) > 0) / max(whole, 1)

    def by(self, method: str) -> "_Task":
        """The same with the ranges of a method."""
        known = self.table.statistics.get(method)
        return self if known is None else self._replace(table=self.table._replace(method=method, ranges=known))

    def best(self, keep: Sequence[str]) -> "_Task":
        """The same with the method that is best for what is left."""
        return self._replace(table=best_method(self.data, self.table, self.error, keep)[0])

    def attempt(self, keep: Tuple[str, ...]) -> Trial:
        """Measures one choice, with the method that is best for it."""
        task = self.best(keep) if keep else self
        fast = quantise(self.data, task.table.ranges, keep, channels=task.table.channels, for_cpu=True)
        score, passed = self.judge(fast.data, keep)
        return Trial(keep, task.table.method, task.int8_macs(keep), self.error(task.without(keep).data), score, passed)


def _fewer(task: _Task, blocks: Sequence[Block], passing: int, failing: int) -> List[Trial]:
    """Bisects for the smallest number of kept blocks that passes; the last trial is the one to take."""
    trials: List[Trial] = []
    best: Optional[Trial] = None
    while passing - failing > 1:
        middle = (passing + failing) // 2
        trials.append(task.attempt(_nodes(blocks[:middle])))
        if trials[-1].passed:
            passing, best = middle, trials[-1]
        else:
            failing = middle
    if trials and not trials[-1].passed:
        trials.append(best or task.attempt(_nodes(blocks[:passing])))
    return trials


def _measured(task: _Task, say: Optional[Say]) -> List[Block]:
    """Each block alone in INT8."""
    size = -(-len(task.costs) // MOST_BLOCKS)
    groups = [task.costs[i:i + size] for i in range(0, len(task.costs), size)]
    names = [cost.candidate.name for cost in task.costs]
    blocks = []
    for place, group in enumerate(groups):
        own = tuple(cost.candidate.name for cost in group)
        if not any(task.table.ranges.get(cost.source, 0) > 0 for cost in group):
            continue
        alone = task.error(task.without([name for name in names if name not in own]).data)
        blocks.append(Block(own, sum(cost.macs for cost in group), alone))
        if say is not None:
            say(place + 1, len(groups), "")
    return blocks


def _worth_keeping(block: Block) -> float:
    """Error that goes for each multiplication that leaves INT8."""
    return block.error / max(block.macs, 1)


def _count_for(blocks: Sequence[Block], allowed: float) -> int:
    """How many of the first blocks must be kept for the others to sum to no more than `allowed`."""
    left, count = sum(block.error for block in blocks), 0
    while count < len(blocks) and left > allowed:
        left -= blocks[count].error
        count += 1
    return count


def _nodes(blocks: Sequence[Block]) -> Tuple[str, ...]:
    return tuple(name for block in blocks for name in block.nodes)

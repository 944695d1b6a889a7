"""What functions that schedule operations work on, and which function schedules which operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from xdsl.ir import Operation, SSAValue

from softex_mlir.compiler.schedule.l2_objects import L2Objects, WeightValue
from softex_mlir.compiler.schedule.plan import Plan
from softex_mlir.compiler.schedule.tasks import Tasks
from softex_mlir.compiler.schedule.views import View
from softex_mlir.isa_sim.machine import Machine


@dataclass
class Scheduling:
    """The state of the walk over a program's operations."""

    plan: Plan
    memory: L2Objects
    tasks: Tasks = field(default_factory=Tasks)
    values: dict[SSAValue, View | WeightValue] = field(
        default_factory=dict[SSAValue, "View | WeightValue"]
    )

    @property
    def machine(self) -> Machine:
        """The machine that is scheduled for."""
        return self.plan.machine

    def view(self, value: SSAValue) -> View:
        """A value in L2; weights become rows."""
        found = self.values[value]
        return self.memory.weight_rows(found) if isinstance(found, WeightValue) else found


OpT = TypeVar("OpT", bound=Operation)
Schedule: TypeAlias = Callable[[OpT, Scheduling], None]
"""Gives an operation's results their values, with the tasks that compute them."""

_SCHEDULES: dict[type[Operation], Schedule[Any]] = {}


def schedules(*kinds: type[OpT]) -> Callable[[Schedule[OpT]], Schedule[OpT]]:
    """Register a function for classes of operations."""

    def register(function: Schedule[OpT]) -> Schedule[OpT]:
        _SCHEDULES.update(dict.fromkeys(kinds, function))
        return function

    return register


def schedule_of(op: Operation) -> Schedule[Any] | None:
    """The function that schedules an operation; None if there is none."""
    return _SCHEDULES.get(type(op))

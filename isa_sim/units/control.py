"""The control port of an accelerator (hwpe-ctrl): its register map, and what differs by unit.

Two contexts hold a job's registers each: one job runs, one is programmed or queued. A read of
ACQUIRE takes the next context, a write of 0 to TRIGGER starts or queues its job, a write to
SOFT_CLEAR forgets everything (a value but 0 keeps the job registers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TRIGGER: Final = 0x00
ACQUIRE: Final = 0x04
FINISHED: Final = 0x08
STATUS: Final = 0x0C
RUNNING_JOB: Final = 0x10
SOFT_CLEAR: Final = 0x14
SW_EVT: Final = 0x1C
"""Write: raises the unit's event for the core that writes."""

REGISTERS: Final = {
    "TRIGGER": TRIGGER,
    "ACQUIRE": ACQUIRE,
    "FINISHED": FINISHED,
    "STATUS": STATUS,
    "RUNNING_JOB": RUNNING_JOB,
    "SOFT_CLEAR": SOFT_CLEAR,
    "SW_EVT": SW_EVT,
}
"""The registers that every unit has: name to byte offset from its base."""

FIRST_JOB_REGISTER: Final = 0x20
"""Job registers lie here or behind."""
BYTES: Final = 0x200
"""Of a unit's registers."""
CONTEXTS: Final = 2
MOST_JOB_REGISTERS: Final = 8


@dataclass(frozen=True)
class ControlPort:
    """What is a unit's own in its control port.

    Attributes:
        queue_depth: jobs that may be under way, running and queued; 1 or 2.
        readable: job registers can be read back; else they read as 0.
        implicit_acquire: an idle unit takes register writes without a read of ACQUIRE before.
        commits: a trigger with another value than 0 never starts the job.
        starting_register: the job register whose write starts the unit's preparations; a trigger
            without it is a fault.
        starting_last: no job register may be written after that one.
        needs_clear: every job needs a soft clear since the one before.
        clear_cycles: from a soft clear that wipes the job registers to the first register write
            that is not lost.
        keeps_state: the unit has state that a soft clear empties (:meth:`UnitPort.reset`).
        watched: a job register, and bits of it: a write that sets one of them is told to the unit
            at once (:meth:`UnitPort.written`).
    """

    queue_depth: int
    readable: bool = True
    implicit_acquire: bool = False
    commits: bool = False
    starting_register: str | None = None
    starting_last: bool = False
    needs_clear: bool = False
    clear_cycles: int = 0
    keeps_state: bool = False
    watched: tuple[str, int] | None = None

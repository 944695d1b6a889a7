"""What a unit reports when a job is outside what its hardware does correctly."""

from __future__ import annotations

from softex_mlir.errors import UserError


class UnitFault(UserError):
    """A job that the hardware computes wrongly or never finishes.

    ``unit`` is its name, such as ``"redmule"``; ``rule`` is a short stable name of the broken
    rule (for example ``"redmule.inner"``); the text says what was found and what to do.
    ``waits``: the job does not fail but waits, and later accesses may let it go on.
    """

    def __init__(self, unit: str, rule: str, message: str, *, waits: bool = False):
        super().__init__(f"{unit}: {message} [{rule}]")
        self.unit = unit
        self.rule = rule
        self.waits = waits

"""Errors a user can act on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Refusal:
    """One thing that stands in the way of a compilation, for programs that read errors."""

    node: str
    """Name of the node, or of the layer."""
    operator: str
    reason: str
    remedy: str = ""
    """What to do about it; empty if nothing is known to help."""


class UserError(Exception):
    """The input, not the tool, is at fault; tools print the message and exit with status 1.

    The message says where the problem is, what was expected, what was found and what to do.
    """

    refusals: tuple[Refusal, ...] = ()
    """What the message lists, one by one, where it lists refused operations."""

    def about(self, node: str, operator: str, remedy: str = "") -> Self:
        """This error, which says that it is about one operation."""
        self.refusals = (Refusal(node, operator, Exception.__str__(self), remedy),)
        return self

    def to_json(self) -> dict[str, Any]:
        """What `--json` prints of it (`runtime/schema/error.schema.json`)."""
        message = str(self)
        refusals = self.refusals or (Refusal("", "", message),)
        return {"error": {"message": message, "refusals": [asdict(r) for r in refusals]}}


class Interrupted(UserError):
    """The user stopped a run; the message is the state it had reached. Tools exit with 130."""

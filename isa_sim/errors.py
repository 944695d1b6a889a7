"""Errors a user can act on."""

from __future__ import annotations


class UserError(Exception):
    """The input, not the tool, is at fault; tools print the message and exit with status 1.

    The message says where the problem is, what was expected, what was found and what to do.
    """


class Interrupted(UserError):
    """The user stopped a run; the message is the state it had reached. Tools exit with 130."""

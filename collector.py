"""How often Python looks for reference cycles while a program is compiled or run."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager

OBJECTS = 3_000_000
"""Objects made between two looks: more than the compilation of a large model makes. Nearly all of
them are in use till the end, and looking through 100,000 takes 40 ms."""


@contextmanager
def rare_collections() -> Generator[None]:
    """Look seldom, or as seldom as before."""
    before = gc.get_threshold()
    gc.set_threshold(max(before[0], OBJECTS), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)

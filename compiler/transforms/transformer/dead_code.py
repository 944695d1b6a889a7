"""Removing what nobody reads, loop nests on tensors among it."""

from __future__ import annotations

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.linalg.ops import GenericOp
from xdsl.transforms.dead_code_elimination import dce


def remove_dead(module: ModuleOp) -> None:
    """Remove operations whose results nobody reads.

    xDSL 0.74 takes a loop nest for one with effects; on tensors it has none.
    """
    dce(module)
    nests = [op for op in module.walk() if isinstance(op, GenericOp)]
    removed = False
    for op in reversed(nests):
        if op.results and all(result.first_use is None for result in op.results):
            op.detach()
            op.erase()
            removed = True
    if removed:
        remove_dead(module)

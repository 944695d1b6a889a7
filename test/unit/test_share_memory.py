"""Temporaries in L2 share memory exactly when no launch needs both."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from softex_mlir.compiler.artifacts import CompiledModule, operations
from softex_mlir.compiler.backend.share_memory import share_memory
from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.text import bert
from softex_mlir.compiler.schedule.lower import schedule_module
from softex_mlir.dialects.cluster_attributes import AddressAttr, GlobalKind
from softex_mlir.dialects.cluster_globals import GlobalOp
from softex_mlir.dialects.cluster_schedule import LaunchOp
from softex_mlir.dialects.memory import footprint_bytes
from softex_mlir.isa_sim.machine import Machine


def scheduled(layers: int) -> tuple[dict[str, int], Sequence[LaunchOp]]:
    """Temporaries of a small encoder with their sizes, and its launches."""
    model = bert(tokens=40, hidden=64, layers=layers, heads=2, vocabulary=64, types=0)
    module = Compilation.of(model).model.module
    scheduled = CompiledModule.of(schedule_module(module, Machine.load("paper")))
    sizes = {
        op.sym_name.data: footprint_bytes(op.type)
        for op in operations(scheduled.module, GlobalOp)
        if op.kind.data is GlobalKind.TEMPORARY
    }
    return sizes, tuple(scheduled.launches)


def test_objects_alive_at_the_same_launch_lie_apart():
    sizes, launches = scheduled(2)
    offsets = dict(zip(sizes, share_memory(sizes, launches)[0], strict=True))
    lives: dict[str, list[int]] = {}
    for number, launch in enumerate(launches):
        for word in launch.words():
            if isinstance(word, AddressAttr) and word.global_name in sizes:
                lives.setdefault(word.global_name, []).append(number)
    shared = 0
    for a, b in itertools.combinations(lives, 2):
        apart = offsets[a] + sizes[a] <= offsets[b] or offsets[b] + sizes[b] <= offsets[a]
        shared += not apart
        assert apart or lives[a][-1] < lives[b][0] or lives[b][-1] < lives[a][0], (a, b)
    assert shared


def test_more_layers_take_no_more_memory():
    assert share_memory(*scheduled(2))[1] == share_memory(*scheduled(5))[1]

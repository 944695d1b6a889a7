"""Late effects: a core that does not wait for a job or a transfer finds what was there before."""

from __future__ import annotations

import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from softex_mlir.isa_sim.units import dma, event_unit

sys.path.insert(0, str(Path(__file__).parent))
from assembly import A1, DMA, L2, SOFTEX, TCDM, Assembly, run

WORK = TCDM + 0x4000
SOURCE = L2 + 0x10_0000
RESULT = L2 + 0x20_0000
OLD, NEW = 0x0101_0101, 0x0202_0202


def transfer() -> Assembly:
    a = Assembly().only(0, "others").store(DMA + dma.DST_ADDR, WORK)
    a.store(DMA + dma.SRC_ADDR, SOURCE).store(DMA + dma.LENGTH, 64)
    return a.load(A1, DMA + dma.NEXT_ID_0)


def softmax() -> Assembly:
    a = Assembly().only(0, "others").store(SOFTEX + 0x14, 0).load(A1, SOFTEX + 0x04)
    for offset, value in ((0x20, WORK), (0x24, WORK), (0x28, 128), (0x2C, 0)):
        a.store(SOFTEX + offset, value)
    return a.store(SOFTEX, 0)


def found(program: Assembly, event: int | None, effects: str) -> int:
    """The word that a core reads after the start of the work, or after its end."""
    if event is not None:
        program.wait_event(event)
    program.load(A1, WORK).store(RESULT, register=A1).nops(400).end()
    program.label("others").sleep_forever()
    old = np.full(32, OLD, np.uint32)
    memory = {
        WORK: old.tobytes() * 2,
        SOURCE: np.full(32, NEW, np.uint32).tobytes(),
        RESULT: b"0000",
    }
    cluster, _ = run(program, memory=memory, effects=effects)
    return int.from_bytes(cluster.read_memory(RESULT, 4), "little")


@pytest.mark.parametrize("waits", [True, False])
def test_transfer(waits: bool):
    event = event_unit.EVENT_DMA if waits else None
    assert found(transfer(), event, "early") == NEW
    assert found(transfer(), event, "late") == (NEW if waits else OLD)


@pytest.mark.parametrize("waits", [True, False])
def test_job(waits: bool):
    event = event_unit.EVENT_SOFTEX if waits else None
    even = int(np.array(1 / 64, ml_dtypes.bfloat16).view(np.uint16)) * 0x10001
    assert found(softmax(), event, "early") == even
    assert found(softmax(), event, "late") == (even if waits else OLD)

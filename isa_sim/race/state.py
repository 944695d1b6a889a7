"""Arrays of the race detector and the names of their columns (see `isa_sim.sanitizer`).

Agents are the cores, then the *slots*: a slot is what one core has started on one device (the two
DMA channels, then the units), numbered as the pairs of device and core come up. A vector clock has
a component for every agent and, behind them, one for every slot that says how much of its work is
known to have been *started*.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import event_unit, registry

GRANULE: Final = 2
"""Bytes of a shadow entry: a BF16 element. Accesses to single bytes count as both."""

MOST_AGENTS: Final = 64
"""Bits of a set of agents."""
CHANNEL_0: Final = 0
CHANNEL_1: Final = 1
FIRST_UNIT: Final = 2
"""Devices are the DMA channels, then the units by number."""
KEPT: Final = 1024
"""Stores to a timeline word, and jobs of a device, that are remembered."""
WORDS_SHARED: Final = 16
"""Timeline words."""
MOST_LOOKS: Final = 64
"""How often a core that does something between its looks is shown old news."""

# `Shadow.word`
RACE_FOUND: Final = 0
"""The report buffer wants to be emptied."""
REPORTS: Final = 1
CORES: Final = 2
AGENTS: Final = 3
TCDM_BASE: Final = 4
TCDM_GRANULES: Final = 5
L2_BASE: Final = 6
L2_GRANULES: Final = 7
SLOTS_USED: Final = 8
CODE: Final = 9
CODE_BYTES: Final = 10
"""From the first instruction to the last."""
ENDED_BY: Final = 11
"""The core that ended the program; -1 before."""
ENDED_AT: Final = 12
ENDED_SITE: Final = 13
WORDS: Final = 14

WATCHED_BEHIND: Final = 1 << 16
"""Cycles for which the cores go on behind a program's end."""
L2_BEHIND: Final = 16 << 20
"""Bytes of L2 that are watched behind what the program's file fills."""

# Writers in shadow entries.
NEVER_WRITTEN: Final = 0
INITIAL: Final = 1
FIRST_AGENT: Final = 2
"""Agent a is writer FIRST_AGENT + a."""

# Kinds of report.
READ_AFTER_WRITE: Final = 0
WRITE_AFTER_WRITE: Final = 1
WRITE_AFTER_READ: Final = 2
UNINITIALISED: Final = 3
WRITE_AFTER_L2_READ: Final = 4
"""The earlier access is a DMA's; its site is the DMA's clock."""
ENDS_BEFORE: Final = 5
"""The program ends, and the earlier work or a core's store may be under way; work's site is 0."""
COUNTER_OVERWRITTEN: Final = 6
"""A transfer or job writes timeline words."""
CODE_OVERWRITTEN: Final = 7
"""A transfer or job writes where the program's code is."""
REPORT_COLUMNS: Final = 6
"""kind, address, agent, site, earlier agent, earlier site."""

EVENTS: Final = 17


class Shadow(NamedTuple):
    """State of the race detector. Large arrays are zero pages until they are touched."""

    word: Any
    checked: Any
    """int64 [cores]: entries of the access log that have been checked."""
    clock: Any
    """int64 [agents, vector]"""
    slot_device: Any
    slot_core: Any
    slot_of: Any
    """int64 [devices, cores]: slot or -1."""
    store_count: Any
    """int64 [words]: stores to a timeline word so far."""
    store_value: Any
    """int64 [words, KEPT]: what was stored, the latest KEPT times."""
    store_first: Any
    """int64 [words]: what is there before any store."""
    store_by: Any
    """int64 [words, KEPT, 3]: core that stored, its clock, its site."""
    store_vector: Any
    """int64 [words, KEPT, vector]"""
    store_seen: Any
    """int64 [cores, words]: stores a core has been shown."""
    store_look: Any
    """int64 [cores, words, 2]: looks that withheld a store; `acts` and pc at the last look."""
    issued: Any
    """int64 [devices]: jobs or transfers started."""
    issued_by: Any
    """int64 [devices, KEPT, 2]: slot and clock of the latest ones."""
    done: Any
    """int64 [devices]: jobs or transfers finished."""
    base: Any
    """int64 [units]: jobs finished before the last soft clear."""
    done_seen: Any
    """int64 [cores, devices]: ends a core has been shown."""
    done_look: Any
    """int64 [cores, devices, 2]: looks that withheld an end; `acts` and pc at the last look."""
    acts: Any
    """int64 [cores]: accesses of a core that are no looks."""
    done_clock: Any
    """int64 [slots]: clock of the last end of a slot."""
    shown_clock: Any
    """int64 [cores, slots]: clock of the last end that a core has been shown."""
    context: Any
    """int64 [units, contexts, 2]: slot and clock of the last job of a context."""
    event: Any
    """int64 [cores, EVENTS, vector]: clock of what latched an event."""
    latched: Any
    """int64 [cores]: events of which `event` holds the clock."""
    wrote: Any
    """int64 [cores, 2]: clock and site of a core's last store that is no timeline word."""
    end_clock: Any
    """int64 [vector]: what the core that ended the program knew."""
    drops_result: Any
    """bool [cores]: the core's last access was a load to register zero."""
    barrier: Any
    """int64 [barriers, vector]: what those who have arrived release."""
    writer: Any
    writer_clock: Any
    writer_site: Any
    reader: Any
    """uint64: agents that read since the last write."""
    reader_clock: Any
    reader_site: Any
    l2_writer: Any
    l2_clock: Any
    l2_site: Any
    l2_dma_read: Any
    """int32 [slots, granules]: clock of the last read, 0 for none (only channel 0 reads L2)."""
    l2_read: Any
    """uint8: 1 if cores have read since the last write."""
    l2_reader_clock: Any
    """int32 [granules, cores]"""
    l2_reader_site: Any
    report: Any


def make_shadow(machine: Machine, l2_bytes: int) -> Shadow:
    """The detector's state at reset; `l2_bytes` of L2 are watched."""
    cluster = machine.cluster
    cores = cluster.cores
    units = len(registry.units_of(machine))
    devices = FIRST_UNIT + units
    slots = min(devices * (cores + 1), MOST_AGENTS - cores)
    agents = cores + slots
    vector = agents + slots
    granules = cluster.tcdm_bytes // GRANULE
    l2 = -(-l2_bytes // GRANULE)
    word = np.zeros(WORDS, np.int64)
    word[CORES], word[AGENTS] = cores, agents
    word[TCDM_BASE], word[TCDM_GRANULES] = cluster.tcdm_base, granules
    word[L2_BASE], word[L2_GRANULES] = cluster.l2_base, l2
    word[ENDED_BY] = -1
    clock = np.zeros((agents, vector), np.int64)
    clock[np.arange(cores), np.arange(cores)] = 1
    return Shadow(
        word=word,
        checked=np.zeros(cores, np.int64),
        clock=clock,
        slot_device=np.full(slots, -1, np.int64),
        slot_core=np.full(slots, -1, np.int64),
        slot_of=np.full((devices, cores), -1, np.int64),
        store_count=np.zeros(WORDS_SHARED, np.int64),
        store_value=np.zeros((WORDS_SHARED, KEPT), np.int64),
        store_first=np.zeros(WORDS_SHARED, np.int64),
        store_by=np.zeros((WORDS_SHARED, KEPT, 3), np.int64),
        store_vector=np.zeros((WORDS_SHARED, KEPT, vector), np.int64),
        store_seen=np.zeros((cores, WORDS_SHARED), np.int64),
        store_look=np.zeros((cores, WORDS_SHARED, 2), np.int64),
        issued=np.zeros(devices, np.int64),
        issued_by=np.zeros((devices, KEPT, 2), np.int64),
        done=np.zeros(devices, np.int64),
        base=np.zeros(units, np.int64),
        done_seen=np.zeros((cores, devices), np.int64),
        done_look=np.zeros((cores, devices, 2), np.int64),
        acts=np.zeros(cores, np.int64),
        done_clock=np.zeros(slots, np.int64),
        shown_clock=np.zeros((cores, slots), np.int64),
        context=np.zeros((units, 2, 2), np.int64),
        event=np.zeros((cores, EVENTS, vector), np.int64),
        latched=np.zeros(cores, np.int64),
        wrote=np.zeros((cores, 2), np.int64),
        end_clock=np.zeros(vector, np.int64),
        drops_result=np.zeros(cores, np.bool_),
        barrier=np.zeros((event_unit.BARRIERS, vector), np.int64),
        writer=np.zeros(granules, np.uint8),
        writer_clock=np.zeros(granules, np.int64),
        writer_site=np.zeros(granules, np.int64),
        reader=np.zeros(granules, np.uint64),
        reader_clock=np.zeros((granules, agents), np.int64),
        reader_site=np.zeros((granules, agents), np.int64),
        l2_writer=np.zeros(l2, np.uint8),
        l2_clock=np.zeros(l2, np.int64),
        l2_site=np.zeros(l2, np.int64),
        l2_dma_read=np.zeros((slots, l2), np.int32),
        l2_read=np.zeros(l2, np.uint8),
        l2_reader_clock=np.zeros((l2, cores), np.int32),
        l2_reader_site=np.zeros((l2, cores), np.int64),
        report=np.zeros((256, REPORT_COLUMNS), np.int64),
    )

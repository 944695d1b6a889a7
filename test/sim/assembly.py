"""A two-pass assembler of a few lines for the simulator's tests."""

from __future__ import annotations

from softex_mlir.isa_sim.isa.encoding import encode
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.isa_sim.units import dma, event_unit

MACHINE = Machine.load("paper")
TCDM = MACHINE.cluster.tcdm_base
L2 = MACHINE.cluster.l2_base
PERIPHERALS = MACHINE.cluster.peripheral_base
EVENTS = PERIPHERALS + event_unit.ALIAS_OFFSET
DMA = PERIPHERALS + dma.ALIAS_OFFSET
assert MACHINE.redmule is not None
assert MACHINE.softex is not None
REDMULE = MACHINE.redmule.base
SOFTEX = MACHINE.softex.base
ZERO, SP, TP, T0, T1, T2, A0, A1, A2, A3, A4, A5, A6 = 0, 2, 4, 5, 6, 7, 10, 11, 12, 13, 14, 15, 16


class Assembly:
    """Instructions with labels; every method appends and returns self."""

    def __init__(self, base: int = L2):
        self.base = base
        self.items: list[tuple[str, dict[str, int | str]]] = []
        self.labels: dict[str, int] = {}
        self.fresh = 0

    @property
    def pc(self) -> int:
        return self.base + 4 * len(self.items)

    def op(self, name: str, **operands: int | str) -> Assembly:
        self.items.append((name, operands))
        return self

    def label(self, name: str) -> Assembly:
        self.labels[name] = self.pc
        return self

    def li(self, rd: int, value: int) -> Assembly:
        low = ((value & 0xFFF) ^ 0x800) - 0x800
        self.op("lui", rd=rd, imm=((value - low) >> 12) & 0xFFFFF)
        return self.op("addi", rd=rd, rs1=rd, imm=low)

    def store(self, address: int, value: int | None = None, register: int = T1) -> Assembly:
        """Store a constant (or a register's value) to a constant address; clobbers t0, t1."""
        if value is not None:
            self.li(T1, value)
            register = T1
        return self.li(T0, address).op("sw", rs2=register, rs1=T0, imm=0)

    def load(self, rd: int, address: int) -> Assembly:
        return self.li(T0, address).op("lw", rd=rd, rs1=T0, imm=0)

    def wait(self, rd: int, address: int) -> Assembly:
        """cv.elw."""
        return self.li(T0, address).op("cv.elw", rd=rd, rs1=T0, imm=0)

    def nops(self, count: int) -> Assembly:
        for _ in range(count):
            self.op("addi", rd=0, rs1=0, imm=0)
        return self

    def core_id(self, rd: int) -> Assembly:
        return self.op("csrrs", rd=rd, rs1=0, csr=0xF14)

    def only(self, core: int, label: str) -> Assembly:
        """Cores other than `core` go to the label."""
        return self.core_id(T2).li(T1, core).op("bne", rs1=T2, rs2=T1, imm=label)

    def wait_barrier(self, barrier: int = 0) -> Assembly:
        at = event_unit.BARRIER + barrier * event_unit.BARRIER_STRIDE
        return self.wait(T1, EVENTS + at + event_unit.BARRIER_TRIGGER_WAIT_CLEAR)

    def wait_event(self, event: int, rd: int = A0) -> Assembly:
        self.store(EVENTS + event_unit.MASK, 1 << event)
        return self.wait(rd, EVENTS + event_unit.EVENT_WAIT_CLEAR)

    def end(self, code: int = 0) -> Assembly:
        return self.store(PERIPHERALS, code)

    def sleep_forever(self) -> Assembly:
        self.store(EVENTS + event_unit.MASK, 0)
        return self.wait(A0, EVENTS + event_unit.EVENT_WAIT)

    def bytes(self) -> bytes:
        words: list[int] = []
        for index, (name, operands) in enumerate(self.items):
            values = {
                key: self.labels[value] - self.base - 4 * index if isinstance(value, str) else value
                for key, value in operands.items()
            }
            words.append(encode(name, values))
        return b"".join(word.to_bytes(4, "little") for word in words)


def run(assembly: Assembly, *, memory: dict[int, bytes] | None = None, machine=MACHINE, **options):
    """Run a program on all cores; the cluster and the result."""
    from softex_mlir.isa_sim.cluster import Cluster

    contention = options.pop("contention", False)
    cluster = Cluster(machine, contention=contention)
    cluster.load_segment(assembly.base, assembly.bytes(), executable=True)
    for address, data in (memory or {}).items():
        cluster.write_memory(address, data)
    cluster.set_entry(assembly.base)
    return cluster, cluster.run(max_cycles=options.pop("max_cycles", 1_000_000), **options)

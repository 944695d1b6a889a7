"""Faults, deadlocks and races in words: who, when, where in the program, why, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from softex_mlir import abi
from softex_mlir.arithmetic import signed32
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.units import control, dma, event_unit
from softex_mlir.isa_sim.units.unit import Unit


class AddressNames(Protocol):
    """What the runtime knows about a program's addresses."""

    def layer(self, record_address: int) -> str:
        """The layer of the launch record at an address (register tp)."""
        ...

    def function(self, pc: int) -> str:
        """The function around an instruction address."""
        ...

    def buffer(self, address: int, record_address: int | None = None) -> str:
        """The buffer around a data address."""
        ...


class SimulationFault(UserError):
    """The program did something the hardware cannot do; the run stops.

    Attributes:
        kind: short stable name, for example ``"unmapped"`` or ``"deadlock"``.
        cycle: when.
        core: which core, or None.
        pc: the instruction's address, or None.
        address: the data address concerned, or None.
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        cycle: int,
        core: int | None = None,
        pc: int | None = None,
        address: int | None = None,
    ):
        super().__init__(message)
        self.kind = kind
        self.cycle = cycle
        self.core = core
        self.pc = pc
        self.address = address


class Names:
    """Addresses in words, with or without a symbolizer."""

    def __init__(self, symbolizer: AddressNames | None, dev: d.Devices, units: tuple[Unit, ...]):
        self.units = units
        self._symbolizer = symbolizer
        self._dev = dev

    def data(self, address: int, tp: int = 0) -> str:
        """A data address: a device register, or a buffer if the symbolizer knows it."""
        word = self._dev.word
        offset = address - int(word[d.PERIPHERAL_BASE])
        if 0 <= offset < 0x10000:
            return f"{address:#010x} ({self.register(offset)})"
        if 0 <= address - int(word[d.TCDM_BASE]) < 16:
            stream = abi.STREAMS[(address - int(word[d.TCDM_BASE])) // 4]
            return f"{address:#010x} (timeline counter of stream {stream})"
        name = self._symbolizer.buffer(address, tp) if self._symbolizer else ""
        return (
            f"{address:#010x} ({name})"
            if name and name != f"{address:#010x}"
            else f"{address:#010x}"
        )

    def register(self, offset: int) -> str:
        """The device register at an offset from the peripheral base."""
        for number, unit in enumerate(self.units):
            base = int(self._dev.unit[number, d.OFFSET])
            if base and base <= offset < base + control.BYTES:
                registers = unit.registers.items()
                known = (register for register, at in registers if at == offset - base)
                return f"{unit.label} {next(known, f'register {offset - base:#x}')}"
        for base in (event_unit.ALIAS_OFFSET, event_unit.GLOBAL_OFFSET):
            if base <= offset < base + event_unit.ALIAS_BYTES:
                return f"event unit {event_unit.register_name(offset - base)}"
        for base in (dma.ALIAS_OFFSET, dma.GLOBAL_OFFSET):
            if base <= offset < base + dma.ALIAS_BYTES:
                return f"DMA {dma.REGISTER_NAMES.get(offset - base, f'+{offset - base:#x}')}"
        return "end of computation" if offset == 0 else "no register"

    def code(self, pc: int) -> str:
        """An instruction address."""
        name = self._symbolizer.function(pc) if self._symbolizer else ""
        return f"{pc:#010x} ({name})" if name and name != f"{pc:#010x}" else f"{pc:#010x}"

    def layer(self, tp: int) -> str:
        """The layer a core works for."""
        if self._symbolizer is None:
            return f"launch record {tp:#010x}" if tp else "<runtime>"
        return self._symbolizer.layer(tp)

    def job(self, number: int, words: Any, tp: int) -> str:
        """A unit's job: what it is, and its addresses with buffers."""
        unit = self.units[number]
        values = unit.values(words)
        places = ", ".join(
            f"{name} {self.data(value, tp)}"
            for name, value in values.items()
            if name.endswith("_ADDR") and value
        )
        return f"{unit.label} job: {unit.describe(values)}; {places or 'no address given'}"

    def event(self, event: int) -> str:
        """What an event says."""
        for unit in self.units:
            if unit.event == event:
                return f"{unit.label} job done"
        return event_unit.EVENT_NAMES.get(event, f"event {event}")

    def events(self, mask: int) -> str:
        """The events of a bit mask."""
        names = [self.event(bit) for bit in range(32) if mask >> bit & 1]
        return ", ".join(names) if names else "no event (the mask is 0)"

    def transfer(self, row: Any, tp: int) -> str:
        """The DMA descriptor registers, with buffers."""
        values = [int(value) for value in row]
        transfer = dma.Transfer(
            values[0],
            values[1],
            values[2],
            signed32(values[3]),
            signed32(values[4]),
            values[5],
            signed32(values[6]),
            signed32(values[7]),
            values[8],
        )
        return f"{transfer}; from {self.data(values[1], tp)} to {self.data(values[0], tp)}"


def access_fault(dev: d.Devices, names: Names, core: int, request: Any, tp: int) -> tuple[str, str]:
    """Kind and text of the fault of an access, from the devices' fault words."""
    code, detail = int(dev.word[d.CODE]), int(dev.word[d.DETAIL])
    address, size, kind, value = (int(request[index]) for index in range(4))
    address &= 0xFFFFFFFF
    what = {d.LOAD: "load", d.STORE: "store", d.WAIT: "cv.elw"}.get(kind, "access")
    at = names.data(address, tp)
    word = dev.word
    if code == d.FAULT_UNMAPPED:
        tcdm, l2 = int(word[d.TCDM_BASE]), int(word[d.L2_BASE])
        return "unmapped", (
            f"{size}-byte {what} at {at}: nothing is mapped there; expected TCDM "
            f"[{tcdm:#x}, {tcdm + int(word[d.TCDM_BYTES]):#x}), a device register or L2 "
            f"[{l2:#x}, {l2 + int(word[d.L2_BYTES]):#x})"
        )
    if code == d.FAULT_WIDTH:
        return "width", (
            f"{size}-byte {what} at {at}: device registers and timeline counters take aligned "
            "4-byte accesses only"
        )
    if code == d.FAULT_REGISTER:
        return "register", f"{what} at {at}: no such register, or not with a {what}"
    if code == d.FAULT_NOT_ACQUIRED:
        return "not-acquired", (
            f"store of {value & 0xFFFFFFFF:#x} to {at}: no job is being programmed; read ACQUIRE "
            "(+0x04) until it is not negative, then write job registers and TRIGGER"
        )
    if code == d.FAULT_NOT_CLEARED:
        return "not-cleared", (
            f"{names.units[detail].label} job triggered without a soft clear since the job before: "
            "the unit would compute garbage; write 0 to SOFT_CLEAR (+0x14) before each job"
        )
    if code == d.FAULT_CLEAR_DISTANCE:
        return "clear-distance", (
            f"store of {value & 0xFFFFFFFF:#x} to {at} is accepted {detail >> 8} cycles after the "
            f"soft clear and lost: the first write that counts comes "
            f"{int(dev.unit[detail & 0xFF, d.CLEAR_CYCLES])} cycles after it; wait in between"
        )
    if code == d.FAULT_QUEUE:
        name = names.units[detail].label
        return "queue", (
            f"{name} job triggered while {int(dev.unit[detail, d.PENDING])} are under way and the "
            f"unit takes {int(dev.unit[detail, d.DEPTH])}: wait for the done event first"
        )
    if code == d.FAULT_ORDER:
        unit, offset = names.units[detail], int(dev.unit[detail, d.STARTING])
        name = next(name for name, at in unit.registers.items() if at == offset)
        return "order", (
            f"store to {at}: {unit.label}'s {name} (+{offset:#x}) starts its preparations and has "
            "to be the last job register written, once, before TRIGGER"
        )
    if code == d.FAULT_COMMIT_ONLY:
        return "trigger", (
            f"store of {value & 0xFFFFFFFF:#x} to {at}: a trigger other than 0 commits the job and "
            "never starts it; write 0"
        )
    if code == d.FAULT_NO_UNIT:
        return "no-unit", f"{what} at {at}: this machine has no {names.units[detail].label}"
    if code == d.FAULT_DMA_RANGE:
        side = "source" if detail else "destination"
        row = dev.core[core, d.DMA_DESCRIPTOR :]
        return "dma-range", (
            f"DMA transfer leaves its memory at the {side}: {names.transfer(row, tp)}; channel 0 "
            "goes to TCDM, channel 1 from TCDM to L2"
        )
    if code == d.FAULT_DMA_SHAPE:
        row = dev.core[core, d.DMA_DESCRIPTOR :]
        return "dma-shape", (
            "DMA transfer with a length or repetition count that is not positive: "
            f"{names.transfer(row, tp)}"
        )
    if code == d.FAULT_DMA_BYTES:
        row = dev.core[core, d.DMA_DESCRIPTOR :]
        memory, size = ("L2", word[d.L2_BYTES]) if detail else ("TCDM", word[d.TCDM_BYTES])
        return "dma-bytes", (
            f"DMA transfer of more bytes than the {int(size)} of its destination, {memory}, writes "
            f"some of them more than once: {names.transfer(row, tp)}"
        )
    if code == d.FAULT_CLEAR_BUSY:
        return "clear-busy", (
            f"soft clear of {names.units[detail].label} while its job is under way destroys the "
            "job: wait for the done event first"
        )
    if code == d.FAULT_WAIT:
        return "wait", f"plain load at {at} would have to sleep: use cv.elw"
    if code == d.FAULT_BARRIER_TWICE:
        return "barrier", f"core {core} arrives at barrier {detail} a second time before it opened"
    return "fault", f"{what} at {at} failed with code {code}"


def deadlock(
    dev: d.Devices,
    names: Names,
    pcs: Any,
    tps: Any,
    counters: Any,
    owners: Mapping[str, range],
    cycle: int,
) -> str:
    """Why nothing can go on: what each core waits for, and who could end the wait."""
    lines = [f"deadlock at cycle {cycle}: every core sleeps and no unit or transfer is under way"]
    cores = int(dev.word[d.CORES])
    for core in range(cores):
        state = int(dev.core[core, d.CORE_SLEEP])
        since = int(dev.core[core, d.CORE_SINCE])
        where = f"at {names.code(int(pcs[core]))}, layer {names.layer(int(tps[core]))}"
        if state in (d.ON_BARRIER, d.ON_BARRIER_CLEAR):
            number = int(dev.core[core, d.CORE_BARRIER])
            wanted, arrived, _ = (int(word) for word in dev.barrier[number])
            missing = [str(other) for other in range(cores) if (wanted & ~arrived) >> other & 1]
            waits = f"barrier {number}, where core {', '.join(missing) or '(none)'} has not arrived"
        elif state == d.AWAKE:
            waits = "nothing"
        else:
            mask = int(dev.core[core, d.CORE_MASK])
            waits = f"event mask {mask:#x}: {names.events(mask)}"
            signals: list[str] = []
            for stream, name in enumerate(abi.STREAMS):
                if mask >> stream & 1:
                    owner = f"core {owners[name].start}" if owners[name] else "no core"
                    signals.append(
                        f"counter {name} stands at {int(counters[stream])}; {owner} advances it"
                    )
            if mask >> event_unit.EVENT_DMA & 1:
                signals.append("no DMA transfer is under way")
            for unit, row in zip(names.units, dev.unit, strict=True):
                if mask >> unit.event & 1:
                    locked = int(row[d.LOCKED]) >= 0
                    signals.append(
                        f"{unit.label} has no job under way"
                        + (
                            f"; core {int(row[d.LOCKED_BY])} acquired one and did not trigger it"
                            if locked
                            else ""
                        )
                    )
            if signals:
                waits += "; " + "; ".join(signals)
        lines.append(f"  core {core} sleeps since cycle {since} {where}: waits on {waits}")
    lines.append("  (streams wait in order: look for the counter whose owner waits on another)")
    return "\n".join(lines)

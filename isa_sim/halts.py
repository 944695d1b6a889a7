"""Why a run stops before its end, in words: faults of cores and units, deadlocks."""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from softex_mlir import abi
from softex_mlir.isa_sim import engine
from softex_mlir.isa_sim.core import state as st
from softex_mlir.isa_sim.devices import state as d
from softex_mlir.isa_sim.diagnosis import Names, SimulationFault, access_fault, deadlock
from softex_mlir.isa_sim.loaded import LoadedCluster

_FAULT_KINDS = {st.CAUSE_FETCH: "fetch", st.CAUSE_ILLEGAL: "illegal-instruction"}


class Halts:
    """Answers the compiled loop where it can not go on. `control` are the loop's words."""

    def __init__(self, cluster: LoadedCluster, names: Names, control: np.ndarray) -> None:
        self.cluster = cluster
        self.dev = cluster.devices
        self.state = cluster.state
        self.names = names
        self.control = control

    def where(self, core: int) -> tuple[int, str]:
        """PC and a text of where a core stands."""
        pc = int(self.state.s[core, st.FAULT_PC]) & 0xFFFFFFFF
        tp = int(self.state.x[core, abi.RECORD_REGISTER]) & 0xFFFFFFFF
        text = (
            f"core {core}, cycle {int(self.state.s[core, st.CYCLE])}, pc {self.names.code(pc)}: "
            f"{self.disassembly(pc)}, layer {self.names.layer(tp)}"
        )
        return pc, text

    def disassembly(self, pc: int) -> str:
        """The instruction at an address."""
        from softex_mlir.isa_sim.isa.encoding import disassemble

        try:
            word = int.from_bytes(self.cluster.read_memory(pc, 4), "little")
        except SimulationFault:
            return "(no memory)"
        if word & 3 != 3:
            word &= 0xFFFF
        try:
            return disassemble(word, pc)
        except (ValueError, KeyError):
            return f".word {word:#x}"

    def stop(self, kind: str, core: int, text: str, address: int | None = None) -> NoReturn:
        """Raise the fault of a core."""
        pc, where = self.where(core)
        raise SimulationFault(
            kind,
            f"{text}\n  {where}",
            cycle=int(self.state.s[core, st.CYCLE]),
            core=core,
            pc=pc,
            address=address,
        )

    def access_fault(self) -> NoReturn:
        """A core accessed what it may not."""
        core = int(self.control[engine.CORE])
        request = self.state.s[core, st.REQUEST : st.REQUEST + 4]
        tp = int(self.state.x[core, abi.RECORD_REGISTER]) & 0xFFFFFFFF
        kind, text = access_fault(self.dev, self.names, core, request, tp)
        self.stop(kind, core, text, int(request[0]) & 0xFFFFFFFF)

    def core_stop(self) -> None:
        """A core met an instruction that is not decoded yet, or can not go on."""
        core = int(self.control[engine.CORE])
        if self.control[engine.STATUS] == st.DECODE:
            # Code that a core wrote, or that no segment's data holds.
            assert self.cluster.program is not None
            pc = int(self.state.s[core, st.PC]) & 0xFFFFFFFF
            if self.cluster.program.decode_at(pc, self.cluster.l2):
                return
            self.state.s[core, st.FAULT_PC] = pc
            self.stop("fetch", core, f"{st.FAULT_TEXT[st.CAUSE_FETCH]} at {pc:#010x}", pc)
        code = int(self.state.s[core, st.FAULT_CODE])
        address = int(self.state.s[core, st.FAULT_ADDRESS]) & 0xFFFFFFFF
        text = st.FAULT_TEXT.get(code, f"stopped with code {code}")
        if code == st.CAUSE_FETCH:
            text += f" at {address:#010x}"
        self.stop(_FAULT_KINDS.get(code, "stopped"), core, text, address)

    def deadlock(self) -> NoReturn:
        """Every core sleeps and nothing is under way."""
        state = self.state
        cycle = int(max(self.state.s[:, st.CYCLE].max(), self.dev.core[:, d.CORE_SINCE].max()))
        pcs = self.state.s[:, st.FAULT_PC].astype(np.int64) & 0xFFFFFFFF
        tps = state.x[:, abi.RECORD_REGISTER].astype(np.int64) & 0xFFFFFFFF
        counters = self.cluster.tcdm[: 4 * len(abi.STREAMS)].view(np.int32)
        machine = self.cluster.machine
        owners = abi.stream_cores(machine.cluster.cores, machine.redmule is not None)
        text = deadlock(self.dev, self.names, pcs, tps, counters, owners, cycle)
        raise SimulationFault("deadlock", text, cycle=cycle)

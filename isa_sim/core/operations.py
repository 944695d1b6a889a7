"""Dense numbers of the operations the interpreter distinguishes, and the pre-decoded row layout.

A row is four int64 words for each halfword of code. Word ``W_FIELDS`` packs (from bit 0): operation
9 bits, rd, rs1, rs2, rs3 6 bits each, rm 3 bits, length 3 bits, then the ``FLAG_*`` bits; its sign
bit is set until the instruction ran once (see ``COLD``). A destination of 32 is discarded.
The constants are compiled into ``@njit`` code. Word ``W_IMMEDIATE`` is the immediate (bit fields
and loop counts, the second immediate of an instruction, sit in its high half),
``W_SOURCES`` the registers read (bits 0-31 integer, 32-63 floating point), ``W_RAW`` the word.
"""

from __future__ import annotations

from softex_mlir.isa_sim.isa.encoding import INSTRUCTIONS

W_FIELDS, W_IMMEDIATE, W_SOURCES, W_RAW = 0, 1, 2, 3
ROW = 4
OPERATION = 0x1FF  # mask of the operation in W_FIELDS
RD_SHIFT, RS1_SHIFT, RS2_SHIFT, RS3_SHIFT, RM_SHIFT, LENGTH_SHIFT = 9, 15, 21, 27, 33, 36
FLAG_WRITES_X = 1 << 39
FLAG_FLOAT = 1 << 40  # memory: floating-point register; floating point: result in f
FLAG_SIGNED = 1 << 41  # load: sign-extend; floating point: operand 1 in x
FLAG_REPLICATE = 1 << 42  # packed: replicate the low half of operand 2
SIZE_SHIFT, MODE_SHIFT = 43, 46  # memory: size in bytes (3 bits), addressing mode (2 bits)
COLD = -(1 << 63)
"""Set in W_FIELDS until the instruction was fetched once: its cache line may be missing."""
DISCARD = 32
"""Destination register number of results that go nowhere (x0)."""

MODE_OFFSET, MODE_POST_IMMEDIATE, MODE_POST_REGISTER, MODE_REGISTER = 0, 1, 2, 3

(
    UNDECODED, ILLEGAL, LOAD, STORE, EVENT_LOAD,
    LUI, AUIPC, JAL, JALR, BEQ, BNE, BLT, BGE, BLTU, BGEU, BEQIMM, BNEIMM,
    ADDI, SLTI, SLTIU, XORI, ORI, ANDI, SLLI, SRLI, SRAI,
    ADD, SUB, SLL, SLT, SLTU, XOR, SRL, SRA, OR, AND,
    MUL, MULH, MULHSU, MULHU, DIV, DIVU, REM, REMU,
    FENCE, FENCE_I, ECALL, EBREAK, SEMIHOST, MRET, WFI,
    CSRRW, CSRRS, CSRRC, CSRRWI, CSRRSI, CSRRCI,
    LOOP_STARTI, LOOP_START, LOOP_ENDI, LOOP_END, LOOP_COUNTI, LOOP_COUNT, LOOP_SETUPI, LOOP_SETUP,
    MAC, MSU, FETCH_FAULT, *_,
) = range(OPERATION)  # fmt: skip
"""Operations the interpreter's loop executes itself."""

(
    MULSN, MULUN, MULHHSN, MULHHUN, MACSN, MACUN, MACHHSN, MACHHUN,
    ABS, SLE, SLEU, MIN, MINU, MAX, MAXU, EXTHS, EXTHZ, EXTBS, EXTBZ, CLIP, CLIPU, CLIPR, CLIPUR,
    ADDN, ADDUN, ADDRN, ADDURN, SUBN, SUBUN, SUBRN, SUBURN,
    EXTRACT, EXTRACTU, INSERT, BCLR, BSET, ROR, FF1, FL1, CLB, CNT,
    ADD_H, SUB_H, PACK, PACK_H, EXTRACT_H, EXTRACTU_H, INSERT_H, *_,
) = range(FETCH_FAULT + 1, OPERATION)  # fmt: skip
"""CORE-V operations on integer registers (:mod:`softex_mlir.isa_sim.core.alu`)."""

(
    FADD, FSUB, FMUL, FDIV, FSQRT, FMIN, FMAX, FSGNJ, FSGNJN, FSGNJX,
    FMADD, FMSUB, FNMSUB, FNMADD, FEQ, FLT, FLE, FCVT_W, FCVT_WU, FCVT_F_W, FCVT_F_WU,
    FCLASS, FMV_X_W, FMV_W_X, FMV_X_H, FMV_H_X, FCVT_BF16_S, FCVT_S_BF16,
    HADD, HSUB, HMUL, HDIV, HSQRT, HMIN, HMAX, HSGNJ, HSGNJN, HSGNJX,
    HMADD, HMSUB, HNMSUB, HNMADD, HEQ, HLT, HLE, HCVT_W, HCVT_WU, HCVT_F_W, HCVT_F_WU, HCLASS,
    FMULEX, FMACEX,
    VADD, VSUB, VMUL, VDIV, VSQRT, VMIN, VMAX, VMAC, VSGNJ, VSGNJN, VSGNJX,
    VEQ, VNE, VLT, VGE, VLE, VGT, VCPKA, VDOTPEX, *_,
) = range(INSERT_H + 1, OPERATION)  # fmt: skip
"""Floating-point operations (:mod:`softex_mlir.isa_sim.core.floats`)."""
ALU_FIRST, FLOAT_FIRST = MULSN, FADD

_OWN_NAMES = {
    "fence.i": FENCE_I, "cv.starti": LOOP_STARTI, "cv.start": LOOP_START, "cv.endi": LOOP_ENDI,
    "cv.end": LOOP_END, "cv.counti": LOOP_COUNTI, "cv.count": LOOP_COUNT,
    "cv.setupi": LOOP_SETUPI, "cv.setup": LOOP_SETUP, "cv.elw": EVENT_LOAD,
    "fcvt.w.s": FCVT_W, "fcvt.wu.s": FCVT_WU, "fcvt.s.w": FCVT_F_W, "fcvt.s.wu": FCVT_F_WU,
    "fmv.x.w": FMV_X_W, "fmv.w.x": FMV_W_X, "fmv.x.h": FMV_X_H, "fmv.h.x": FMV_H_X,
    "fmv.x.ah": FMV_X_H, "fmv.ah.x": FMV_H_X, "fcvt.bf16.s": FCVT_BF16_S,
    "fcvt.s.bf16": FCVT_S_BF16, "fcvt.ah.s": FCVT_BF16_S, "fcvt.s.ah": FCVT_S_BF16,
    "fcvt.w.ah": HCVT_W, "fcvt.wu.ah": HCVT_WU, "fcvt.ah.w": HCVT_F_W, "fcvt.ah.wu": HCVT_F_WU,
    "fmulex.s.ah": FMULEX, "fmacex.s.ah": FMACEX, "vfcpka.ah.s": VCPKA,
    "vfdotpex.s.ah": VDOTPEX, "vfdotpex.s.r.ah": VDOTPEX,
}  # fmt: skip


def _operation(name: str) -> int:
    """The operation number of a 32-bit instruction, by the naming rules of the table."""
    row = INSTRUCTIONS[name]
    if name in _OWN_NAMES:
        return _OWN_NAMES[name]
    if row.klass in ("load", "store"):
        return LOAD if row.klass == "load" else STORE
    if name.startswith("cv."):
        return int(globals()[name[3:].upper().replace(".", "_")])
    if name.startswith("vf"):
        return int(globals()["V" + name[2:].partition(".")[0].upper()])
    if name.endswith(".ah"):
        return int(globals()["H" + name[1:-3].upper()])
    return int(globals()[name.removesuffix(".s").upper().replace(".", "_")])


OPERATIONS: dict[str, int] = {
    name: _operation(name) for name, row in INSTRUCTIONS.items() if row.length == 4
}
"""Operation number of every 32-bit instruction."""

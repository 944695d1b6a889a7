"""The instruction table: one row an instruction, read by encoder, decoder, simulator and tests.

A row is ``name format fixed-bits latency [mnemonic] [constraints] [= expansion]``. Fixed bits are
``opcode.funct3.funct7.rs2`` (hexadecimal, parts the format does not fix are left out as ``-``);
a leading ``@`` gives the whole word instead. Latency is the timing class of the core. The mnemonic
is given where several encodings share one; ``alias`` marks a second name for an encoding, which
the decoder never answers. ``operand!=value`` excludes reserved encodings.

Sources of the encodings:

- RV32IMFC, Zicsr, Zifencei, machine mode, Zfbfmin: the RISC-V unprivileged and privileged manuals.
- ``cv.*``: CORE-V CV32E40P user manual 1.8 and LLVM's RISCVInstrInfoXCV.td, which agree. Hardware
  loop offsets count words; ``lpend`` is the address after the last instruction of the body.
- ``*.ah``: the smallfloat extensions of the PULP toolchain and GVSoC (FPnew's FP16ALT, BF16):
  scalar operations carry format H with rm = 101 and so always round by ``frm``; packed
  operations use OP with funct7 = 10xxxxx and funct3 = 001, or 101 for the ``.r`` forms, which
  replicate the low half of rs2.
"""

from __future__ import annotations

BASE = """
[I]
lui      U      37        alu
auipc    U      17        alu
jal      J      6f        jump
jalr     JALR   67.0      jalr
beq      B      63.0      branch
bne      B      63.1      branch
blt      B      63.4      branch
bge      B      63.5      branch
bltu     B      63.6      branch
bgeu     B      63.7      branch
lb       LOAD   03.0      load
lh       LOAD   03.1      load
lw       LOAD   03.2      load
lbu      LOAD   03.4      load
lhu      LOAD   03.5      load
sb       STORE  23.0      store
sh       STORE  23.1      store
sw       STORE  23.2      store
addi     I      13.0      alu
slti     I      13.2      alu
sltiu    I      13.3      alu
xori     I      13.4      alu
ori      I      13.6      alu
andi     I      13.7      alu
slli     SHIFT  13.1.00   alu
srli     SHIFT  13.5.00   alu
srai     SHIFT  13.5.20   alu
add      R      33.0.00   alu
sub      R      33.0.20   alu
sll      R      33.1.00   alu
slt      R      33.2.00   alu
sltu     R      33.3.00   alu
xor      R      33.4.00   alu
srl      R      33.5.00   alu
sra      R      33.5.20   alu
or       R      33.6.00   alu
and      R      33.7.00   alu
fence    FENCE  0f.0      alu
ecall    NONE   @00000073 system
ebreak   NONE   @00100073 system
[Zifencei]
fence.i  FENCEI 0f.1      fence
[Machine]
mret     NONE   @30200073 system
wfi      NONE   @10500073 system
[Zicsr]
csrrw    CSR    73.1      csr
csrrs    CSR    73.2      csr
csrrc    CSR    73.3      csr
csrrwi   CSRI   73.5      csr
csrrsi   CSRI   73.6      csr
csrrci   CSRI   73.7      csr
[M]
mul      R      33.0.01   mul
mulh     R      33.1.01   mulh
mulhsu   R      33.2.01   mulh
mulhu    R      33.3.01   mulh
div      R      33.4.01   div
divu     R      33.5.01   div
rem      R      33.6.01   div
remu     R      33.7.01   div
[F]
flw      FLOAD  07.2      load
fsw      FSTORE 27.2      store
fmadd.s  F4     43.-.0    fp
fmsub.s  F4     47.-.0    fp
fnmsub.s F4     4b.-.0    fp
fnmadd.s F4     4f.-.0    fp
fadd.s   F3R    53.-.00   fp
fsub.s   F3R    53.-.04   fp
fmul.s   F3R    53.-.08   fp
fdiv.s   F3R    53.-.0c   fdiv
fsqrt.s  F2R    53.-.2c.0 fsqrt
fsgnj.s  F3     53.0.10   fp
fsgnjn.s F3     53.1.10   fp
fsgnjx.s F3     53.2.10   fp
fmin.s   F3     53.0.14   fp
fmax.s   F3     53.1.14   fp
fcvt.w.s  XF2R  53.-.60.0 fp
fcvt.wu.s XF2R  53.-.60.1 fp
fmv.x.w  XF2    53.0.70.0 fp
feq.s    XF3    53.2.50   fp
flt.s    XF3    53.1.50   fp
fle.s    XF3    53.0.50   fp
fclass.s XF2    53.1.70.0 fp
fcvt.s.w  FX2R  53.-.68.0 fp
fcvt.s.wu FX2R  53.-.68.1 fp
fmv.w.x  FX2    53.0.78.0 fp
[Zfbfmin]
flh      FLOAD  07.1      load
fsh      FSTORE 27.1      store
fmv.x.h  XF2    53.0.72.0 fp
fmv.h.x  FX2    53.0.7a.0 fp
fcvt.bf16.s F2R 53.-.22.8 fp
fcvt.s.bf16 F2R 53.-.20.6 fp
"""

COMPRESSED = """
[C]
c.addi4spn C4SPN @0000 alu    imm!=0   = addi rd=rd rs1=2 imm=imm
c.flw    CFL   @6000 load              = flw rd=rd rs1=rs1 imm=imm
c.lw     CL    @4000 load              = lw rd=rd rs1=rs1 imm=imm
c.fsw    CFS   @e000 store             = fsw rs2=rs2 rs1=rs1 imm=imm
c.sw     CS    @c000 store             = sw rs2=rs2 rs1=rs1 imm=imm
c.nop    CNOP  @0001 alu               = addi rd=0 rs1=0 imm=imm
c.addi   CI    @0001 alu      rd!=0    = addi rd=rd rs1=rd imm=imm
c.jal    CJ    @2001 jump              = jal rd=1 imm=imm
c.li     CI    @4001 alu               = addi rd=rd rs1=0 imm=imm
c.addi16sp C16SP @6101 alu    imm!=0   = addi rd=2 rs1=2 imm=imm
c.lui    CLUI  @6001 alu      rd!=2 imm!=0 = lui rd=rd imm=imm
c.srli   CSHP  @8001 alu               = srli rd=rd rs1=rd imm=imm
c.srai   CSHP  @8401 alu               = srai rd=rd rs1=rd imm=imm
c.andi   CIP   @8801 alu               = andi rd=rd rs1=rd imm=imm
c.sub    CA    @8c01 alu               = sub rd=rd rs1=rd rs2=rs2
c.xor    CA    @8c21 alu               = xor rd=rd rs1=rd rs2=rs2
c.or     CA    @8c41 alu               = or rd=rd rs1=rd rs2=rs2
c.and    CA    @8c61 alu               = and rd=rd rs1=rd rs2=rs2
c.j      CJ    @a001 jump              = jal rd=0 imm=imm
c.beqz   CB    @c001 branch            = beq rs1=rs1 rs2=0 imm=imm
c.bnez   CB    @e001 branch            = bne rs1=rs1 rs2=0 imm=imm
c.slli   CSH   @0002 alu               = slli rd=rd rs1=rd imm=imm
c.flwsp  CFLSP @6002 load              = flw rd=rd rs1=2 imm=imm
c.lwsp   CLSP  @4002 load     rd!=0    = lw rd=rd rs1=2 imm=imm
c.jr     CR1   @8002 jalr     rs1!=0   = jalr rd=0 rs1=rs1 imm=0
c.mv     CR    @8002 alu      rs2!=0   = add rd=rd rs1=0 rs2=rs2
c.ebreak CNONE @9002 system            = ebreak
c.jalr   CR1   @9002 jalr     rs1!=0   = jalr rd=1 rs1=rs1 imm=0
c.add    CR    @9002 alu      rs2!=0   = add rd=rd rs1=rd rs2=rs2
c.fswsp  CFSSP @e002 store             = fsw rs2=rs2 rs1=2 imm=imm
c.swsp   CSSP  @c002 store             = sw rs2=rs2 rs1=2 imm=imm
"""

CORE_V = """
[Xcvhwlp]
cv.starti HLI   @0000402b hwloop
cv.start  HLR   @0000412b hwloop
cv.endi   HLI   @0000422b hwloop
cv.end    HLR   @0000432b hwloop
cv.counti HLC   @0000442b hwloop
cv.count  HLR   @0000452b hwloop
cv.setupi HLSI  @0000462b hwloop
cv.setup  HLS   @0000472b hwloop
[Xcvmem]
cv.lb    PLOAD   0b.0     load
cv.lh    PLOAD   0b.1     load
cv.lw    PLOAD   0b.2     load
cv.lbu   PLOAD   0b.4     load
cv.lhu   PLOAD   0b.5     load
cv.lb.rr_inc  PLOADR 2b.3.00 load cv.lb
cv.lh.rr_inc  PLOADR 2b.3.01 load cv.lh
cv.lw.rr_inc  PLOADR 2b.3.02 load cv.lw
cv.lbu.rr_inc PLOADR 2b.3.08 load cv.lbu
cv.lhu.rr_inc PLOADR 2b.3.09 load cv.lhu
cv.lb.rr  LOADR  2b.3.04  load cv.lb
cv.lh.rr  LOADR  2b.3.05  load cv.lh
cv.lw.rr  LOADR  2b.3.06  load cv.lw
cv.lbu.rr LOADR  2b.3.0c  load cv.lbu
cv.lhu.rr LOADR  2b.3.0d  load cv.lhu
cv.sb    PSTORE  2b.0     store
cv.sh    PSTORE  2b.1     store
cv.sw    PSTORE  2b.2     store
cv.sb.rr_inc PSTORER 2b.3.10 store cv.sb
cv.sh.rr_inc PSTORER 2b.3.11 store cv.sh
cv.sw.rr_inc PSTORER 2b.3.12 store cv.sw
cv.sb.rr STORER  2b.3.14  store cv.sb
cv.sh.rr STORER  2b.3.15  store cv.sh
cv.sw.rr STORER  2b.3.16  store cv.sw
[Xcvelw]
cv.elw   LOAD    0b.3     event
[Xcvbi]
cv.beqimm BIMM   0b.6     branch
cv.bneimm BIMM   0b.7     branch
[Xcvmac]
cv.mac   R       2b.3.48  mul
cv.msu   R       2b.3.49  mul
cv.mulsn RRI     @0000405b mul
cv.mulun RRI     @0000505b mul
cv.mulhhsn RRI   @4000405b mul
cv.mulhhun RRI   @4000505b mul
cv.macsn RRI     @0000605b mul
cv.macun RRI     @0000705b mul
cv.machhsn RRI   @4000605b mul
cv.machhun RRI   @4000705b mul
[Xcvalu]
cv.abs   R2      2b.3.28.0 alu
cv.sle   R       2b.3.29  alu
cv.sleu  R       2b.3.2a  alu
cv.min   R       2b.3.2b  alu
cv.minu  R       2b.3.2c  alu
cv.max   R       2b.3.2d  alu
cv.maxu  R       2b.3.2e  alu
cv.exths R2      2b.3.30.0 alu
cv.exthz R2      2b.3.31.0 alu
cv.extbs R2      2b.3.32.0 alu
cv.extbz R2      2b.3.33.0 alu
cv.clip  RI5     2b.3.38  alu
cv.clipu RI5     2b.3.39  alu
cv.clipr R       2b.3.3a  alu
cv.clipur R      2b.3.3b  alu
cv.addn  RRI     @0000205b alu
cv.addun RRI     @4000205b alu
cv.addrn RRI     @8000205b alu
cv.addurn RRI    @c000205b alu
cv.subn  RRI     @0000305b alu
cv.subun RRI     @4000305b alu
cv.subrn RRI     @8000305b alu
cv.suburn RRI    @c000305b alu
[Xcvbitmanip]
cv.extract  RII  @0000005b alu
cv.extractu RII  @4000005b alu
cv.insert   RII  @8000005b alu
cv.bclr     RII  @0000105b alu
cv.bset     RII  @4000105b alu
cv.ror   R       2b.3.20  alu
cv.ff1   R2      2b.3.21.0 alu
cv.fl1   R2      2b.3.22.0 alu
cv.clb   R2      2b.3.23.0 alu
cv.cnt   R2      2b.3.24.0 alu
[Xcvsimd]
cv.add.h  R      7b.0.00  alu
cv.sub.h  R      7b.0.04  alu
cv.pack   R      7b.0.78  alu
cv.pack.h R      7b.0.79  alu
cv.extract.h  RU6 @b800007b alu
cv.extractu.h RU6 @b800207b alu
cv.insert.h   RU6 @b800407b alu
"""

SMALLFLOAT = """
[Xfalthalf]
fmadd.ah  F4A   43.5.2    fp
fmsub.ah  F4A   47.5.2    fp
fnmsub.ah F4A   4b.5.2    fp
fnmadd.ah F4A   4f.5.2    fp
fadd.ah   F3    53.5.02   fp
fsub.ah   F3    53.5.06   fp
fmul.ah   F3    53.5.0a   fp
fdiv.ah   F3    53.5.0e   fdiv
fsqrt.ah  F2    53.5.2e.0 fsqrt
fsgnj.ah  F3    53.4.12   fp
fsgnjn.ah F3    53.5.12   fp
fsgnjx.ah F3    53.6.12   fp
fmin.ah   F3    53.4.16   fp
fmax.ah   F3    53.5.16   fp
fle.ah    XF3   53.4.52   fp
flt.ah    XF3   53.5.52   fp
feq.ah    XF3   53.6.52   fp
fcvt.w.ah  XF2  53.5.62.0 fp
fcvt.wu.ah XF2  53.5.62.1 fp
fcvt.ah.w  FX2  53.5.6a.0 fp
fcvt.ah.wu FX2  53.5.6a.1 fp
fmv.x.ah   XF2  53.4.72.0 fp
fclass.ah  XF2  53.5.72.0 fp
fmv.ah.x   FX2  53.4.7a.0 fp
fcvt.s.ah  F2   53.0.20.6 fp  alias
fcvt.ah.s  F2   53.5.22.0 fp
fmulex.s.ah F3  53.5.26   fp
fmacex.s.ah F3  53.5.2a   fp
[Xfvecalthalf]
vfsqrt.ah  F2   33.1.47.0 fsqrt
vfcpka.ah.s F3  33.1.58   fp
"""

PACKED = """
vfadd F3 41 fp
vfsub F3 42 fp
vfmul F3 43 fp
vfdiv F3 44 fdiv
vfmin F3 45 fp
vfmax F3 46 fp
vfmac F3 48 fp
vfsgnj F3 4d fp
vfsgnjn F3 4e fp
vfsgnjx F3 4f fp
vfeq XF3 50 fp
vfne XF3 51 fp
vflt XF3 52 fp
vfge XF3 53 fp
vfle XF3 54 fp
vfgt XF3 55 fp
"""
"""Packed operations that have a vector form (``op.ah``) and a replicated one (``op.r.ah``)."""


def table_text() -> str:
    """All rows, the packed operations written out in their two forms."""
    rows: list[str] = []
    for line in PACKED.strip().splitlines():
        name, form, funct7, latency = line.split()
        rows.append(f"{name}.ah {form} 33.1.{funct7} {latency}")
        rows.append(f"{name}.r.ah {form} 33.5.{funct7} {latency}")
    auxiliary = [
        "[Xfauxvecalthalf]",
        "vfdotpex.s.ah F3 33.1.4b fp",
        "vfdotpex.s.r.ah F3 33.5.4b fp",
    ]
    return "\n".join([BASE, COMPRESSED, CORE_V, SMALLFLOAT, *rows, *auxiliary])

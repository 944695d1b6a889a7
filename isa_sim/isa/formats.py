"""Instruction formats: where each operand lies in the instruction word and how it is written.

A format is a list of operands in assembly order. Each operand is a :class:`Field`: its range and
the pieces it is cut into. The bits no field covers are the fixed ones, so the mask of an
instruction follows from its format alone.
"""

from __future__ import annotations

from dataclasses import dataclass

ROUNDING_MODES = ("rne", "rtz", "rdn", "rup", "rmm", "", "", "dyn")
"""Assembly names of the ``rm`` operand; the two empty codes are reserved."""


@dataclass(frozen=True)
class Field:
    """One operand in the word.

    ``kind`` is ``x`` (integer register), ``f`` (floating-point register), ``s`` (signed
    immediate), ``u`` (unsigned immediate) or ``rm`` (rounding mode). ``pieces`` are
    ``(high, low, position)``: value bits high..low lie at word bits position upwards. ``bits`` and
    ``scale`` give the range: an immediate is a multiple of ``1 << scale`` in ``bits`` bits.
    ``base`` is 8 for the three-bit registers of compressed instructions.
    """

    kind: str
    bits: int
    scale: int
    pieces: tuple[tuple[int, int, int], ...]
    base: int = 0

    @property
    def mask(self) -> int:
        """The word bits this operand occupies."""
        return self.insert(-1)

    @property
    def minimum(self) -> int:
        """Smallest value that can be encoded."""
        return -(1 << (self.bits - 1)) if self.kind == "s" else self.base

    @property
    def maximum(self) -> int:
        """Largest value that can be encoded."""
        if self.kind == "s":
            return (1 << (self.bits - 1)) - (1 << self.scale)
        return self.base + (1 << self.bits) - (1 << self.scale)

    def insert(self, value: int) -> int:
        """The word bits that hold ``value`` (not range-checked)."""
        value -= self.base if value >= 0 else 0
        word = 0
        for high, low, position in self.pieces:
            word |= ((value >> low) & ((1 << (high - low + 1)) - 1)) << position
        return word

    def extract(self, word: int) -> int:
        """The operand's value in ``word``."""
        value = 0
        for high, low, position in self.pieces:
            value |= ((word >> position) & ((1 << (high - low + 1)) - 1)) << low
        if self.kind == "s" and value >> (self.bits - 1):
            value -= 1 << self.bits
        return value + self.base


@dataclass(frozen=True)
class Format:
    """Operands in assembly order, the assembly template and the bits decoding ignores."""

    name: str
    fields: dict[str, Field]
    template: str
    ignored: int = 0

    @property
    def operand_mask(self) -> int:
        """All word bits that do not identify the instruction."""
        mask = self.ignored
        for field in self.fields.values():
            mask |= field.mask
        return mask


def _field(text: str) -> Field:
    """``kind:piece,piece``; a piece is ``high-low@position`` or ``bit@position``."""
    kind, _, rest = text.partition(":")
    pieces: list[tuple[int, int, int]] = []
    for piece in rest.split(","):
        span, position = piece.split("@")
        high, _, low = span.partition("-")
        pieces.append((int(high), int(low or high), int(position)))
    bits = max(piece[0] for piece in pieces) + 1
    scale = min(piece[1] for piece in pieces)
    base = 8 if kind.endswith("3") else 0
    return Field(kind.removesuffix("3"), bits, scale, tuple(pieces), base)


_FIELDS = {
    "rd": "x:4-0@7",
    "rs1": "x:4-0@15",
    "rs2": "x:4-0@20",
    "rs3": "x:4-0@27",
    "rs3d": "x:4-0@7",  # index register of a register-indexed store
    "fd": "f:4-0@7",
    "fs1": "f:4-0@15",
    "fs2": "f:4-0@20",
    "fs3": "f:4-0@27",
    "rm": "rm:2-0@12",
    "csr": "u:11-0@20",
    "i": "s:11-0@20",
    "s": "s:11-5@25,4-0@7",
    "b": "s:12@31,10-5@25,4-1@8,11@7",
    "u": "u:19-0@12",
    "j": "s:20@31,10-1@21,11@20,19-12@12",
    "shamt": "u:4-0@20",
    "zimm": "u:4-0@15",
    "b5": "s:4-0@20",
    "u5h": "u:4-0@25",
    "u5l": "u:4-0@20",
    "s6": "s:0@25,5-1@20",
    "u6": "u:0@25,5-1@20",
    "pred": "u:3-0@24",
    "succ": "u:3-0@20",
    "loop": "u:0@7",
    "lcount": "u:11-0@20",
    "loff": "u:13-2@20",
    "loff5": "u:6-2@15",
    # compressed
    "c.rd": "x:4-0@7",
    "c.fd": "f:4-0@7",
    "c.rs2": "x:4-0@2",
    "c.fs2": "f:4-0@2",
    "c.rdp": "x3:2-0@2",
    "c.fdp": "f3:2-0@2",
    "c.rs1p": "x3:2-0@7",
    "c.imm6": "s:5@12,4-0@2",
    "c.sh": "u:4-0@2",
    "c.lui": "s:5@12,4-0@2",
    "c.4spn": "u:5-4@11,9-6@7,2@6,3@5",
    "c.16sp": "s:9@12,4@6,6@5,8-7@3,5@2",
    "c.lw": "u:5-3@10,2@6,6@5",
    "c.lwsp": "u:5@12,4-2@4,7-6@2",
    "c.swsp": "u:5-2@9,7-6@7",
    "c.j": "s:11@12,4@11,9-8@9,10@8,6@7,7@6,3-1@3,5@2",
    "c.b": "s:8@12,4-3@10,7-6@5,2-1@3,5@2",
}

_FORMATS = """
R       rd=rd rs1=rs1 rs2=rs2                   | rd, rs1, rs2
R2      rd=rd rs1=rs1                           | rd, rs1
I       rd=rd rs1=rs1 imm=i                     | rd, rs1, imm
SHIFT   rd=rd rs1=rs1 imm=shamt                 | rd, rs1, imm
LOAD    rd=rd imm=i rs1=rs1                     | rd, imm(rs1)
STORE   rs2=rs2 imm=s rs1=rs1                   | rs2, imm(rs1)
B       rs1=rs1 rs2=rs2 imm=b                   | rs1, rs2, imm
BIMM    rs1=rs1 count=b5 imm=b                  | rs1, count, imm
U       rd=rd imm=u                             | rd, imm
J       rd=rd imm=j                             | rd, imm
JALR    rd=rd imm=i rs1=rs1                     | rd, imm(rs1)
FENCE   pred=pred succ=succ                     | pred, succ           | f00f8f80
FENCEI                                          |                      | ffff8f80
NONE                                            |
SFENCE  rs1=rs1 rs2=rs2                         | rs1, rs2
CSR     rd=rd csr=csr rs1=rs1                   | rd, csr, rs1
CSRI    rd=rd csr=csr imm=zimm                  | rd, csr, imm
FLOAD   rd=fd imm=i rs1=rs1                     | rd, imm(rs1)
FSTORE  rs2=fs2 imm=s rs1=rs1                   | rs2, imm(rs1)
F4      rd=fd rs1=fs1 rs2=fs2 rs3=fs3 rm=rm     | rd, rs1, rs2, rs3, rm
F4A     rd=fd rs1=fs1 rs2=fs2 rs3=fs3           | rd, rs1, rs2, rs3
F3R     rd=fd rs1=fs1 rs2=fs2 rm=rm             | rd, rs1, rs2, rm
F3      rd=fd rs1=fs1 rs2=fs2                   | rd, rs1, rs2
F2R     rd=fd rs1=fs1 rm=rm                     | rd, rs1, rm
F2      rd=fd rs1=fs1                           | rd, rs1
XF2R    rd=rd rs1=fs1 rm=rm                     | rd, rs1, rm
XF2     rd=rd rs1=fs1                           | rd, rs1
XF3     rd=rd rs1=fs1 rs2=fs2                   | rd, rs1, rs2
FX2R    rd=fd rs1=rs1 rm=rm                     | rd, rs1, rm
FX2     rd=fd rs1=rs1                           | rd, rs1
PLOAD   rd=rd rs1=rs1 imm=i                     | rd, (rs1), imm
PLOADR  rd=rd rs1=rs1 rs2=rs2                   | rd, (rs1), rs2
LOADR   rd=rd rs2=rs2 rs1=rs1                   | rd, rs2(rs1)
PSTORE  rs2=rs2 rs1=rs1 imm=s                   | rs2, (rs1), imm
PSTORER rs2=rs2 rs1=rs1 rs3=rs3d                | rs2, (rs1), rs3
STORER  rs2=rs2 rs3=rs3d rs1=rs1                | rs2, rs3(rs1)
HLI     loop=loop imm=loff                      | loop, imm
HLC     loop=loop count=lcount                  | loop, count
HLR     loop=loop rs1=rs1                       | loop, rs1
HLS     loop=loop rs1=rs1 imm=loff              | loop, rs1, imm
HLSI    loop=loop count=lcount imm=loff5        | loop, count, imm
RRI     rd=rd rs1=rs1 rs2=rs2 imm=u5h           | rd, rs1, rs2, imm
RI5     rd=rd rs1=rs1 imm=u5l                   | rd, rs1, imm
RII     rd=rd rs1=rs1 imm=u5h count=u5l         | rd, rs1, imm, count
RS6     rd=rd rs1=rs1 imm=s6                    | rd, rs1, imm
RU6     rd=rd rs1=rs1 imm=u6                    | rd, rs1, imm
CNONE                                           |
CNOP    imm=c.imm6                              | imm
CI      rd=c.rd imm=c.imm6                      | rd, imm
CLUI    rd=c.rd imm=c.lui                       | rd, imm
CSH     rd=c.rd imm=c.sh                        | rd, imm
CSHP    rd=c.rs1p imm=c.sh                      | rd, imm
CIP     rd=c.rs1p imm=c.imm6                    | rd, imm
C4SPN   rd=c.rdp imm=c.4spn                     | rd, sp, imm
C16SP   imm=c.16sp                              | sp, imm
CL      rd=c.rdp imm=c.lw rs1=c.rs1p            | rd, imm(rs1)
CFL     rd=c.fdp imm=c.lw rs1=c.rs1p            | rd, imm(rs1)
CS      rs2=c.rdp imm=c.lw rs1=c.rs1p           | rs2, imm(rs1)
CFS     rs2=c.fdp imm=c.lw rs1=c.rs1p           | rs2, imm(rs1)
CLSP    rd=c.rd imm=c.lwsp                      | rd, imm(sp)
CFLSP   rd=c.fd imm=c.lwsp                      | rd, imm(sp)
CSSP    rs2=c.rs2 imm=c.swsp                    | rs2, imm(sp)
CFSSP   rs2=c.fs2 imm=c.swsp                    | rs2, imm(sp)
CA      rd=c.rs1p rs2=c.rdp                     | rd, rs2
CR      rd=c.rd rs2=c.rs2                       | rd, rs2
CR1     rs1=c.rd                                | rs1
CJ      imm=c.j                                 | imm
CB      rs1=c.rs1p imm=c.b                      | rs1, imm
"""


def _formats() -> dict[str, Format]:
    fields = {name: _field(text) for name, text in _FIELDS.items()}
    formats: dict[str, Format] = {}
    for line in _FORMATS.strip().splitlines():
        head, template, *ignored = (part.strip() for part in line.split("|"))
        name, *operands = head.split()
        layout = {o.split("=")[0]: fields[o.split("=")[1]] for o in operands}
        formats[name] = Format(name, layout, template, int(ignored[0], 16) if ignored else 0)
    return formats


FORMATS: dict[str, Format] = _formats()
"""Every format by name."""

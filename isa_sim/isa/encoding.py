"""The instruction set of the cores: one table, read by encoder, decoder and disassembler.

>>> hex(encode("cv.lw", {"rd": 10, "rs1": 11, "imm": 4}))
'0x45a50b'
>>> disassemble(0x0045A50B)
'cv.lw a0, (a1), 4'

The rows are in :mod:`softex_mlir.isa_sim.isa.table` (with the sources of the encodings), the
operand layouts in :mod:`softex_mlir.isa_sim.isa.formats`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from softex_mlir.isa_sim.isa.formats import FORMATS, ROUNDING_MODES, Format
from softex_mlir.isa_sim.isa.table import table_text


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


X_NAMES = _words(
    "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 "
    "s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6"
)
"""ABI names of x0..x31."""

F_NAMES = _words(
    "ft0 ft1 ft2 ft3 ft4 ft5 ft6 ft7 fs0 fs1 fa0 fa1 fa2 fa3 fa4 fa5 fa6 fa7 "
    "fs2 fs3 fs4 fs5 fs6 fs7 fs8 fs9 fs10 fs11 ft8 ft9 ft10 ft11"
)
"""ABI names of f0..f31."""

CSR_NAMES: dict[int, str] = {
    0x001: "fflags", 0x002: "frm", 0x003: "fcsr", 0x300: "mstatus", 0x301: "misa", 0x304: "mie",
    0x305: "mtvec", 0x310: "mstatush", 0x340: "mscratch", 0x341: "mepc", 0x342: "mcause",
    0x343: "mtval", 0x344: "mip", 0xB00: "mcycle", 0xB02: "minstret", 0xB80: "mcycleh",
    0xB82: "minstreth", 0xC00: "cycle", 0xC01: "time", 0xC02: "instret", 0xC80: "cycleh",
    0xC81: "timeh", 0xC82: "instreth", 0xCC0: "lpstart0", 0xCC1: "lpend0", 0xCC2: "lpcount0",
    0xCC4: "lpstart1", 0xCC5: "lpend1", 0xCC6: "lpcount1", 0xF11: "mvendorid", 0xF12: "marchid",
    0xF13: "mimpid", 0xF14: "mhartid",
}  # fmt: skip
"""Names of the implemented control and status registers by number."""

_ACCUMULATES = frozenset(
    _words(
        "cv.mac cv.msu cv.macsn cv.macun cv.machhsn cv.machhun cv.insert cv.insert.h fmacex.s.ah"
    )
)


@dataclass(frozen=True)
class Instruction:
    """One row of the table.

    ``name`` is the key in :data:`INSTRUCTIONS`; ``mnemonic`` is what assemblers print (register
    forms of post-increment accesses share theirs). ``operands`` are in assembly order. ``latency``
    is the timing class (``alu mul mulh div load store branch jump jalr csr fp fdiv fsqrt hwloop
    event fence system``). ``length`` is in bytes. ``expansion`` maps a compressed instruction to
    ``(name, ((operand, source), ...))`` where a source is an operand name or a number.
    """

    name: str
    mnemonic: str
    format: str
    match: int
    mask: int
    operands: tuple[str, ...]
    extension: str
    klass: str
    latency: str
    length: int = 4
    is_alias: bool = False
    excluded: tuple[tuple[str, int], ...] = ()
    expansion: tuple[str, tuple[tuple[str, str], ...]] | None = None

    @property
    def layout(self) -> Format:
        """Where the operands lie."""
        return FORMATS[self.format]

    @cached_property
    def float_operands(self) -> frozenset[str]:
        """The operands that name floating-point registers."""
        return frozenset(n for n, field in self.layout.fields.items() if field.kind == "f")

    @cached_property
    def reads_destination(self) -> bool:
        """Whether ``rd`` is also a source (multiply-accumulate, insert, packed accumulate)."""
        stem = self.name.partition(".")[0]
        return self.name in _ACCUMULATES or stem in ("vfmac", "vfdotpex")

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Decoded:
    """An instruction word taken apart; immediates of branches and jumps are byte offsets."""

    instruction: Instruction
    operands: Mapping[str, int]
    word: int

    @property
    def length(self) -> int:
        """Bytes the instruction occupies: 2 or 4."""
        return self.instruction.length

    @property
    def expanded(self) -> Decoded:
        """The 32-bit instruction a compressed one stands for; itself otherwise."""
        if self.instruction.expansion is None:
            return self
        name, sources = self.instruction.expansion
        operands = {n: self.operands[s] if s in self.operands else int(s) for n, s in sources}
        instruction = INSTRUCTIONS[name]
        if name == "lui":
            operands["imm"] &= 0xFFFFF
        return Decoded(instruction, operands, self.word)

    def __str__(self) -> str:
        return _text(self, None)


_CLASSES = {
    "jump": "jump", "jalr": "jump", "mulh": "mul", "fdiv": "fp", "fsqrt": "fp", "fence": "system",
}  # fmt: skip


def _match_word(text: str) -> int:
    if text.startswith("@"):
        return int(text[1:], 16)
    word = 0
    for part, position in zip(text.split("."), (0, 12, 25, 20), strict=False):
        word |= 0 if part == "-" else int(part, 16) << position
    return word


def _load() -> dict[str, Instruction]:
    instructions: dict[str, Instruction] = {}
    extension = ""
    for line in table_text().splitlines():
        row, _, expands = (part.strip() for part in line.partition("= "))
        if not row:
            continue
        if row.startswith("["):
            extension = row.strip("[]")
            continue
        name, form, fixed, latency, *rest = row.split()
        mnemonic, alias = name, False
        excluded: list[tuple[str, int]] = []
        for word in rest:
            if "!=" in word:
                operand, _, value = word.partition("!=")
                excluded.append((operand, int(value)))
            elif word == "alias":
                alias = True
            else:
                mnemonic = word
        layout = FORMATS[form]
        length = 2 if extension == "C" else 4
        width = 0xFFFF if length == 2 else 0xFFFFFFFF
        expansion = None
        if expands:
            target, *pairs = expands.split()
            expansion = (target, tuple((p.split("=")[0], p.split("=")[1]) for p in pairs))
        if "rm" in layout.fields:
            excluded += [("rm", 5), ("rm", 6)]
        instructions[name] = Instruction(
            name=name,
            mnemonic=mnemonic,
            format=form,
            match=_match_word(fixed),
            mask=width & ~layout.operand_mask,
            operands=tuple(layout.fields),
            extension="Xfvecalthalf" if name.startswith("vf") and "ex" not in name else extension,
            klass="simd" if name.startswith("vf") else _CLASSES.get(latency, latency),
            latency=latency,
            length=length,
            is_alias=alias,
            excluded=tuple(excluded),
            expansion=expansion,
        )
    return instructions


INSTRUCTIONS: dict[str, Instruction] = _load()
"""Every instruction by name."""


def _buckets() -> dict[int, list[Instruction]]:
    """Candidates by their lowest seven bits (compressed: quadrant and top three bits)."""
    buckets: dict[int, list[Instruction]] = {}
    for instruction in INSTRUCTIONS.values():
        if not instruction.is_alias:
            buckets.setdefault(bucket_of(instruction.match), []).append(instruction)
    for bucket in buckets.values():  # the more bits are fixed, the more specific
        bucket.sort(key=lambda candidate: -candidate.mask.bit_count())
    return buckets


def bucket_of(word: int) -> int:
    """The bucket of a word's candidates, 0 to 1,023."""
    return word & 0x7F if word & 3 == 3 else word & 3 | (word >> 13 & 7) << 7


_BUCKETS = _buckets()


def candidates(bucket: int) -> Sequence[Instruction]:
    """The instructions that words of a bucket may be, the most specific first."""
    return _BUCKETS.get(bucket, ())


def instruction(name: str) -> Instruction:
    """The table row of ``name``; a ValueError names the closest ones when there is none."""
    found = INSTRUCTIONS.get(name)
    if found is None:
        import difflib

        close = ", ".join(difflib.get_close_matches(name, INSTRUCTIONS, 3)) or "see INSTRUCTIONS"
        raise ValueError(f"unknown instruction '{name}': did you mean {close}?")
    return found


def encode(name: str, operands: Mapping[str, int]) -> int:
    """The instruction word (16 bits for compressed instructions).

    Registers are numbers 0..31; branch, jump and hardware-loop immediates are byte offsets from
    the instruction. ``rm`` may be left out (dynamic rounding); all other operands are required.
    """
    row = instruction(name)
    word = row.match
    fields = row.layout.fields
    for key in operands:
        if key not in fields:
            raise ValueError(
                f"{name}: no operand '{key}'; it takes {', '.join(row.operands) or 'none'}"
            )
    for key, field in fields.items():
        value = operands.get(key)
        if value is None:
            if key != "rm":
                raise ValueError(f"{name}: operand '{key}' is missing")
            value = default_rounding(row)
        if row.format in ("U", "CLUI") and field.kind in "us" and value >= 1 << field.bits - 1:
            if row.format == "CLUI":  # written as the 20-bit value that lui takes
                value -= 1 << 20
        elif row.format == "U" and field.kind == "u" and -(1 << 19) <= value < 0:
            value += 1 << 20
        if not field.minimum <= value <= field.maximum or value & ((1 << field.scale) - 1):
            step = f" in steps of {1 << field.scale}" if field.scale else ""
            raise ValueError(
                f"{name}: operand '{key}' is {value}, expected "
                f"{field.minimum}..{field.maximum}{step}"
            )
        if (key, value) in row.excluded:
            raise ValueError(f"{name}: operand '{key}' must not be {value} (reserved encoding)")
        word |= field.insert(value)
    return word


@cache
def decode(word: int) -> Decoded | None:
    """Take a word apart (compressed ones in the low half); None when it is no instruction."""
    if word & 3 != 3:
        word &= 0xFFFF
    for row in candidates(bucket_of(word)):
        if word & row.mask == row.match:
            operands = {key: field.extract(word) for key, field in row.layout.fields.items()}
            if any(operands[key] == value for key, value in row.excluded):
                continue
            return Decoded(row, operands, word)
    return None


def disassemble(word: int, pc: int | None = None) -> str:
    """Assembly text with ABI register names; with ``pc``, targets are absolute addresses."""
    decoded = decode(word)
    if decoded is None:
        return f".half 0x{word & 0xFFFF:04x}" if word & 3 != 3 else f".word 0x{word:08x}"
    return _text(decoded, pc)


_RELATIVE = frozenset({"B", "BIMM", "J", "CJ", "CB", "HLI", "HLS", "HLSI"})


def _text(decoded: Decoded, pc: int | None) -> str:
    row = decoded.instruction
    text = row.layout.template
    shown: dict[str, str] = {}
    for key, field in row.layout.fields.items():
        value = decoded.operands[key]
        if field.kind == "x":
            shown[key] = X_NAMES[value]
        elif field.kind == "f":
            shown[key] = F_NAMES[value]
        elif key == "rm":
            shown[key] = ROUNDING_MODES[value]
        elif key == "csr":
            shown[key] = CSR_NAMES.get(value, f"0x{value:x}")
        elif key in ("pred", "succ"):
            shown[key] = "".join(c for c, bit in zip("iorw", (8, 4, 2, 1), strict=True)
                                 if value & bit) or "0"  # fmt: skip
        elif key == "imm" and pc is not None and row.format in _RELATIVE:
            shown[key] = f"0x{(pc + value) & 0xFFFFFFFF:x}"
        elif row.format in ("U", "CLUI"):
            shown[key] = f"0x{value & 0xFFFFF:x}"
        else:
            shown[key] = str(value)
    words: list[str] = []
    for part in text.split(", "):
        for key, value in shown.items():
            if part == key or f"({key})" in part or part.startswith(f"{key}("):
                part = value if part == key else _replace_operand(part, key, value)
        words.append(part)
    if "rm" in shown and decoded.operands["rm"] == default_rounding(row):
        words.pop()
    return f"{row.mnemonic} {', '.join(words)}".rstrip()


def default_rounding(row: Instruction) -> int:
    """The rounding mode an assembler fills in: dynamic, or rne where the result is exact."""
    return 0 if row.name == "fcvt.s.bf16" else 7


def _replace_operand(part: str, key: str, value: str) -> str:
    head, bracket, tail = part.partition("(")
    inner = tail.removesuffix(")")
    return f"{value if head == key else head}{bracket}{value if inner == key else inner})"

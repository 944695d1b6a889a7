"""
Assembler: text to machine code at a fixed address.

It reads the instructions of the simulator's instruction table, the pseudo-instructions that the
compiler prints, labels, and a handful of directives. A conditional branch that does not reach its
target is turned into the inverse branch around a jump. Instructions are not compressed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from softex_mlir.arithmetic import signed32
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.isa import encoding as isa
from softex_mlir.isa_sim.isa.formats import ROUNDING_MODES

X_NUMBERS = (
    {name: i for i, name in enumerate(isa.X_NAMES)} | {f"x{i}": i for i in range(32)} | {"fp": 8}
)
F_NUMBERS = {name: i for i, name in enumerate(isa.F_NAMES)} | {f"f{i}": i for i in range(32)}
CSR_NUMBERS = {name: number for number, name in isa.CSR_NAMES.items()}
INVERSE = {
    "beq": "bne",
    "bne": "beq",
    "blt": "bge",
    "bge": "blt",
    "bltu": "bgeu",
    "bgeu": "bltu",
}
BRANCH_REACH = 4096
"""Bytes; a conditional branch reaches -4096 to 4094."""

_HIGH, _LOW = "%hi ", "%lo "
"""In front of a symbol: the parts of its address that `lui` and `addi` load."""
WORD = ".word"
"""Directive: 32 bits as they are."""

_SEPARATORS = re.compile(r"[(),\s]+")


class AssemblyError(UserError):
    """Text that is no assembly of this machine; `line` counts from 1, 0 is none in particular."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"assembly line {line}: {message}" if line else message)
        self.line = line
        self.reason = message


@dataclass(frozen=True)
class Symbol:
    """A label outside the compiler's own namespace (.L): address and bytes up to the next one."""

    name: str
    address: int
    size: int
    is_function: bool


@dataclass(frozen=True)
class Assembly:
    """Machine code and the symbols in it."""

    base: int
    code: bytes
    symbols: tuple[Symbol, ...]

    def address_of(self, name: str) -> int:
        """Address of a symbol."""
        for symbol in self.symbols:
            if symbol.name == name:
                return symbol.address
        raise AssemblyError(f"no symbol {name} in the assembly")


@dataclass
class Line:
    """One instruction to encode: its name, operands and place in the text."""

    number: int
    name: str
    operands: list[str]


@cache
def operand_keys(name: str) -> tuple[tuple[str, str], ...]:
    """The operands of an instruction in the order they are written, with their kinds."""
    layout = isa.instruction(name).layout
    keys = [key for key in _SEPARATORS.split(layout.template) if key]
    return tuple((key, layout.fields[key].kind) for key in keys if key in layout.fields)


def load_immediate(rd: str, value: int) -> list[tuple[str, list[str]]]:
    """lui and addi that make a 32-bit constant."""
    value = signed32(value)
    low = (value + 0x800 & 0xFFF) - 0x800
    high = value - low >> 12 & 0xFFFFF
    if high == 0:
        return [("addi", [rd, "zero", str(low)])]
    upper = ("lui", [rd, str(high)])
    return [upper] if low == 0 else [upper, ("addi", [rd, rd, str(low)])]


def _is_symbol(text: str) -> bool:
    return text[0].isalpha() or text[0] in "._"


def expand(name: str, operands: list[str]) -> list[tuple[str, list[str]]]:
    """The instructions of a pseudo-instruction, or the instruction itself."""
    match name:
        case "li" if not _is_symbol(operands[1]):
            return load_immediate(operands[0], int(operands[1], 0))
        case "li" | "la" if _is_symbol(operands[1]):
            return [
                ("lui", [operands[0], f"{_HIGH}{operands[1]}"]),
                ("addi", [operands[0], operands[0], f"{_LOW}{operands[1]}"]),
            ]
        case "la":
            low = (int(operands[1], 0) + 0x800 & 0xFFF) - 0x800
            high = int(operands[1], 0) - low >> 12 & 0xFFFFF
            return [
                ("lui", [operands[0], str(high)]),
                ("addi", [operands[0], operands[0], str(low)]),
            ]
        case "mv":
            return [("addi", [*operands, "0"])]
        case "nop":
            return [("addi", ["zero", "zero", "0"])]
        case "j":
            return [("jal", ["zero", *operands])]
        case "jal" | "call" if len(operands) == 1:
            return [("jal", ["ra", *operands])]
        case "jr":
            return [("jalr", ["zero", "0", *operands])]
        case "jalr" if len(operands) == 1:
            return [("jalr", ["ra", "0", *operands])]
        case "ret":
            return [("jalr", ["zero", "0", "ra"])]
        case "beqz" | "bnez" | "bltz" | "bgez":
            return [(name[:-1], [operands[0], "zero", operands[1]])]
        case "neg":
            return [("sub", [operands[0], "zero", operands[1]])]
        case "not":
            return [("xori", [*operands, "-1"])]
        case "seqz":
            return [("sltiu", [*operands, "1"])]
        case "snez":
            return [("sltu", [operands[0], "zero", operands[1]])]
        case "csrr":
            return [("csrrs", [*operands, "zero"])]
        case "fmv.s":
            return [("fsgnj.s", [*operands, operands[1]])]
        case _:
            return [(name, operands)]


def parse(text: str) -> tuple[list[Line], list[tuple[str, int]], set[str]]:
    """Instructions, labels with the index of the instruction behind them, and function names."""
    lines: list[Line] = []
    labels: list[tuple[str, int]] = []
    functions: set[str] = set()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].strip()
        if not line:
            continue
        if line.endswith(":"):
            labels.append((line[:-1].strip(), len(lines)))
            continue
        name, _, rest = line.partition(" ")
        if name.startswith(".") and name != WORD:
            if name == ".type" and rest.endswith("@function"):
                functions.add(rest.partition(",")[0].strip())
            elif name not in (".text", ".globl", ".local", ".size", ".p2align", ".type"):
                raise AssemblyError(f"directive {name} is not supported", number)
            continue
        operands = [operand for operand in _SEPARATORS.split(rest) if operand]
        try:
            for expanded, arguments in expand(name, operands):
                lines.append(Line(number, expanded, arguments))
        except (IndexError, ValueError) as error:
            raise AssemblyError(f"`{line}`: {error}", number) from error
    return lines, labels, functions


def _word(line: Line) -> int:
    """What `.word` says."""
    (text,) = line.operands
    value = int(text, 0)
    if not 0 <= value < 1 << 32:
        raise ValueError(f"expected 32 bits, found {text}")
    return value


def _value(text: str, targets: Mapping[str, int]) -> int:
    """An immediate: a number, or half of the address of a symbol."""
    if not text.startswith((_HIGH, _LOW)):
        return int(text, 0)
    symbol = text[len(_HIGH) :]
    if symbol not in targets:
        raise ValueError(f"there is no symbol {symbol}")
    low = (targets[symbol] + 0x800 & 0xFFF) - 0x800
    return low if text.startswith(_LOW) else targets[symbol] - low >> 12 & 0xFFFFF


def encode_line(line: Line, address: int, targets: Mapping[str, int]) -> int:
    """The instruction's word."""
    if line.name == WORD:
        return _word(line)
    keys = operand_keys(line.name)
    values: dict[str, int] = {}
    if len(line.operands) > len(keys):
        raise ValueError(f"expected {len(keys)} operands, found {len(line.operands)}")
    for (key, kind), text in zip(keys, line.operands, strict=False):
        if kind == "x":
            values[key] = X_NUMBERS[text]
        elif kind == "f":
            values[key] = F_NUMBERS[text]
        elif kind == "rm":
            values[key] = ROUNDING_MODES.index(text)
        elif text in targets:
            values[key] = targets[text] - address
        elif key == "csr" and text in CSR_NUMBERS:
            values[key] = CSR_NUMBERS[text]
        else:
            values[key] = _value(text, targets)
    return isa.encode(line.name, values)


def _check_once(text: str, labels: Sequence[tuple[str, int]]) -> None:
    """Refuse a label that is there twice: jumps would go to one of them."""
    names = [name for name, _ in labels]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        lines = [n for n, line in enumerate(text.splitlines(), 1) if line.strip() == f"{twice}:"]
        raise AssemblyError(f"label {twice} is there twice", lines[-1])


def assemble(text: str, base: int, outside: Mapping[str, int] | None = None) -> Assembly:
    """
    Machine code of assembly text placed at address `base`.

    `outside` are symbols that the text refers to without having them.

    Raises AssemblyError with the line for what cannot be encoded.
    """
    lines, labels, functions = parse(text)
    _check_once(text, labels)
    long: set[int] = set()
    while True:
        addresses: list[int] = []
        address = base
        for i in range(len(lines)):
            addresses.append(address)
            address += 8 if i in long else 4
        addresses.append(address)
        targets = {name: addresses[index] for name, index in labels} | dict(outside or {})
        too_far = {
            i
            for i, line in enumerate(lines)
            if line.name in INVERSE
            and i not in long
            and line.operands[-1] in targets
            and not -BRANCH_REACH <= targets[line.operands[-1]] - addresses[i] < BRANCH_REACH
        }
        if not too_far:
            break
        long |= too_far
    code = bytearray()
    words: dict[tuple[str, ...], bytes] = {}
    for i, line in enumerate(lines):
        try:
            if i in long:
                around = Line(line.number, INVERSE[line.name], [*line.operands[:-1], "8"])
                jump = Line(line.number, "jal", ["zero", line.operands[-1]])
                code += encode_line(around, addresses[i], targets).to_bytes(4, "little")
                code += encode_line(jump, addresses[i] + 4, targets).to_bytes(4, "little")
                continue
            key = (line.name, *line.operands)
            if (word := words.get(key)) is None:
                word = encode_line(line, addresses[i], targets).to_bytes(4, "little")
                if not any(operand in targets for operand in line.operands):
                    words[key] = word  # the same anywhere
            code += word
        except (KeyError, ValueError) as error:
            shown = f"{line.name} {', '.join(line.operands)}"
            raise AssemblyError(f"cannot encode `{shown}`: {error}", line.number) from error
    visible = [(name, index) for name, index in labels if not name.startswith(".L")]
    ends = [*(addresses[index] for _, index in visible[1:]), address][: len(visible)]
    symbols = tuple(
        Symbol(name, addresses[index], end - addresses[index], name in functions)
        for (name, index), end in zip(visible, ends, strict=True)
    )
    return Assembly(base, bytes(code), symbols)

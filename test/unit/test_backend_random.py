"""Random programs of loops, branches and integer arithmetic: compiled code against Python."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from backend_harness import DATA, RECORD, read, run_function
from xdsl.context import Context
from xdsl.parser import Parser

from softex_mlir.dialects import register_all_dialects

OUTPUT = DATA + 0x1000
MASK = 0xFFFFFFFF


def signed(value: int) -> int:
    return (value + 0x80000000 & MASK) - 0x80000000


def unsigned(value: int) -> int:
    return value & MASK


def divide(a: int, b: int) -> int:
    if b == 0:
        return -1
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


OPERATIONS = {
    "addi": lambda a, b: a + b,
    "subi": lambda a, b: a - b,
    "muli": lambda a, b: a * b,
    "andi": lambda a, b: a & b,
    "ori": lambda a, b: a | b,
    "xori": lambda a, b: a ^ b,
    "divsi": divide,
    "remsi": lambda a, b: a - b * divide(a, b) if b else a,
    "divui": lambda a, b: unsigned(a) // unsigned(b) if b else -1,
    "remui": lambda a, b: unsigned(a) % unsigned(b) if b else a,
    "maxsi": max,
    "minsi": min,
    "maxui": lambda a, b: max(unsigned(a), unsigned(b)),
    "minui": lambda a, b: min(unsigned(a), unsigned(b)),
}
SHIFTS = {
    "shli": lambda a, n: a << n,
    "shrui": lambda a, n: unsigned(a) >> n,
    "shrsi": lambda a, n: a >> n,
}
PREDICATES = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "slt": lambda a, b: a < b,
    "sle": lambda a, b: a <= b,
    "sgt": lambda a, b: a > b,
    "sge": lambda a, b: a >= b,
    "ult": lambda a, b: unsigned(a) < unsigned(b),
    "ule": lambda a, b: unsigned(a) <= unsigned(b),
    "ugt": lambda a, b: unsigned(a) > unsigned(b),
    "uge": lambda a, b: unsigned(a) >= unsigned(b),
}
CONSTANTS = (0, 1, -1, 2, 4, 7, 8, 100, 2047, -2048, 4096, 0x12345678, -0x80000000, 0x7FFFFFFF)


class Generator:
    """Writes a program and, as nested tuples, what it means."""

    def __init__(self, seed: int, size: int) -> None:
        self.random = random.Random(seed)
        self.size = size
        self.names = 0
        self.lines: list[str] = []

    def name(self) -> str:
        self.names += 1
        return f"%v{self.names}"

    def emit(self, depth: int, text: str) -> None:
        self.lines.append("  " * depth + text)

    def body(self, depth: int, available: list[str], count: int, nesting: int) -> list:
        """Some operations; returns their meaning. `available` grows by their results."""
        program = []
        for _ in range(count):
            kind = self.random.random()
            if kind < 0.08 and nesting:
                program.append(self.loop(depth, available, nesting))
            elif kind < 0.16 and nesting:
                program.append(self.branch(depth, available, nesting))
            elif kind < 0.2 and nesting:
                program.append(self.repeat(depth, available, nesting))
            elif kind < 0.28:
                address = self.random.randrange(64)
                value = self.random.choice(available)
                self.emit(depth, f"memref.store {value}, %memory[%i{address}] : !memory")
                program.append(("store", address, value))
            elif kind < 0.36:
                address = self.random.randrange(64)
                result = self.name()
                self.emit(depth, f"{result} = memref.load %memory[%i{address}] : !memory")
                program.append(("load", result, address))
                available.append(result)
            elif kind < 0.44:
                a, b, x, y = (self.random.choice(available) for _ in range(4))
                predicate = self.random.choice(list(PREDICATES))
                condition, result = self.name(), self.name()
                self.emit(depth, f"{condition} = arith.cmpi {predicate}, {a}, {b} : i32")
                self.emit(depth, f"{result} = arith.select {condition}, {x}, {y} : i32")
                program.append(("select", result, predicate, a, b, x, y))
                available.append(result)
            elif kind < 0.5:
                result, amount, name = self.name(), self.random.randrange(32), self.name()
                operation = self.random.choice(list(SHIFTS))
                a = self.random.choice(available)
                self.emit(depth, f"{(amount and name) or name} = arith.constant {amount} : i32")
                self.emit(depth, f"{result} = arith.{operation} {a}, {name} : i32")
                program.append(("shift", result, operation, a, amount))
                available.append(result)
            elif kind < 0.56:
                result, value = self.name(), self.random.choice(CONSTANTS)
                self.emit(depth, f"{result} = arith.constant {value} : i32")
                program.append(("constant", result, value))
                available.append(result)
            else:
                operation = self.random.choice(list(OPERATIONS))
                a, b, result = (
                    self.random.choice(available),
                    self.random.choice(available),
                    self.name(),
                )
                self.emit(depth, f"{result} = arith.{operation} {a}, {b} : i32")
                program.append(("binary", result, operation, a, b))
                available.append(result)
        return program

    def loop(self, depth: int, available: list[str], nesting: int):
        trips, step = self.random.randrange(5), self.random.choice((1, 1, 2, 3))
        carried = [self.random.choice(available) for _ in range(self.random.randrange(3))]
        arguments = [self.name() for _ in carried]
        results = [self.name() for _ in carried]
        low, high, by, index, counter = (self.name() for _ in range(5))
        dynamic = self.random.random() < 0.4
        self.emit(depth, f"{low} = arith.constant 1 : index")
        if dynamic:
            word = self.name()
            self.emit(depth, f"{word} = cluster.launch_word {trips} : i32")
            self.emit(depth, f"{high} = arith.index_cast {word} : i32 to index")
        else:
            self.emit(depth, f"{high} = arith.constant {1 + trips} : index")
        self.emit(depth, f"{by} = arith.constant {step} : index")
        head = f"scf.for {index} = {low} to {high} step {by}"
        types = ", ".join("i32" for _ in carried)
        if carried:
            pairs = ", ".join(f"{a} = {c}" for a, c in zip(arguments, carried, strict=True))
            head = f"{', '.join(results)} = {head} iter_args({pairs}) -> ({types})"
        self.emit(depth, head + " {")
        self.emit(depth + 1, f"{counter} = arith.index_cast {index} : index to i32")
        inside = [*available, *arguments, counter]
        meaning = self.body(depth + 1, inside, self.random.randrange(1, self.size), nesting - 1)
        yielded = [self.random.choice(inside[-6:]) for _ in carried]
        self.emit(
            depth + 1, f"scf.yield {', '.join(yielded)} : {types}" if carried else "scf.yield"
        )
        self.emit(depth, "}")
        available.extend(results)
        return (
            "for",
            counter,
            range(1, 1 + trips, step),
            carried,
            arguments,
            results,
            meaning,
            yielded,
        )

    def repeat(self, depth: int, available: list[str], nesting: int):
        initial, zero = self.random.randrange(4), self.name()
        state, after, result, test, limit, one, following = (self.name() for _ in range(7))
        self.emit(depth, f"{zero} = arith.constant {initial} : i32")
        self.emit(depth, f"{result} = scf.while ({state} = {zero}) : (i32) -> i32 {{")
        self.emit(depth + 1, f"{limit} = arith.constant 3 : i32")
        self.emit(depth + 1, f"{test} = arith.cmpi slt, {state}, {limit} : i32")
        self.emit(depth + 1, f"scf.condition({test}) {state} : i32")
        self.emit(depth, "} do {")
        self.emit(depth, f"^bb0({after}: i32):")
        inside = [*available, after]
        meaning = self.body(depth + 1, inside, self.random.randrange(1, self.size), nesting - 1)
        self.emit(depth + 1, f"{one} = arith.constant 1 : i32")
        self.emit(depth + 1, f"{following} = arith.addi {after}, {one} : i32")
        self.emit(depth + 1, f"scf.yield {following} : i32")
        self.emit(depth, "}")
        available.append(result)
        return ("while", initial, after, result, meaning)

    def branch(self, depth: int, available: list[str], nesting: int):
        a, b = self.random.choice(available), self.random.choice(available)
        predicate = self.random.choice(list(PREDICATES))
        condition = self.name()
        self.emit(depth, f"{condition} = arith.cmpi {predicate}, {a}, {b} : i32")
        results = [self.name() for _ in range(self.random.randrange(3))]
        types = ", ".join("i32" for _ in results)
        head = f"scf.if {condition}"
        if results:
            head = f"{', '.join(results)} = {head} -> ({types})"
        self.emit(depth, head + " {")
        sides = []
        for side in range(2):
            if side and not results and self.random.random() < 0.5:
                sides.append(([], []))
                break
            if side:
                self.emit(depth, "} else {")
            inside = list(available)
            meaning = self.body(depth + 1, inside, self.random.randrange(1, self.size), nesting - 1)
            yielded = [self.random.choice(inside[-6:]) for _ in results]
            self.emit(
                depth + 1, f"scf.yield {', '.join(yielded)} : {types}" if results else "scf.yield"
            )
            sides.append((meaning, yielded))
        self.emit(depth, "}")
        available.extend(results)
        return ("if", predicate, a, b, results, *sides)

    def program(self, operations: int):
        self.lines = [
            "!memory = memref<64xi32, #cluster.tcdm>",
            "func.func @program() {",
            f"  %address = arith.constant {DATA} : i32",
            "  %memory = cluster.view %address : !memory",
            f"  %place = arith.constant {OUTPUT} : i32",
            "  %output = cluster.view %place : memref<256xi32, #cluster.tcdm>",
        ]
        for i in range(256):
            self.emit(1, f"%i{i} = arith.constant {i} : index")
        available = []
        meaning = []
        for i in range(6):
            name = self.name()
            self.emit(1, f"{name} = memref.load %memory[%i{i}] : !memory")
            meaning.append(("load", name, i))
            available.append(name)
        meaning += self.body(1, available, operations, 3)
        outputs = available[-200:]
        for i, value in enumerate(outputs):
            self.emit(1, f"memref.store {value}, %output[%i{i}] : memref<256xi32, #cluster.tcdm>")
        self.emit(1, "func.return")
        self.emit(0, "}")
        return "\n".join(self.lines), meaning, outputs


def run(meaning: Any, values: dict[str, int], memory: list[int]) -> None:
    """What a generated program does."""
    for step in meaning:
        match step:
            case ("load", result, address):
                values[result] = memory[address]
            case ("store", address, value):
                memory[address] = values[value]
            case ("constant", result, value):
                values[result] = value
            case ("binary", result, operation, a, b):
                values[result] = signed(OPERATIONS[operation](values[a], values[b]))
            case ("shift", result, operation, a, amount):
                values[result] = signed(SHIFTS[operation](values[a], amount))
            case ("select", result, predicate, a, b, x, y):
                chosen = x if PREDICATES[predicate](values[a], values[b]) else y
                values[result] = values[chosen]
            case ("for", counter, trips, carried, arguments, results, body, yielded):
                state = [values[c] for c in carried]
                for i in trips:
                    values[counter] = i
                    values.update(zip(arguments, state, strict=True))
                    run(body, values, memory)
                    state = [values[y] for y in yielded]
                values.update(zip(results, state, strict=True))
            case ("while", initial, after, result, body):
                state = initial
                while state < 3:
                    values[after] = state
                    run(body, values, memory)
                    state += 1
                values[result] = state
            case ("if", predicate, a, b, results, then, otherwise):
                body, yielded = then if PREDICATES[predicate](values[a], values[b]) else otherwise
                run(body, values, memory)
                values.update(zip(results, [values[y] for y in yielded], strict=True))


def check(seed: int, operations: int, size: int, integers: int = 27) -> str:
    text, meaning, outputs = Generator(seed, size).program(operations)
    context = Context()
    register_all_dialects(context)
    module = Parser(context, text).parse_module()
    initial = np.random.default_rng(seed).integers(-(2**31), 2**31, 64).astype(np.int32)
    tcdm, _, assembly = run_function(module, "program", {DATA: initial}, range(1, 9), integers)
    assert RECORD
    memory = [int(v) for v in initial]
    values: dict[str, int] = {}
    run(meaning, values, memory)
    assert [int(v) for v in read(tcdm, DATA, (64,), np.int32)] == memory, text
    found = [int(v) for v in read(tcdm, OUTPUT, (len(outputs),), np.int32)]
    assert found == [values[o] for o in outputs], text
    return assembly


@pytest.mark.parametrize("seed", range(40))
def test_random_program(seed):
    check(seed, 12, 6)


@pytest.mark.parametrize("seed", range(100, 110))
def test_long_program_spills(seed):
    check(seed, 90, 5)


@pytest.mark.parametrize("seed", range(200, 230))
def test_few_registers(seed):
    assert "(sp)" in check(seed, 14, 5, integers=6)

"""Who may know whom: every import of every room, also those inside functions; no circles; and a
name of a class means one thing."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "softex_mlir"

LEAVES = "leaves"
ROOMS = {
    "isa_sim.machine": "ground floor",
    "isa_sim.machine_limits": "ground floor",
    "isa_sim.machine_settings": "ground floor",
    "isa_sim.machine_basis": "ground floor",
    "isa_sim.intrinsics": "ground floor",
    "isa_sim.isa": "ground floor",
    "isa_sim.code_cache": "ground floor",
    "isa_sim.jit": "ground floor",
    "isa_sim.jit_compiler": "ground floor",
    "isa_sim.machine_code": "ground floor",
    "isa_sim.numerics": "ground floor",
    "isa_sim.units": "ground floor",
    "isa_sim": "simulator",
    "dialects": "dialects",
    "compiler": "compiler",
    "runtime.experiments": "experiments",
    "runtime": "runtime",
    "tools": "tools",
    "__main__": "tools",
    "front_door": "front door",
    "runtime.mlir_reference": "front door",
    "runtime.mlir_scalars": "front door",
    "runtime.onnx_reference": "front door",
    "runtime.program_text": "front door",
    "runtime.self_check": "front door",
    "runtime.bisection": "front door",
    "runtime.decoder_check": "front door",
    "runtime.quality": "front door",
    "runtime.explore": "front door",
    "runtime.mesh": "front door",
    "runtime.quality.metrics": "runtime",
    "": LEAVES,
}
"""Room of a module, by the longest beginning of its name."""

MAY_IMPORT = {
    LEAVES: set[str](),
    "ground floor": {LEAVES},
    "simulator": {LEAVES, "ground floor"},
    "dialects": {LEAVES, "ground floor"},
    "compiler": {LEAVES, "ground floor", "dialects"},
    "runtime": {LEAVES, "ground floor", "simulator", "dialects"},
    "experiments": {LEAVES, "ground floor", "simulator", "dialects", "runtime", "compiler"},
    "front door": {LEAVES, "ground floor", "simulator", "dialects", "runtime", "compiler"},
}
MAY_IMPORT["experiments"].add("front door")  # they study what users get
MAY_IMPORT["tools"] = {"experiments", "front door", *MAY_IMPORT["experiments"]}

EXCEPTIONS = {
    ("compiler.driver", "runtime.program"): "the program that a compilation returns",
    ("compiler.sidecar", "runtime.elf_reader"): "data of a program that was decoded into text",
    ("runtime.embedded", "compiler.weight_layout"): "weights of a program, read back",
    ("runtime.quality.sweep", "runtime.experiments.coefficient_fit"): "GELU of other terms",
    ("runtime.reference", "compiler.model"): "what is evaluated",
    ("runtime.reference", "compiler.loop_nest"): "what is evaluated",
    ("runtime.reference_generic", "compiler.loop_nest"): "what is evaluated",
    ("runtime.reference_exact", "compiler.row_operations"): "operations, with what they compute",
    ("runtime.reference_float", "compiler.row_operations"): "operations, with what they compute",
    ("runtime.reference_generic", "compiler.bodies.expand_math"): "functions have the cores' bits",
}
"""Imports, from module to module, against the rules, and what for. A new one needs a reason."""


def room(module: str) -> str:
    """Room of a module, named from the package's root."""
    parts = module.split(".")
    beginnings = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((ROOMS[name] for name in beginnings if name in ROOMS), LEAVES)


def nodes(tree: ast.AST, *, types: bool) -> Iterator[ast.AST]:
    """All nodes below one; without `types`, what only type checkers see is left out."""
    for node in ast.iter_child_nodes(tree):
        if not types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from nodes(node, types=types)


def imports(file: Path, *, types: bool = True) -> Iterator[tuple[int, str]]:
    """Line and name, from the package's root, of every module or object of ours a file imports."""
    for node in nodes(ast.parse(file.read_text(encoding="utf-8")), types=types):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith(f"{PACKAGE}."):
                yield node.lineno, name.removeprefix(f"{PACKAGE}.")


def ours() -> Iterator[tuple[Path, str]]:
    """Files of all rooms with their modules' names; the front door knows everybody."""
    for file in sorted(ROOT.glob("*.py")):
        if file.name not in ("__init__.py", "setup.py"):
            yield file, file.stem
    for folder in ("compiler", "dialects", "isa_sim", "runtime", "tools"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            yield file, name.removesuffix(".__init__")


def test_every_room_imports_only_what_it_may():
    wrong: list[str] = []
    unused = set(EXCEPTIONS)
    for file, module in ours():
        for line, name in imports(file):
            if room(name) in MAY_IMPORT[room(module)] | {room(module)}:
                continue
            allowed = {
                e for e in EXCEPTIONS if e[0] == module and f"{name}.".startswith(f"{e[1]}.")
            }
            unused -= allowed
            if not allowed:
                place = f"{file.relative_to(ROOT)}:{line}"
                wrong.append(f"{place}: {room(module)} imports {name} of {room(name)}")
    assert not wrong, "\n".join(wrong)
    assert not unused, f"exceptions that nobody needs any more: {sorted(unused)}"


def circle(graph: dict[str, set[str]]) -> tuple[str, ...]:
    """The first circle of a graph, its first node again at the end; empty if there is none."""
    done: set[str] = set()

    def search(node: str, path: tuple[str, ...]) -> tuple[str, ...]:
        if node in path:
            return (*path[path.index(node) :], node)
        if node in done:
            return ()
        for other in sorted(graph[node]):
            if found := search(other, (*path, node)):
                return found
        done.add(node)
        return ()

    return next((found for node in sorted(graph) if (found := search(node, ()))), ())


def test_no_modules_import_each_other_in_a_circle():
    files = {module: file for file, module in ours()}
    graph = {
        module: {
            name if name in files else name.rpartition(".")[0]
            for _, name in imports(file, types=False)
        }
        & files.keys()
        for module, file in files.items()
    }
    for importer, imported in EXCEPTIONS:
        graph[importer].discard(imported)
    assert not circle(graph), " imports ".join(circle(graph))


def test_a_circle_is_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ("b", "c", "b")
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == ()


def test_no_two_classes_share_a_name():
    """Operations of different dialects may, as in xDSL; so may what a module keeps to itself."""
    where: defaultdict[str, list[str]] = defaultdict(list)
    for file, module in ours():
        if module.startswith("dialects."):
            continue
        for statement in ast.parse(file.read_text()).body:
            if isinstance(statement, ast.ClassDef) and not statement.name.startswith("_"):
                where[statement.name].append(module)
    assert {name: found for name, found in where.items() if len(found) > 1} == {}

"""Who may import whom: the rooms of the house, and no circles between modules.

Imports inside functions count (they are there for speed, not to hide a dependency); those for type
checkers only do not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "softex_mlir"

LEAVES = ("abi", "arithmetic", "errors", "files")
"""Modules at the root that any room may import."""
GROUND = tuple(
    f"isa_sim.{name}"
    for name in ("isa", "jit", "machine", "machine_limits", "machines", "numerics", "units")
)
"""What the hardware is."""
ALLOWED: dict[str, tuple[str, ...]] = {
    "abi": (),
    "arithmetic": (),
    "errors": (),
    "files": ("errors",),
    "ground": (*LEAVES, *GROUND),
    "isa_sim": (*LEAVES, "isa_sim"),
    "dialects": (*LEAVES, *GROUND, "dialects"),
    "compiler": (*LEAVES, *GROUND, "dialects", "compiler"),
    "runtime": (
        *(*LEAVES, "isa_sim", "dialects", "runtime"),
        # the front door, and what the evaluator shares with it
        *("compiler.driver", "compiler.model", "compiler.models", "compiler.loop_nest"),
        *("compiler.bodies.expand_math", "compiler.weight_layout"),
    ),
    "tools": (*LEAVES, "isa_sim", "dialects", "compiler", "runtime", "tools", ""),
    "": ("compiler.driver", "runtime"),
}
"""What each room may import; `ground` is the part of `isa_sim` that everybody may."""
EXCEPTIONS = {("compiler.driver", "runtime.program")}
"""The front door hands out programs, ready to run."""


def _modules() -> dict[str, Path]:
    files = [*ROOT.glob("*.py")]
    for room in ("compiler", "dialects", "isa_sim", "runtime", "tools"):
        files += (ROOT / room).rglob("*.py")
    dotted = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files}
    modules = {name.removesuffix("__init__").rstrip("."): path for name, path in dotted.items()}
    modules.pop("setup", None)
    return modules


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, "imports are absolute"
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            assert not any(alias.name.startswith(PACKAGE) for alias in node.names)
        else:
            yield from _imports(node)


def _graph() -> dict[str, set[str]]:
    """Imported modules by module, both without the name of the package."""
    modules = _modules()
    graph: dict[str, set[str]] = {}
    for name, path in modules.items():
        found = graph.setdefault(name, set())
        for source, imported in _imports(ast.parse(path.read_text(encoding="utf-8"))):
            if source.partition(".")[0] != PACKAGE:
                continue
            source = source.removeprefix(PACKAGE).lstrip(".")
            inner = f"{source}.{imported}".lstrip(".")
            found.add(inner if inner in modules else source)
    return graph


def _within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or (room and module.startswith(f"{room}.")) for room in rooms)


def _room(module: str) -> str:
    return "ground" if _within(module, GROUND) else module.partition(".")[0]


def test_rooms_import_what_they_may() -> None:
    broken = [
        f"{module} imports {other}"
        for module, imported in sorted(_graph().items())
        for other in sorted(imported)
        if not _within(other, ALLOWED[_room(module)]) and (module, other) not in EXCEPTIONS
    ]
    assert not broken


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        module: {other for other in imported if (module, other) not in EXCEPTIONS}
        for module, imported in _graph().items()
    }
    done: set[str] = set()

    def circle(module: str, path: tuple[str, ...]) -> tuple[str, ...]:
        if module in path:
            return (*path[path.index(module) :], module)
        if module in done:
            return ()
        for other in sorted(graph.get(module, ())):
            if found := circle(other, (*path, module)):
                return found
        done.add(module)
        return ()

    for module in sorted(graph):
        assert not circle(module, ())

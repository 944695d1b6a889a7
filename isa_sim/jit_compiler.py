"""From a Python function to machine code, by numba.

numba's own callable of a compiled function converts arguments with code of its own, which takes as
long to compile as many a function; here :mod:`.machine_code` does that.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm  # pyright: ignore[reportMissingTypeStubs]
import numba
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba import extending
from numba.core import config, errors, event, registry, serialize, types
from numba.core.caching import UserProvidedCacheLocator

from softex_mlir.isa_sim.code_cache import CheckedFiles
from softex_mlir.isa_sim.machine_code import MachineCode

_config: Any = config
_registry: Any = registry
_numba: Any = numba
_extending: Any = extending
_event: Any = event
_types: Any = types
_serialize: Any = serialize
_llvm: Any = llvm
_WORD: Any = ir.IntType(64)
_BYTE: Any = ir.IntType(8)
_STATUS: Any = ir.IntType(32)
_ROOT = Path(__file__).resolve().parent.parent
_FINE = (0, -2)
"""numba's statuses of functions that returned, a value or None."""


class SourceLocator(UserProvidedCacheLocator):
    """Finds compiled code by a file's place in the package, wherever that lies."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """The folder of a source file's compiled code in the cache."""
        folder = Path(py_file).resolve().parent
        if folder.is_relative_to(_ROOT):
            return str(folder.relative_to(_ROOT))
        return hashlib.sha256(bytes(folder)).hexdigest()[:16]


def dispatcher_of(function: Callable[..., Any], options: dict[str, Any], folder: str | None) -> Any:
    """numba's dispatcher of a function, for compiled callers; its cache in a folder, if any.

    It has one version for all constant arguments, and none of the wrappers that calls from Python
    need.
    """
    options = {**options, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    if folder is None:
        options["cache"] = False
    previous = _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES
    # numba reads these when it decorates.
    if folder is not None:
        _config.CACHE_DIR = folder
        _config.CACHE_LOCATOR_CLASSES = f"{__name__}.{SourceLocator.__name__}"
    try:
        dispatcher: Any = _numba.njit(**options)(function)
    finally:
        _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES = previous
    _check_files(dispatcher)
    plain_template = dispatcher.get_call_template

    def get_call_template(args: Any, kws: Any) -> Any:
        plain = {name: _types.unliteral(kind) for name, kind in kws.items()}
        return plain_template(tuple(_types.unliteral(kind) for kind in args), plain)

    dispatcher.get_call_template = get_call_template
    return dispatcher


def _check_files(dispatcher: Any) -> None:
    """Let a dispatcher that keeps compiled code keep checked files."""
    cache = dispatcher._cache
    if getattr(cache, "_cache_file", None) is not None:
        implementation = cache._impl
        stamp = implementation.locator.get_source_stamp()
        folder, name = Path(cache.cache_path), implementation.filename_base
        cache._cache_file = CheckedFiles(folder, name, stamp, _serialize.dumps)


def machine_code(dispatcher: Any, arguments: Sequence[Any]) -> MachineCode:
    """The machine code of a dispatcher's function for arguments, compiled or from numba's files.

    Raises:
        numba.core.errors.NumbaError: numba cannot compile it, or it returns what no word holds.
    """
    kinds = _kinds(arguments)
    dispatcher.compile(kinds)
    return _exported(dispatcher.overloads[kinds], _entry_module)


def compile_parts(
    whole: Any,
    here: Sequence[tuple[Any, Sequence[Any]]],
    there: Sequence[tuple[Any, Sequence[Any]]],
    root: Path,
) -> None:
    """Compile what a function calls, into numba's files below a folder, with two host cores.

    Args:
        whole: the function.
        here: functions and arguments that this process compiles.
        there: those that another process compiles in the meantime. What it fails to is compiled
            with the function.
        root: the folder.
    """
    command = "from softex_mlir.isa_sim.jit_compiler import compile_given; compile_given()"
    environment = {
        **os.environ, "NUMBA_CACHE_DIR": str(root), "PYTHONPATH": os.pathsep.join(sys.path)
    }  # fmt: skip
    tasks = [(one.__module__, one.__qualname__, _kinds(arguments)) for one, arguments in there]
    # The event is for those who measure what compiling takes.
    data = {"dispatcher": whole.numba_dispatcher(), "args": ()}
    with (
        _event.trigger_event("numba:compile", data=data),
        subprocess.Popen(
            [sys.executable, "-c", command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as other,
    ):
        assert other.stdin is not None
        with suppress(BrokenPipeError), other.stdin as pipe:
            pipe.write(_serialize.dumps(tasks))
        try:
            for function, arguments in here:
                function.numba_dispatcher().compile(_kinds(arguments))
        except BaseException:
            other.kill()
            raise


def compile_given() -> None:
    """Compile what standard input names: the other process of :func:`compile_parts`."""
    for module, name, kinds in _serialize.loads(sys.stdin.buffer.read()):
        getattr(importlib.import_module(module), name).numba_dispatcher().compile(kinds)


def pointer_code(dispatcher: Any, kinds: str) -> MachineCode:
    """The machine code of a dispatcher's function that C calls with int64 and arrays of int64, and
    that returns an int64; 0 if it raises."""
    pointer = _types.CPointer(_types.int64)
    arguments = tuple(pointer if kind == "p" else _types.int64 for kind in kinds)
    dispatcher.compile(arguments)
    return _exported(dispatcher.overloads[arguments], _pointer_module)


def intrinsic_type(builder: Callable[..., Any]) -> Any:
    """numba's type of an intrinsic."""
    made = _extending.intrinsic(builder)
    typing = _registry.cpu_target.typing_context
    typing.refresh()
    return typing.resolve_value_type(made)


def _kinds(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """numba's types of arguments."""
    return tuple(_numba.typeof(_plain(value)) for value in arguments)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _exported(result: Any, make_entry: Callable[..., Any]) -> MachineCode:
    """numba's result of a compilation as object files; `make_entry` makes the entry's module."""
    library, symbol = result.library, result.fndesc.llvm_func_name
    machine = library.codegen._tm
    module = library._get_module_for_linking()
    own = library._compiled_object or machine.emit_object(module)
    values = [*module.functions, *module.global_variables]
    missing = sorted(
        value.name
        for value in values
        if value.is_declaration and not value.name.startswith("llvm.")
    )
    letters, several = _result_letters(result.signature.return_type)
    entry = make_entry(result, symbol, letters, several)
    parsed = _llvm.parse_assembly(str(entry))
    parsed.verify()
    return MachineCode(
        (bytes(own), machine.emit_object(parsed)), _entry_name(symbol), tuple(missing), letters,
        several,
    )  # fmt: skip


def _entry_name(symbol: str) -> str:
    return f"softex_{hashlib.sha256(symbol.encode()).hexdigest()[:24]}"


def _result_letters(kind: Any) -> tuple[str, bool]:
    """How results are to be read out of their words, and whether they are a tuple."""
    if kind == _types.none:
        return "", False
    if isinstance(kind, _types.BaseTuple):
        return "".join(_result_letters(item)[0] for item in kind), True
    if kind == _types.boolean:
        return "b", False
    if isinstance(kind, _types.Float):
        return "f", False
    if isinstance(kind, _types.Integer):
        return ("i" if kind.signed else "u"), False
    raise errors.TypingError(f"functions called from Python return no {kind}")


def _entry_module(result: Any, symbol: str, letters: str, several: bool) -> Any:
    """A module with the function that takes words."""
    module, callee = _caller_module(result, symbol)
    kind = callee.function_type
    entry: Any = ir.Function(
        module, ir.FunctionType(_STATUS, [_WORD.as_pointer()]), _entry_name(symbol)
    )
    words = entry.args[0]
    builder: Any = ir.IRBuilder(entry.append_basic_block())
    place = builder.alloca(kind.args[0].pointee)
    information = builder.alloca(kind.args[1].pointee)

    def word(number: int) -> Any:
        return builder.gep(words, [ir.Constant(_WORD, number)])

    given = [_argument(builder, builder.load(word(at)), to) for at, to in enumerate(kind.args[2:])]
    status = builder.call(callee, [place, information, *given])
    first = len(given)
    fine: Any = ir.Constant(ir.IntType(1), 0)
    for code in _FINE:
        fine = builder.or_(fine, builder.icmp_signed("==", status, ir.Constant(_STATUS, code)))
    with builder.if_else(fine) as (returned, raised):
        with returned:
            value = builder.load(place) if letters else None
            for number, letter in enumerate(letters):
                one = builder.extract_value(value, number) if several else value
                builder.store(_as_word(builder, one, letter), word(first + number))
        with raised:
            address = builder.ptrtoint(builder.load(information), _WORD)
            builder.store(address, word(first))
    builder.ret(builder.select(fine, ir.Constant(_STATUS, 0), ir.Constant(_STATUS, 1)))
    return module


def _pointer_module(result: Any, symbol: str, letters: str, several: bool) -> Any:
    """A module with the function that C calls."""
    assert (letters, several) == ("i", False)
    module, callee = _caller_module(result, symbol)
    kind = callee.function_type
    entry: Any = ir.Function(module, ir.FunctionType(_WORD, kind.args[2:]), _entry_name(symbol))
    builder: Any = ir.IRBuilder(entry.append_basic_block())
    place, information = (builder.alloca(one.pointee) for one in kind.args[:2])
    builder.store(ir.Constant(_WORD, 0), place)
    builder.call(callee, [place, information, *entry.args])
    builder.ret(builder.load(place))
    return module


def _caller_module(result: Any, symbol: str) -> tuple[Any, Any]:
    """A module that knows a compiled function, and that function."""
    context, description = result.target_context, result.fndesc
    kind = context.call_conv.get_function_type(description.restype, description.argtypes)
    module: Any = ir.Module(name="entry")
    module.triple = _llvm.get_default_triple()
    module.data_layout = str(result.library.codegen._data_layout)
    return module, ir.Function(module, kind, symbol)


def _argument(builder: Any, word: Any, kind: Any) -> Any:
    """An argument out of its word."""
    if isinstance(kind, ir.PointerType):
        return builder.inttoptr(word, kind)
    if isinstance(kind, ir.DoubleType):
        return builder.bitcast(word, kind)
    if isinstance(kind, ir.FloatType):
        return builder.bitcast(builder.trunc(word, _STATUS), kind)
    return word if kind == _WORD else builder.trunc(word, kind)


def _as_word(builder: Any, value: Any, letter: str) -> Any:
    if letter == "f":
        if isinstance(value.type, ir.FloatType):
            value = builder.fpext(value, ir.DoubleType())
        return builder.bitcast(value, _WORD)
    if value.type == _WORD:
        return value
    return builder.sext(value, _WORD) if letter == "i" else builder.zext(value, _WORD)

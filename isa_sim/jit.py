"""Compiled functions of the simulator, kept between runs.

Use `from softex_mlir.isa_sim.jit import njit` and decorate with `@njit(cache=True)`. What a call
from Python runs is machine code (`machine_code`) that numba makes where none is kept
(`jit_compiler`): numba, which takes a third of a second to get ready, is imported then only.

numba keys a cached function on its own file only: a caller that inlined a function of another
file keeps running the old code. Here the cache directory carries a hash of the files of
`isa_sim` that hold compiled code or constants of the units: an edit of one starts a new
directory. The core's interpreter, which depends on its own files only and takes longest to
compile, has a directory of its own. Where the files lie does not matter: checkouts and
installations of the same source share compiled code.

Functions that others than their callers choose (what units give the contention model) are called
through their address: `pointer_function` makes one, `call_pointer` calls it.
"""

import functools
import hashlib
import importlib
import os
import shutil
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from softex_mlir.isa_sim.code_cache import CheckedFiles, cache_root
from softex_mlir.isa_sim.machine_code import Entry, MachineCode, describe, toolchain

_KEPT_SECONDS = 24 * 3600
_HERE = Path(__file__).resolve()
_CORE = (_HERE.parent / "core", _HERE.parent / "isa")
"""The folders the interpreter is compiled from."""
_COMPILERS = tuple(_HERE.parent / f"{name}.py" for name in ("jit", "jit_compiler", "intrinsics"))
_SHARED = (_HERE.parent.parent / "abi.py",)
_CONSTANTS = ("devices/state.py", "race/state.py")
"""What compiled code takes its columns from."""


def _is_core(path: Path) -> bool:
    resolved = path.resolve()
    return resolved in _COMPILERS or resolved.parent in _CORE


@functools.cache
def _settings() -> tuple[tuple[str, str], ...]:
    """numba's settings, which are part of what is compiled."""
    chosen = {name: value for name, value in os.environ.items() if name.startswith("NUMBA_")}
    chosen.pop("NUMBA_CACHE_DIR", None)
    return tuple(sorted(chosen.items()))


def _source_hash(core_only: bool) -> str:
    digest = hashlib.sha256(repr((toolchain(), _settings())).encode())
    for path in (*sorted(_HERE.parent.rglob("*.py")), *_SHARED):
        if core_only and not _is_core(path):
            continue
        text = path.read_bytes()
        # Compiled code comes from these files and takes constants from the units' maps.
        constants = path.parent.name == "units" or path in _SHARED
        constants = constants or path.as_posix().endswith(_CONSTANTS)
        if b"njit" in text or constants or _is_core(path):
            digest.update(text)
    return digest.hexdigest()[:16]


def _cache_directory(kind: str, root: Path) -> str:
    directory = root / f"{kind}-{_source_hash(kind == 'core')}"
    directory.mkdir(parents=True, exist_ok=True)
    os.utime(directory)
    # Old versions' code is of no use any more; one used lately may be another process' own.
    for path in root.glob(f"{kind}-*"):
        if path.stat().st_mtime < time.time() - _KEPT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
    return str(directory)


def _cache_directories() -> dict[bool, str]:
    """By whether a function belongs to the interpreter; none if nothing can be kept."""
    root = cache_root()
    if root is None:
        return {}
    try:
        return {True: _cache_directory("core", root), False: _cache_directory("jit", root)}
    except OSError:
        return {}


_directories = _cache_directories()
_compiling = threading.RLock()


def compiled_before(*, core_only: bool = False) -> bool:
    """Whether the cache holds code of this version of the simulator, or of its cores alone."""
    kinds = (True,) if core_only else (True, False)
    folders = [Path(_directories[kind]) for kind in kinds if kind in _directories]
    return bool(folders) and all(any(folder.rglob("*.nbc")) for folder in folders)


Parts = Callable[..., tuple[list[tuple[Any, tuple[Any, ...]]], list[tuple[Any, tuple[Any, ...]]]]]


class CompiledFunction:
    """A function that is compiled for every kind of arguments it is called with.

    Args:
        function: the function; its name and text say what is kept.
        options: numba's.
        parts: for its arguments, two lists of functions that it calls, with their arguments: what
            this process compiles first, and what another one compiles in the meantime.
    """

    def __init__(
        self, function: Callable[..., Any], options: dict[str, Any], parts: Parts | None = None
    ):
        functools.update_wrapper(self, function)
        self.py_func = function
        self._options = options
        self._parts = parts
        self._nogil = bool(options.get("nogil"))
        self._is_core = _is_core(Path(function.__code__.co_filename).resolve())
        self._entries: dict[tuple[Any, ...], Entry] = {}
        self._dispatcher: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Run the compiled function."""
        kinds: list[Any] = []
        words: list[int] = []
        for argument in arguments:
            describe(argument, kinds, words)
        return self.entry(tuple(kinds), arguments)(words)

    def bind(self, *arguments: Any) -> "BoundFunction":
        """This function with its first arguments, as `functools.partial`, but that they are looked
        at only once: a call with many arrays takes longer than many a function."""
        return BoundFunction(self, arguments)

    def entry(self, kinds: tuple[Any, ...], arguments: tuple[Any, ...]) -> Entry:
        """The machine code for arguments of these kinds, loaded."""
        entry = self._entries.get(kinds)
        if entry is None:
            with _compiling:
                entry = Entry(self._code(kinds, arguments), nogil=self._nogil)
            self._entries[kinds] = entry
        return entry

    def _code(self, kinds: tuple[Any, ...], arguments: tuple[Any, ...]) -> MachineCode:
        """The machine code for arguments, kept or made."""

        def make() -> MachineCode:
            if self._parts is not None and (folder := _directories.get(False)) is not None:
                here, there = self._parts(*arguments)
                _compiler().compile_parts(self, here, there, Path(folder).parent)
            return _compiler().machine_code(self.numba_dispatcher(), arguments)

        return _kept_or_made(self.py_func, kinds, make)

    def numba_dispatcher(self) -> Any:
        """numba's dispatcher, through which compiled functions call this one."""
        with _compiling:
            if self._dispatcher is None:
                folder = _directories.get(self._is_core)
                self._dispatcher = _compiler().dispatcher_of(self.py_func, self._options, folder)
            return self._dispatcher

    @property
    def _numba_type_(self) -> Any:
        """What numba asks of what compiled code calls."""
        return self.numba_dispatcher()._numba_type_


class BoundFunction:
    """A compiled function and its first arguments, which stay where they are.

    Args:
        function: the function.
        arguments: the first ones; arrays must not be resized.
    """

    def __init__(self, function: CompiledFunction, arguments: tuple[Any, ...]):
        self._function = function
        self._arguments = arguments
        self._kinds: list[Any] = []
        words: list[int] = []
        for argument in arguments:
            describe(argument, self._kinds, words)
        self._first = array("q", words)
        self._ready: dict[tuple[Any, ...], tuple[Entry, array[int]]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Run the function with the arguments that are left."""
        kinds: list[Any] = []
        words: list[int] = []
        for argument in arguments:
            describe(argument, kinds, words)
        key = tuple(kinds)
        ready = self._ready.get(key)
        if ready is None:
            entry = self._function.entry((*self._kinds, *key), (*self._arguments, *arguments))
            ready = entry, array("q", [*self._first, *words, *entry.room])
            self._ready[key] = ready
        entry, buffer = ready
        if words:
            first = len(self._first)
            buffer[first : first + len(words)] = array("q", words)
        return entry.run(buffer)


def _compiler() -> Any:
    """The compiler, which few runs need."""
    return importlib.import_module("softex_mlir.isa_sim.jit_compiler")


def _kept_or_made(
    function: Callable[..., Any], key: Any, make: Callable[[], MachineCode]
) -> MachineCode:
    """A function's machine code from the cache, or what `make` makes of it, which is kept."""
    path = function.__code__.co_filename
    folder = _directories.get(_is_core(Path(path)))
    if folder is None or function.__closure__:
        return make()
    name = f"{function.__module__}.{function.__qualname__}-{function.__code__.co_firstlineno}"
    files = CheckedFiles(Path(folder), name, _text_hash(path))
    found = files.load(key)
    if found is not None:
        return MachineCode(*found)
    code = make()
    files.save(key, tuple(code))
    return code


@functools.cache
def _text_hash(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def njit(*args: Any, makes_arrays: bool = False, parts: Parts | None = None, **options: Any) -> Any:
    """A :class:`CompiledFunction`, with its `parts` and numba's options.

    It counts no references to arrays, atomic operations at every view that cost the simulator a
    quarter of its time: it lives on its caller's arrays, unless it says that it makes some
    (`makes_arrays`), or calls what makes one. numba refuses to compile one that should have said
    so.
    """
    if args:
        return njit(makes_arrays=makes_arrays, **options)(args[0])
    options["_nrt"] = makes_arrays
    return functools.partial(CompiledFunction, options=options, parts=parts)


class Intrinsic:
    """What numba makes of a builder of LLVM's instructions, made when it is asked for."""

    def __init__(self, builder: Callable[..., Any]):
        self.__doc__ = builder.__doc__
        self._builder = builder
        self._made: Any = None

    @property
    def _numba_type_(self) -> Any:
        with _compiling:
            if self._made is None:
                self._made = _compiler().intrinsic_type(self._builder)
            return self._made


intrinsic: Any = Intrinsic
"""The decorator, of any type: a type checker cannot know what numba makes of a function."""


class LateModule:
    """A module that is imported when something of it is used."""

    def __init__(self, name: str):
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


numba: Any = LateModule("numba")
ir: Any = LateModule("llvmlite.ir")


_pointed_at: list[Entry] = []
"""Machine code that nobody but an address refers to."""


def pointer_function(kinds: str, function: Callable[..., Any]) -> int:
    """The host address of a function, compiled at once (or from the cache), that returns an int64.

    Args:
        kinds: of the arguments: "p" is an array of int64, "i" an int64.
        function: the function.
    """

    def make() -> MachineCode:
        options = {"cache": True, "_nrt": False}
        folder = _directories.get(_is_core(Path(function.__code__.co_filename)))
        dispatcher = _compiler().dispatcher_of(function, options, folder)
        return _compiler().pointer_code(dispatcher, kinds)

    with _compiling:
        entry = Entry(_kept_or_made(function, kinds, make), nogil=True)
    _pointed_at.append(entry)
    return entry.address


@intrinsic
def call_pointer(
    _typing: Any, address: Any, a: Any, a_row: Any, b: Any, b_row: Any, number: Any, c: Any,
    c_row: Any,
) -> Any:  # fmt: skip
    """Call the int64 function at a host address with rows of two int64 arrays, a number and a row
    of one more. No views of the rows are made: it takes longer than the call.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word, byte = ir.IntType(64), ir.IntType(8)
        words = word.as_pointer()

        def row_of(index: int) -> Any:
            array = context.make_array(signature.args[index])(context, builder, args[index])
            pitch = builder.extract_value(array.strides, 0)
            start = builder.bitcast(array.data, byte.as_pointer())
            start = builder.gep(start, [builder.mul(args[index + 1], pitch)])
            return builder.bitcast(start, words)

        given = [row_of(1), row_of(3), args[5], row_of(6)]
        kind = ir.FunctionType(word, [words, words, word, words])
        return builder.call(builder.inttoptr(args[0], kind.as_pointer()), given)

    number_type = numba.int64
    return number_type(
        number_type, a, number_type, b, number_type, number_type, c, number_type
    ), code

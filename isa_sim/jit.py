"""numba's `njit` with a disk cache that notices a change in any file of the simulator.

numba keys a cached function on its own file only: a caller that inlined a function of another
file keeps running the old code. Here the cache directory carries a hash of the files of
`isa_sim` that hold compiled code or constants of the units: an edit of one starts a new
directory. The core's interpreter, which depends on its own files only and takes longest to
compile, has a directory of its own. Where the files lie does not matter: checkouts and
installations of the same source share compiled code. Use
`from softex_mlir.isa_sim.jit import njit` and decorate with `@njit(cache=True)`.

Functions that others than their callers choose (what units give the contention model) are called
through their address: `pointer_function` makes one, `call_pointer` calls it.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba import prange
from numba.core import ccallback, config, sigutils, types
from numba.core.caching import UserProvidedCacheLocator
from numba.extending import intrinsic

from softex_mlir.isa_sim.code_cache import cache_root, check_files

_config: Any = config
_types: Any = types
_intrinsic: Any = intrinsic
_CFunc: Any = ccallback.CFunc
_sigutils: Any = sigutils
numba_types: Any = types
__all__ = ["call_pointer", "njit", "numba_types", "pointer_function", "prange"]

_KEPT_SECONDS = 24 * 3600
_HERE = Path(__file__).resolve()
_CORE = (_HERE.parent / "core", _HERE.parent / "isa")
"""The folders the interpreter is compiled from."""
_SHARED = (_HERE.parent.parent / "abi.py",)
_CONSTANTS = ("devices/state.py", "race/state.py")
"""What compiled code takes its columns from."""


def _is_core(path: Path) -> bool:
    resolved = path.resolve()
    return resolved == _HERE or resolved.parent in _CORE


def _source_hash(core_only: bool) -> str:
    digest = hashlib.sha256(numba.__version__.encode())
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


def compiled_before(*, core_only: bool = False) -> bool:
    """Whether the cache holds code of this version of the simulator, or of its cores alone."""
    kinds = (True,) if core_only else (True, False)
    folders = [Path(_directories[kind]) for kind in kinds if kind in _directories]
    return bool(folders) and all(any(folder.rglob("*.nbc")) for folder in folders)


class SourceLocator(UserProvidedCacheLocator):
    """Finds compiled code by a file's place in `isa_sim`, wherever that lies."""

    @classmethod
    def get_suitable_cache_subpath(cls, py_file: str) -> str:
        """The folder of a source file's compiled code in the cache."""
        folder = Path(py_file).resolve().parent
        if folder.is_relative_to(_HERE.parent):
            return str(folder.relative_to(_HERE.parent))
        return hashlib.sha256(bytes(folder)).hexdigest()[:16]


def njit(*args: Any, makes_arrays: bool = False, **options: Any) -> Any:
    """`numba.njit`, caching in the directory of the function's file, made quick to compile.

    A function has one version for all constant arguments, and a second dispatcher that serves
    compiled callers: without the wrappers that calls from Python need, which take longer to
    compile than many a function. Nor does it count references to arrays, atomic operations at every
    view that cost the simulator a quarter of its time: it lives on its caller's arrays, unless it
    says that it makes some (`makes_arrays`), or calls what returns one. numba refuses to compile
    one that should have said so.
    """
    if args:
        return njit(makes_arrays=makes_arrays, **options)(args[0])
    options["_nrt"] = makes_arrays

    def decorate(function: Any) -> Any:
        is_core = _is_core(Path(function.__code__.co_filename).resolve())
        dispatcher = _dispatcher(function, is_core, "", options)
        bare = {**options, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        inner = _dispatcher(function, is_core, "inner", bare)

        def get_call_template(args: Any, kws: Any) -> Any:
            plain = {name: _types.unliteral(kind) for name, kind in kws.items()}
            return inner.get_call_template(tuple(_types.unliteral(kind) for kind in args), plain)

        dispatcher.get_call_template = get_call_template
        dispatcher.get_overload = inner.get_overload
        return dispatcher

    return decorate


def _dispatcher(function: Any, is_core: bool, part: str, options: dict[str, Any]) -> Any:
    """numba's dispatcher of a function, with its cache in a part of a directory."""
    if not _directories:
        options = {**options, "cache": False}
    return _in_directory(is_core, part, numba.njit(**options), function)


def _in_directory(is_core: bool, part: str, decorator: Any, function: Any) -> Any:
    """A decorated function with its cache in a part of a directory, if there is one."""
    if not _directories:
        return decorator(function)
    previous = _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES
    # numba reads these when it decorates.
    _config.CACHE_DIR = os.path.join(_directories[is_core], part)
    _config.CACHE_LOCATOR_CLASSES = f"{__name__}.{SourceLocator.__name__}"
    try:
        compiled = decorator(function)
    finally:
        _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES = previous
    check_files(compiled)
    return compiled


_kept: list[Any] = []
"""Compiled functions that nobody but an address refers to."""


def pointer_function(signature: Any, function: Callable[..., Any]) -> int:
    """The host address of a function, compiled at once (or from the cache) for a signature."""

    def callback(python: Any) -> Any:
        made = _CFunc(python, _sigutils.normalize_signature(signature), locals={}, options={})
        if _directories:
            made.enable_caching()
        return made

    compiled = _in_directory(False, "pointers", callback, function)
    compiled.compile()
    _kept.append(compiled)
    return compiled.address


@_intrinsic
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

    number_type = _types.int64
    return number_type(
        number_type, a, number_type, b, number_type, number_type, c, number_type
    ), code

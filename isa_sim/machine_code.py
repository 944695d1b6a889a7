"""Machine code that was compiled before, executed without the compiler.

What numba made of a function is an object file, and beside it a few instructions that take the
arguments out of one array of 64-bit words (:func:`describe` puts them there). LLVM's loader is
enough to call it: a run whose code is kept imports no numba, which takes longer than many a run.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import struct
from array import array
from contextlib import suppress
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

Kinds = list[Any]
"""What the arguments are, flat: two calls with equal kinds run the same code."""

_LAYOUT_C, _LAYOUT_F, _LAYOUT_FLAGS = 1, 2, 0x503
_WORD = struct.Struct("q")
_DOUBLE = struct.Struct("d")
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_MASK = (1 << 64) - 1
_OF_ARRAYS = "NRT_"
"""What symbols begin with that make arrays."""


class MachineCode(NamedTuple):
    """A function's machine code for one kind of arguments.

    Args:
        objects: object files, which call each other.
        entry: symbol of the function that takes the words, and returns 0 if all went well.
        needs: symbols that somebody else defines.
        results: one letter a result (signed "i", unsigned "u", "b", "f"), in the order of their
            words, which lie behind the arguments'.
        several: whether the results are a tuple; none and not several is None.
    """

    objects: tuple[bytes, ...]
    entry: str
    needs: tuple[str, ...]
    results: str
    several: bool


def describe(value: Any, kinds: Kinds, words: list[int]) -> None:
    """Append the kind of an argument and the words it is passed in.

    Raises:
        TypeError: it is nothing that compiled code takes.
    """
    if value is None:
        kinds.append(None)
        words.append(0)
    elif isinstance(value, np.ndarray):
        values = cast(np.ndarray[Any, Any], value)
        flags = values.flags.num & _LAYOUT_FLAGS
        if flags & _LAYOUT_C:
            flags &= ~_LAYOUT_F
        kinds += (values.dtype.str, values.ndim, flags)
        words += (0, 0, values.size, values.itemsize, values.ctypes.data)
        words += values.shape
        words += values.strides
    elif isinstance(value, tuple):
        items = cast(tuple[Any, ...], value)
        kinds += (type(items).__qualname__, len(items))
        for item in items:
            describe(item, kinds, words)
    elif isinstance(value, (bool, np.bool_)):
        kinds.append("bool")
        words.append(1 if value else 0)
    elif isinstance(value, np.generic):
        kinds.append(cast(Any, value).dtype.str)
        words.append(int.from_bytes(value.tobytes().ljust(8, b"\0"), "little", signed=True))
    elif isinstance(value, int):
        kinds.append("int" if _LEAST <= value <= _MOST else "unsigned")
        words.append((value + _LEAST & _MASK) + _LEAST)
    elif isinstance(value, float):
        kinds.append("float")
        words.append(_WORD.unpack(_DOUBLE.pack(value))[0])
    else:
        raise TypeError(f"compiled code takes no {type(value).__name__}")


class Entry:
    """Machine code in memory, ready to be called.

    Raises:
        RuntimeError: it needs what this process does not have.
    """

    def __init__(self, code: MachineCode, *, nogil: bool) -> None:
        llvm = _llvm()
        for symbol in code.needs:
            if not (_is_known(symbol) or _is_helper(symbol)):
                raise RuntimeError(f"machine code needs {symbol}, which this process lacks")
        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        for data in code.objects:
            self._engine.add_object_file(llvm.ObjectFileRef.from_data(data))
        self._engine.finalize_object()
        self.address: int = self._engine.get_function_address(code.entry)
        kind = ctypes.CFUNCTYPE if nogil else ctypes.PYFUNCTYPE
        self._function = kind(ctypes.c_int32, ctypes.c_void_p)(self.address)
        self._letters = code.results
        self._several = code.several

    def __call__(self, words: list[int]) -> Any:
        """Run it once."""
        return self.run(array("q", [*words, *self.room]))

    @property
    def room(self) -> tuple[int, ...]:
        """Words behind the arguments' for the results."""
        return (0,) * max(len(self._letters), 1)

    def run(self, words: array[int]) -> Any:
        """Run it with words, whose last ones are `room`."""
        failed = self._function(words.buffer_info()[0])
        letters = self._letters
        if failed:
            _raise(words[-len(letters) or -1])
        if letters == "i" and not self._several:
            return words[-1]
        if not self._several:
            return _result(letters, words[-1]) if letters else None
        found = words[-len(letters) :]
        return tuple(_result(letter, word) for letter, word in zip(letters, found, strict=True))


def _result(letter: str, word: int) -> int | bool | float:
    if letter == "f":
        return _DOUBLE.unpack(_WORD.pack(word))[0]
    if letter == "u":
        return word & _MASK
    return bool(word) if letter == "b" else word


def _raise(information: int) -> None:
    """Raise what the code raised: numba's description of it lies at an address."""
    serialize = importlib.import_module("numba.core.serialize")
    data, size = struct.unpack("qi", ctypes.string_at(information, 12))
    exception, arguments, _ = serialize.loads(ctypes.string_at(data, size))
    raise exception(*(arguments or ()))


@cache
def _llvm() -> Any:
    """LLVM's loader."""
    llvm = importlib.import_module("llvmlite.binding")
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


@cache
def _libraries() -> tuple[ctypes.CDLL, ...]:
    """C's libraries, as far as they are found by name."""
    found: list[ctypes.CDLL] = []
    for name in (None, "libm.so.6"):
        with suppress(OSError):
            found.append(ctypes.CDLL(name))
    return tuple(found)


def _is_known(symbol: str) -> bool:
    """Whether the loader finds a symbol, or is told where C's libraries have it."""
    if _llvm().address_of_symbol(symbol):
        return True
    for library in _libraries():
        if hasattr(library, symbol):
            address = ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value
            _llvm().add_symbol(symbol, address)
            return True
    return False


def _is_helper(symbol: str) -> bool:
    """Whether numba has a function of that name, which is then known to the loader."""
    if symbol.startswith(_OF_ARRAYS):
        address = _array_functions().get(symbol.removeprefix(_OF_ARRAYS))
        if address:
            _llvm().add_symbol(symbol, address)
        return bool(address)
    registry = importlib.import_module("numba.core.registry")
    assert registry.cpu_target.target_context
    return bool(_llvm().address_of_symbol(symbol))


@cache
def _array_functions() -> dict[str, int]:
    """Addresses of the functions by which compiled code makes arrays: numba's, without numba."""
    (path,) = (_folder("numba") / "core" / "runtime").glob(f"_nrt_python{EXTENSION_SUFFIXES[0]}")
    loader = ExtensionFileLoader("_nrt_python", str(path))
    spec = importlib.util.spec_from_file_location("_nrt_python", path, loader=loader)
    assert spec
    return importlib.util.module_from_spec(spec).c_helpers


@cache
def toolchain() -> str:
    """What compiles and for what processor: machine code of another one is of no use."""
    llvm = _llvm()
    versions = [_version_file(package) for package in ("numba", "llvmlite")]
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    return repr((versions, llvm.get_default_triple(), *processor))


def _version_file(package: str) -> str:
    return (_folder(package) / "_version.py").read_text(encoding="utf-8")


def _folder(package: str) -> Path:
    """Where a package lies, which is not imported."""
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent

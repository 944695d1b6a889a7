"""Files of users: results are written whole or not at all, in JSON and characters that a reader
knows; what is read has an end."""

from __future__ import annotations

import codecs
import errno
import hashlib
import io
import json
import math
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, cast

from softex_mlir.errors import UserError

_DOTTED = re.compile(r"\.[ \t]*[\w\"'-]")
_MOST_PARTS = 100
_MOST_BYTES = 1 << 32
_MOST_STREAMED = 1 << 28
_STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def check_writable(path: Path) -> None:
    """Find out before long work whether its result could be written.

    Raises:
        UserError: `path` is a directory, or its directory does not exist or is not writable.
    """
    folder = path.resolve().parent
    if path.is_dir():
        raise UserError(f"{path}: cannot write: Is a directory")
    if not folder.is_dir():
        raise UserError(f"{path}: cannot write: there is no directory {folder}")
    if not os.access(folder, os.W_OK) and not os.access(path, os.W_OK):
        raise UserError(f"{path}: cannot write: Permission denied")


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[str | Path | None]) -> None:
    """Find out before long work whether all results could be written, each to a file of its own.

    Raises:
        UserError: one cannot be written, or is an input or another one: nothing is overwritten.
    """
    kept = {Path(path).resolve(): path for path in inputs if path is not None}
    written: dict[Path, Path] = {}
    for path in outputs:
        if path is None:
            continue
        check_writable(path)
        found = path.resolve()
        if found.exists() and not found.is_file():
            continue  # a device or a pipe
        if any(found == other or _same_file(found, other) for other in kept):
            raise UserError(f"{path}: is an input; name another file for what is written")
        if found in written:
            raise UserError(f"{path}: is the name of two results; each needs a file of its own")
        written[found] = path


def _same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write `data` to `path` so that a failure leaves nothing half-written behind.

    Raises:
        UserError: the file cannot be written.
    """
    payload = data.encode() if isinstance(data, str) else data
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            path.write_bytes(payload)  # a device or a pipe: there is nothing to keep whole
            return
        # Nothing that stops the process may leave the temporary file behind.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
        try:
            _replace(path.resolve(), payload)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror}") from error


def _replace(path: Path, payload: bytes) -> None:
    # a name of its own: the result's may be as long as names can be
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".softex.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
        # mkstemp makes the file private; a result keeps its mode, or has what the umask says
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def read_bytes(path: Path) -> bytes:
    """The contents of a file.

    Raises:
        OSError: it cannot be read, or does not end: a device, a pipe that somebody goes on writing.
    """
    with path.open("rb") as file:
        most = _MOST_BYTES if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else _MOST_STREAMED
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"longer than {most >> 20:,} MiB")
    return data


def read_text(path: Path) -> str:
    """The contents of a text file.

    Raises:
        OSError: as of `read_bytes`.
        UnicodeDecodeError: it is not UTF-8.
    """
    return io.TextIOWrapper(io.BytesIO(read_bytes(path)), "utf-8").read()


def read_json(path: Path) -> Any:
    """What a JSON file says.

    Raises:
        OSError: as of `read_bytes`.
        ValueError: it is no JSON that can be read.
    """
    try:
        return json.loads(read_text(path))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def toml_table(text: str) -> dict[str, Any]:
    """The table that TOML text is.

    Raises:
        ValueError: it is none, in words.
    """
    # tomllib takes the square of a key's parts, or more: 73 s for 20,000.
    if any(len(_DOTTED.findall(part)) > _MOST_PARTS for part in re.split(r"[=,\n]", text)):
        raise ValueError(f"not TOML that anybody wrote: a key of more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except ValueError as error:  # also of a number of too many digits
        raise ValueError(f"not TOML: {error}") from error
    except RecursionError:
        raise ValueError("not TOML that anybody wrote: nested too deeply") from None


def json_text(data: Any) -> str:
    """JSON, ending in a newline.

    JSON has no NaN and no infinities: they become null, and the key `not_finite` of the whole lists
    where.
    """
    places: list[str] = []
    written = _without_nan(data, "", places)
    if places and isinstance(written, dict):
        written = {**cast("dict[str, Any]", written), "not_finite": places}
    return json.dumps(written, indent=1, allow_nan=False) + "\n"


def _without_nan(value: Any, place: str, places: list[str]) -> Any:
    if isinstance(value, dict):
        found = cast("dict[str, Any]", value)
        before = f"{place}." if place else ""
        return {k: _without_nan(v, f"{before}{k}", places) for k, v in found.items()}
    if isinstance(value, list | tuple):
        items = cast("list[Any]", value)
        return [_without_nan(v, f"{place}[{i}]", places) for i, v in enumerate(items)]
    if isinstance(value, float) and not math.isfinite(value):
        places.append(place)
        return None
    return value


_SPELLED = {"µ": "u", "×": "x", "·": "*", "…": "...", "–": "-", "—": "-", "≤": "<=", "≥": ">="}


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Characters that an output's encoding lacks, in ones that every encoding has."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    plain = (
        _SPELLED.get(c) or _line(c) or c.encode("ascii", "backslashreplace").decode() for c in text
    )
    return "".join(plain), error.end


def _line(character: str) -> str:
    """What tables are drawn with."""
    return "" if not "\u2500" <= character <= "\u257f" else "-|"[character in "│┃║"]


CLOSED_PIPE = 141
"""Exit status when whoever read the output is gone, as of a program that SIGPIPE ends."""


def prepare_streams() -> None:
    """Let standard output and errors take any text, whatever the terminal's encoding is, and also
    where they are closed."""
    codecs.register_error("spell", _spell)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spell")


_STDIN = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


def is_standard_input(path: Path) -> bool:
    """Whether a path names standard input."""
    return str(path) in _STDIN


def keep_piped_input(arguments: Iterable[str]) -> None:
    """Where a command line names standard input as a file and that is a pipe, let it be a file:
    commands look at the beginning of a file, go back in it, and open it again."""
    if not any(argument in _STDIN for argument in arguments):
        return
    try:
        if stat.S_ISREG(os.fstat(0).st_mode) or os.isatty(0):
            return
        with tempfile.TemporaryFile() as kept:
            with open(0, "rb", closefd=False) as piped:
                shutil.copyfileobj(piped, kept)
            kept.seek(0)
            os.dup2(kept.fileno(), 0)
    except OSError as error:
        raise UserError(f"/dev/stdin: cannot read: {error.strerror}") from error


@cache
def code_hash() -> str:
    """Hash of this package's sources: figures of other code are not these."""
    root = Path(__file__).parent
    found = hashlib.sha256()
    for room in ("compiler", "dialects", "isa_sim", "runtime"):
        for file in sorted((root / room).rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()

"""Writing results: whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from softex_mlir.errors import UserError


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
        path = path.resolve()
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(payload)
            # mkstemp makes the file private; a result belongs to whoever the umask says.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror}") from error

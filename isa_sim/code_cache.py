"""Where compiled code is kept between runs, and files that are checked before they are executed.

numba's own files may be cut short, belong to somebody else, or hold another signature's code after
two processes wrote at once: it stops then, at every run, or executes what it finds. Here every
version of a function is a file of its own, named by what it is of, with a digest in front; what
does not fit is compiled again, and what cannot be written is done without.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from softex_mlir.errors import UserError
from softex_mlir.files import write_atomically

_DIGEST = hashlib.sha256


class CheckedFiles:
    """The compiled versions of one function; what numba asks of a cache's files.

    Args:
        folder: where they lie.
        name: beginning of their names.
        stamp: what the source was when they were compiled, and by what.
        dumps: makes bytes of a version, for `pickle` to read.
    """

    def __init__(
        self, folder: Path, name: str, stamp: Any, dumps: Callable[[Any], bytes] = pickle.dumps
    ):
        self._folder, self._name, self._stamp, self._dumps = folder, name, stamp, dumps

    def _path(self, key: Any) -> Path:
        what = repr((self._stamp, key))
        return self._folder / f"{self._name}.{_DIGEST(what.encode()).hexdigest()[:24]}.nbc"

    def save(self, key: Any, data: Any) -> None:
        """Keep a version; nothing happens where there is no room or no right to."""
        content = self._dumps(data)
        try:
            write_atomically(self._path(key), _DIGEST(content).digest() + content)
        except (OSError, UserError):
            return

    def load(self, key: Any) -> Any:
        """A version that was kept, None if there is none or it is damaged."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        size = _DIGEST().digest_size
        if _DIGEST(content[size:]).digest() != content[:size]:
            return None
        return pickle.loads(content[size:])

    def flush(self) -> None:
        """Forget all versions."""
        for path in self._folder.glob(f"{self._name}.*.nbc"):
            path.unlink(missing_ok=True)


def cache_root() -> Path | None:
    """The first folder that is this user's own and can be written; None if there is none.

    In order: ``NUMBA_CACHE_DIR``, the user's cache, a folder for temporary files. Code from a
    folder of somebody else, or that anybody can write, is not executed.
    """
    return next((root for root in _candidates() if _is_own(root)), None)


def _candidates() -> Iterator[Path]:
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(chosen)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    yield Path(home) / "softex-mlir"
    try:
        yield Path(tempfile.gettempdir()) / f"softex-mlir-{os.getuid()}"
        yield Path(tempfile.mkdtemp(prefix="softex-mlir-"))
    except OSError:
        return


def _is_own(root: Path) -> bool:
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = root.stat()
    except OSError:
        return False
    private = state.st_uid == os.getuid() and not state.st_mode & stat.S_IWOTH
    return private and os.access(root, os.W_OK | os.X_OK)

"""numba's `njit` with a disk cache that notices a change in any file of the simulator.

numba keys a cached function on its own file only: a caller that inlined a function of another
file keeps running the old code. Here the cache directory carries a hash of the files of
`isa_sim` that hold compiled code or constants of the units: an edit of one starts a new
directory. Use `from softex_mlir.isa_sim.jit import njit` and decorate with `@njit(cache=True)`.
"""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import numba
from numba import njit, prange

__all__ = ["njit", "prange"]

_KEPT = 4


def _source_hash() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        text = path.read_bytes()
        # Compiled code comes from these files and takes constants from the units' maps.
        if b"njit" in text or path.parent.name == "units":
            digest.update(text)
    return digest.hexdigest()[:16]


def _cache_root() -> Path:
    """Where compiled code is kept; a private temporary directory if the home is read-only."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    for root in (
        Path(home) / "softex-mlir",
        Path(tempfile.gettempdir()) / f"softex-mlir-{os.getuid()}",
    ):
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(root, os.W_OK):
            return root
    return Path(tempfile.mkdtemp(prefix="softex-mlir-"))


def _select_cache() -> None:
    root = _cache_root()
    directory = root / f"jit-{_source_hash()}"
    directory.mkdir(exist_ok=True)
    os.utime(directory)
    # Old versions' code is of no use any more; keep a few for parallel checkouts.
    old = sorted(root.glob("jit-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in old[_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
    numba.config.CACHE_DIR = str(directory)


if not os.environ.get("NUMBA_CACHE_DIR"):
    _select_cache()

"""The commands' entry points, which decide what Ctrl-C does before anything large is imported.

A `KeyboardInterrupt` in the middle of an import or of a library's C code ends in a traceback or
worse. So Ctrl-C ends a command at once, but for the simulator, which reports how far it came.
"""

from __future__ import annotations

from softex_mlir.tools.signals import stop_at_once


def softex() -> None:
    """Entry point of `softex`."""
    stop_at_once()
    from softex_mlir.tools.softex import main

    main()


def softex_opt() -> None:
    """Entry point of `softex-opt`."""
    stop_at_once()
    from softex_mlir.tools.softex_opt import main

    main()


def softex_gui() -> None:
    """Entry point of `softex-gui`, which gets every key itself."""
    from softex_mlir.tools.gui import main

    main()

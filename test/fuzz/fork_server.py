"""Runs cases in forks of one process that has everything loaded, each with limits.

A case is a command line. What the command may do: end in time with exit status 0, 1 (with one
message) or 2, or answer Ctrl-C at once. What it may not: a traceback, a signal, a hang.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import NoReturn

SECONDS = 10.0
"""After which a case is interrupted."""
ANSWER_SECONDS = 1.0
"""In which it has to end then."""
MOST_BYTES = 8 << 30
"""Address space a case may need; the simulated L2 is half a gigabyte of it."""


@dataclass(frozen=True)
class Outcome:
    """How a case ended. `problem` is empty if that is how a command may end."""

    status: int
    output: str
    seconds: float
    problem: str


def load(programs: Sequence[bytes]) -> None:
    """Import and compile what cases need: once, before the first fork; run good programs for it."""
    for module in (
        "compiler.driver", "compiler.importers.onnx", "tools.softex", "tools.softex_opt",
    ):  # fmt: skip
        import_module(f"softex_mlir.{module}")
    from softex_mlir.dialects import get_all_dialects

    for factory in get_all_dialects().values():
        factory()
    from softex_mlir.isa_sim.machine import Machine
    from softex_mlir.runtime import check, session
    from softex_mlir.runtime.program import Program

    Machine.load("paper")
    for data in programs:
        program = Program.from_bytes(data)
        check.check(program, session.run(program, sanitize=True), {})


def run(command: Sequence[str], directory: Path, seconds: float = SECONDS) -> Outcome:
    """Run `softex …` or `softex-opt …` in a fork."""
    with tempfile.TemporaryFile() as output:
        start = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(command, directory, output.fileno())
        status, answered = _wait(child, seconds)
        elapsed = time.monotonic() - start
        output.seek(0)
        text = output.read().decode(errors="replace")
    return Outcome(status, text, elapsed, _problem(status, text, answered))


def _child(command: Sequence[str], directory: Path, output: int) -> NoReturn:
    """The command, in the forked process."""
    code = 70
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - for the rest of the process
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        os.chdir(directory)
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = list(command)
        if command[0] == "softex":
            from softex_mlir.tools.softex import main
        else:
            from softex_mlir.tools.softex_opt import main
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _wait(child: int, seconds: float) -> tuple[int, bool]:
    """Exit status, negative for a signal; whether the child ended in time or at Ctrl-C.

    Time is the processor's: other processes of the machine take nothing from a case.
    """
    watched = os.pidfd_open(child)
    interrupted = None
    answered = True
    try:
        while not select.select([watched], [], [], 0.25)[0]:
            used = _processor_seconds(child)
            if interrupted is None and used >= seconds:
                os.kill(child, signal.SIGINT)
                interrupted = used
            elif interrupted is not None and used >= interrupted + ANSWER_SECONDS:
                answered = False
                os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(watched)
    return os.waitstatus_to_exitcode(status), answered


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _problem(status: int, output: str, answered: bool) -> str:
    if not answered:
        return f"hang: no answer to Ctrl-C within {ANSWER_SECONDS} s"
    if status < 0:
        return f"signal {-status}"
    if "Traceback (most recent call last)" in output:
        return f"traceback: {output.strip().splitlines()[-1]}"
    if status not in (0, 1, 2, 130):
        return f"exit status {status}"
    if status in (1, 2) and not output.strip():
        return f"exit status {status} without a word"
    return ""

"""Runs cases in forks of one process that has everything loaded, many in each, with limits.

A case is a command line. What the command may do: end in time with exit status 0, 1 (with one
message) or 2, or answer Ctrl-C at once. What it may not: a traceback, a signal, a hang.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import gc
import itertools
import os
import re
import resource
import select
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

Case = Callable[[int], Sequence[str]]
"""Writes the files of a case and gives its command line: `softex …` or `softex-opt …`."""

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
    # Building the command line from its functions takes ten times as long as a refusal.
    typer: Any = import_module("typer.main")
    typer.get_command = functools.cache(typer.get_command)
    gc.collect()
    gc.freeze()


class Worker:
    """A fork that runs one case after another until one of them ends it.

    Args:
        case: called in the fork.
        directory: where the commands run.
    """

    def __init__(self, case: Case, directory: Path):
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        # The fork writes at the end, which is the start once this side has truncated the file.
        fcntl.fcntl(self._output, fcntl.F_SETFL, os.O_APPEND)
        orders, self._orders = os.pipe()
        self._answers, answers = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os.close(self._orders)
            os.close(self._answers)
            _serve(case, directory, orders, answers, self._output.fileno())
        os.close(orders)
        os.close(answers)
        self.alive = True

    def run(self, number: int, seconds: float = SECONDS) -> Outcome:
        """Run one case. The fork lives on (`alive`) if the command came back."""
        os.ftruncate(self._output.fileno(), 0)
        start = time.monotonic()
        os.write(self._orders, struct.pack("<q", number))
        answered = self._wait(seconds)
        answer = os.read(self._answers, 4)
        self.alive = len(answer) == 4
        if self.alive:
            (status,) = struct.unpack("<i", answer)
        else:
            status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        text = Path(f"/proc/self/fd/{self._output.fileno()}").read_text(errors="replace")
        problem = _problem(status, text, answered)
        return Outcome(status, text, time.monotonic() - start, problem)

    def _wait(self, seconds: float) -> bool:
        """Wait for an answer or the end of the fork; False if it had to be killed.

        Time is the processor's: other processes of the machine take nothing from a case.
        """
        before = _processor_seconds(self.process)
        interrupted = None
        while not select.select([self._answers], [], [], 0.25)[0]:
            used = _processor_seconds(self.process) - before
            if interrupted is None and used >= seconds:
                os.kill(self.process, signal.SIGINT)
                interrupted = used
            elif interrupted is not None and used >= interrupted + ANSWER_SECONDS:
                os.kill(self.process, signal.SIGKILL)
                return False
        return True

    def close(self) -> None:
        """End the fork and wait for it."""
        os.close(self._orders)
        os.close(self._answers)
        self._output.close()
        if self.alive:
            os.waitpid(self.process, 0)


def _serve(case: Case, directory: Path, orders: int, answers: int, output: int) -> NoReturn:
    """Read numbers of cases, answer exit statuses; in the forked process."""
    try:
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, hard))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for count in itertools.count(1):
            if not (order := os.read(orders, 8)):
                break
            status = _run(case(*struct.unpack("<q", order)), directory)
            if count % 10 == 0:
                gc.collect()
            os.write(answers, struct.pack("<i", status))
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(70)
    os._exit(0)


def _run(command: Sequence[str], directory: Path) -> int:
    """The exit status of a command, whose entry point is called."""
    from softex_mlir.tools import interrupts

    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - until the next case
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    os.chdir(directory)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = list(command)
    code = 0
    try:
        (interrupts.softex if command[0] == "softex" else interrupts.softex_opt)()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 70
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _problem(status: int, output: str, answered: bool) -> str:
    if not answered:
        return f"hang: no answer to Ctrl-C within {ANSWER_SECONDS} s"
    if status < 0:
        return f"signal {-status}"
    if "Traceback (most recent call last)" in output:
        places = re.findall(r'/(\w+/\w+\.py)", line (\d+)', output) or [("?", "?")]
        last = output.strip().splitlines()[-1]
        return f"traceback at {':'.join(places[-1])}: {last}"
    if status not in (0, 1, 2, 130):
        return f"exit status {status}"
    if status in (1, 2) and not output.strip():
        return f"exit status {status} without a word"
    return ""

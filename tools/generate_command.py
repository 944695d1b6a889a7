"""What `softex generate` does around the generation: prompts, printing, figures."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from softex_mlir.errors import UserError
from softex_mlir.files import json_text, read_text, write_atomically
from softex_mlir.tools.forms import Form, emit

if TYPE_CHECKING:
    from softex_mlir.runtime.generation import Generation, Sampling, Tokens
    from softex_mlir.runtime.program import Program


def sampling_of(*, greedy: bool, top_k: int | None, temperature: float, seed: int) -> Sampling:
    """How options choose tokens.

    Raises:
        typer.BadParameter: they contradict each other.
    """
    from softex_mlir.runtime.generation import Sampling

    if greedy and top_k is not None:
        raise typer.BadParameter("expected one of them", param_hint="--greedy and --top-k")
    if top_k is None and temperature != 1.0:
        raise typer.BadParameter(
            "expected --top-k K with it, greedy choices have none", param_hint="--temperature"
        )
    if not 0.0 < temperature < float("inf"):
        raise typer.BadParameter(
            f"expected a positive number, found {temperature}", param_hint="--temperature"
        )
    return Sampling(top_k, temperature, seed)


@dataclass(frozen=True)
class Prompts:
    """What is continued: ids, and what spells them if it was text."""

    ids: list[list[int]]
    tokenizer: Any = None

    @staticmethod
    def of(
        ids: Sequence[str] | None, texts: Sequence[str] | None, tokenizer: Path | None
    ) -> Prompts:
        """Prompts as the options give them.

        Raises:
            typer.BadParameter: there are none, or two kinds, or what is given are no ids.
            UserError: the tokenizer cannot be read, or its package is missing.
        """
        if bool(ids) == bool(texts):
            raise typer.BadParameter("expected one of them", param_hint="--prompt-ids and --prompt")
        if bool(texts) != (tokenizer is not None) and texts:
            raise typer.BadParameter(
                "expected --tokenizer tokenizer.json with it", param_hint="--prompt"
            )
        spelled: Any = None if tokenizer is None else _tokenizer(tokenizer)
        if texts:
            return Prompts([list(spelled.encode(text).ids) for text in texts], spelled)
        return Prompts([_ids(prompt) for prompt in ids or ()], spelled)


def _tokenizer(path: Path) -> Any:
    try:
        package: Any = import_module("tokenizers")
    except ImportError:
        raise UserError(
            "text needs the package tokenizers: pip install 'softex-mlir[text]', or give token ids "
            "with --prompt-ids"
        ) from None
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise UserError(f"{path}: {reason}") from error
    try:
        return package.Tokenizer.from_str(text)
    except Exception as error:
        # the package raises nothing narrower
        raise UserError(f"{path}: no tokenizer.json that can be read: {error}") from error


class Printer:
    """Prints tokens as they come: their ids, or the text that they add."""

    def __init__(self, prompts: Prompts, *, quiet: bool):
        self.prompts, self.quiet = prompts, quiet
        self._ids: list[list[int]] = [[] for _ in prompts.ids]
        self._shown = [""] * len(prompts.ids)

    def show(self, tokens: Tokens) -> None:
        """Print the next token of every sequence."""
        for ids, token in zip(self._ids, tokens, strict=True):
            ids += [] if token is None else [token]
        if self.quiet:
            return
        if self.prompts.tokenizer is None:
            text = " ".join("-" if token is None else str(token) for token in tokens) + "\n"
        elif len(tokens) == 1:
            text = self._added(0)
        else:
            text = "".join(f"{n}: {self._added(n)!r}\n" for n in range(len(tokens)))
        sys.stdout.write(text)
        sys.stdout.flush()

    def end(self) -> None:
        """End the line of a text."""
        if not self.quiet and self.prompts.tokenizer is not None and len(self._ids) == 1:
            sys.stdout.write("\n")

    def texts(self) -> list[str]:
        """What has been generated, as text."""
        return [self.prompts.tokenizer.decode(ids) for ids in self._ids]

    def _added(self, number: int) -> str:
        """What a sequence's text has gained; parts of a letter wait for the rest of it."""
        text: str = self.prompts.tokenizer.decode(self._ids[number])
        if text.endswith("\ufffd"):
            return ""
        added = text[len(self._shown[number]) :]
        self._shown[number] = text
        return added


def run_generation(
    program: Program,
    prompts: Prompts,
    max_new_tokens: int,
    sampling: Sampling,
    *,
    stop: int | None,
    check: bool,
    form: Form,
    output: Path | None,
    profile: Path | None,
    trace: Path | None,
    input: Path | None = None,
    start: str | None = None,
) -> None:
    """Generate, print tokens as they come and then the figures; 130 if interrupted, 1 if a run is
    checked and differs.

    As JSON and CSV nothing but the figures is printed.

    Raises:
        UserError: the prompts do not fit the program.
    """
    from softex_mlir.isa_sim.machine_basis import unrecorded, validity
    from softex_mlir.runtime.generation import generate, lines, memory_line
    from softex_mlir.tools.signals import raised

    if form is Form.text:
        notes = (memory_line(program), *validity(program.machine))
        sys.stdout.write("".join(f"{line}\n" for line in notes))
        sys.stdout.flush()
    inputs = None
    if input is not None:
        from softex_mlir.tools.run_command import read_arrays

        entry = program.at("encode") if "encode" in program.entries else program
        inputs, _ = read_arrays(input, entry)
    printer = Printer(prompts, quiet=form is not Form.text)
    with raised():
        made = generate(
            program,
            prompts.ids,
            max_new_tokens,
            sampling=sampling,
            stop=stop,
            on_token=printer.show,
            inputs=inputs,
            check=check,
            start=None if start is None else _ids(start, "--start-ids"),
        )
    printer.end()
    texts = {} if prompts.tokenizer is None else {"texts": printer.texts()}
    emit(
        form,
        output,
        text=lambda: "".join(f"{line}\n" for line in lines(made)),
        data=lambda: {
            **made.to_json(),
            **texts,
            "validity_estimated": list(unrecorded(program.machine)),
        },
        rows=lambda: [{"entry": name, **p.to_json()} for name, p in made.phases.items() if p.runs],
    )
    _write(program, made, profile, trace)
    if made.interrupted:
        raise SystemExit(130)
    if made.check is not None and made.check.different:
        raise SystemExit(1)


def _write(program: Program, made: Generation, profile: Path | None, trace: Path | None) -> None:
    """The profiles of each phase's last run, and the timeline of the very last."""
    last = {name: phase.last for name, phase in made.phases.items() if phase.last is not None}
    if profile is not None:
        runs = {name: result.profile.to_json() for name, result in last.items()}
        write_atomically(profile, json_text({**made.to_json(), "last_runs": runs}))
    if trace is not None and last:
        from softex_mlir.runtime.timeline import timeline_text

        name, result = list(last.items())[-1]
        text = timeline_text(program.at(name), result.run, result.profile, None)
        write_atomically(trace, text)


def _ids(prompt: str, option: str = "--prompt-ids") -> list[int]:
    try:
        return [int(token) for token in prompt.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"expected ids as 1,2,3, found '{prompt}'", param_hint=option
        ) from None

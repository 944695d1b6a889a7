"""Entries that keep keys and values: prefill, then decode, against whole sequences."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from softex_mlir.compiler.driver import Compilation
from softex_mlir.compiler.models.llama import llama
from softex_mlir.compiler.models.text import gpt2
from softex_mlir.errors import UserError
from softex_mlir.isa_sim.machine import Machine
from softex_mlir.runtime import session
from softex_mlir.runtime.check import check
from softex_mlir.runtime.experiments.bench_generate import decode_bound, generation, steps
from softex_mlir.runtime.experiments.kept import Kept
from softex_mlir.runtime.generation import Sampling
from softex_mlir.runtime.program import Program
from softex_mlir.runtime.quality.operations import check_operations
from softex_mlir.runtime.reference import evaluate
from softex_mlir.tools.forms import Form
from softex_mlir.tools.generate_command import Prompts, run_generation

MODELS = {
    "gpt2": partial(gpt2, "gpt2", hidden=32, layers=1, heads=2, vocabulary=96, mlp=64),
    "llama": partial(
        llama, "llama", hidden=32, layers=1, heads=4, key_heads=2, mlp=64, vocabulary=96
    ),
}
PROMPT = (3, 17, 90, 4, 33)


@cache
def compiled(name: str, max_length: int = 128) -> Program:
    return Compilation.of(MODELS[name](max_length=max_length)).program()


def prefill_inputs(tokens: tuple[int, ...], start: int, batch: int) -> dict[str, np.ndarray]:
    ids = np.zeros((batch, 64), np.int32)
    ids[:, : len(tokens)] = tokens
    last = len(tokens) - 1
    return {
        "input_ids": ids,
        "position": np.full(batch, start),
        "last": np.full(batch, last),
    }


@pytest.mark.parametrize("name", MODELS)
def test_programs_agree_with_the_evaluator_across_entries(name: str):
    program = compiled(name)
    prefill, decode = program.at("prefill"), program.at("decode")
    memory, state = session.Memory.of(program), dict[str, np.ndarray]()
    result = session.run(prefill, prefill_inputs(PROMPT, 0, 1), memory=memory)
    assert check(prefill, result, {}, state).identical
    # the positions around a block's end: another kernel, and nothing compiled again
    for position in (5, 63, 64):
        inputs = {"input_ids": np.array([[position % 96]]), "position": np.array([position])}
        result = session.run(decode, inputs, memory=memory)
        assert check(decode, result, {}, state).identical, position


@pytest.mark.parametrize("name", MODELS)
def test_a_cache_changes_no_bit_of_whole_sequences(name: str):
    ids = np.random.default_rng(1).integers(0, 96, (2, 70))
    whole = MODELS[name](tokens=70, batch=2)
    expected = evaluate(whole.module, whole.weights, {"input_ids": ids})["logits"]
    model = Compilation.of(MODELS[name](max_length=128, batch=2)).model
    state: dict[str, np.ndarray] = {}
    run = partial(evaluate, model.module, model.weights, state=state)
    first = {"input_ids": ids[:, :64], "position": np.zeros(2, int), "last": np.array([63, 20])}
    found = run(first, entry="prefill")["logits"]
    assert np.array_equal(found, expected[[0, 1], [63, 20]])
    for position in range(64, 70):
        inputs = {"input_ids": ids[:, position, None], "position": np.full(2, position)}
        assert np.array_equal(run(inputs, entry="decode")["logits"], expected[:, position])


def test_work_follows_the_position_and_not_the_capacity():
    cycles: dict[int, list[int]] = {}
    for capacity in (128, 192):
        decode = compiled("gpt2", capacity).at("decode")
        cycles[capacity] = [
            session.run(
                decode, {"input_ids": np.zeros((1, 1), int), "position": np.array([position])}
            ).cycles
            for position in (3, 100)
        ]
    assert cycles[128][0] < cycles[128][1]
    # where code and buffers lie moves a program this small by 3 %
    assert np.allclose(cycles[128], cycles[192], rtol=0.04)


def test_code_does_not_grow_with_the_maximum():
    sizes = {length: program_code(compiled("llama", length)) for length in (448, 1024)}
    assert sizes[1024] == pytest.approx(sizes[448], rel=0.01)


def program_code(program: Program) -> int:
    """Bytes of code."""
    return sum(len(s.data) for s in program.segments if s.executable)


@pytest.mark.parametrize("name", MODELS)
def test_chunks_are_counted_at_run_time(name: str):
    decode = compiled(name, 448).at("decode")
    for position in (255, 256, 319, 447):
        inputs = {"input_ids": np.array([[5]]), "position": np.array([position])}
        result = session.run(decode, inputs, sanitize=True)
        assert not result.run.races
        assert check(decode, result, {}, {}).identical


@pytest.mark.parametrize("position", [300, 447])
def test_random_caches_are_read_as_the_evaluator_reads_them(position: int):
    program = compiled("llama", 448)
    decode, memory, state = program.at("decode"), session.Memory.of(program), dict[str, Any]()
    inputs = {"input_ids": np.array([[5]]), "position": np.array([0])}
    assert check(decode, session.run(decode, inputs, memory=memory), {}, state).identical
    random = np.random.default_rng(position)
    for port in program.states:
        name = port.name.removeprefix("state.")
        kept = random.standard_normal(state[name].shape).astype(state[name].dtype)
        rows = kept if len(kept) == port.shape[0] else kept.T
        placed = np.zeros(port.shape, kept.dtype)
        placed[:, : rows.shape[1]] = rows
        cluster = session.load(program, program.machine, memory)
        session.write_port(cluster, port, placed)
        state[name] = kept
    inputs["position"][:] = position
    result = session.run(decode, inputs, memory=memory, sanitize=True)
    assert check(decode, result, {}, state).identical
    assert not result.run.races


def test_a_deep_ring_of_weights_waits_for_rows_in_chunks():
    decode = Compilation.of(MODELS["gpt2"](max_length=64, mlp=256)).program().at("decode")
    inputs = {"input_ids": np.array([[5]]), "position": np.array([9])}
    assert not session.run(decode, inputs, sanitize=True).run.races


def test_every_entry_is_chosen_by_its_name():
    program = compiled("gpt2")
    assert program.entries == ("prefill", "decode")
    with pytest.raises(UserError, match="prefill, decode"):
        program.at(None)
    with pytest.raises(UserError, match="found 'encode'"):
        program.at("encode")
    inputs = {"input_ids": np.zeros((1, 1), int), "position": np.array([128])}
    with pytest.raises(UserError, match=r"must be in 0\.\.127"):
        session.run(program.at("decode"), inputs)


def test_operations_of_an_entry_are_checked_one_by_one():
    decode = compiled("llama").at("decode")
    inputs = {"input_ids": np.array([[5]]), "position": np.array([0])}
    found = check_operations(decode, session.run(decode, inputs).inputs)
    assert {row.operation for row in found} >= {"attention", "append"}
    assert all(row.different == 0 for row in found)


def test_greedy_tokens_do_not_depend_on_the_maximum():
    made = [compiled("gpt2", length).generate([PROMPT], 20).tokens for length in (64, 128)]
    assert made[0] == made[1]


def test_weights_lie_in_memory_once():
    program = compiled("llama")
    names = [weight["name"] for weight in program.metadata["weights"] if weight["name"]]
    assert len(names) == len(set(names))


def test_entries_run_on_the_smallest_memories():
    machine = Machine.load("paper").with_tcdm_bytes(49152)
    program = Compilation.of(MODELS["llama"](max_length=320), machine).program()
    assert "key_chunk" in (program.transformer or "")
    decode = program.at("decode")
    inputs = {"input_ids": np.array([[5]]), "position": np.array([300])}
    assert check(decode, session.run(decode, inputs), {}, {}).identical


def test_generation_gives_the_tokens_of_whole_sequences():
    made = compiled("gpt2").generate([PROMPT], 4)
    whole = MODELS["gpt2"](tokens=8)
    ids = [*PROMPT, *made.tokens[0]][:8]
    logits = evaluate(whole.module, whole.weights, {"input_ids": np.array([ids])})["logits"][0]
    assert made.tokens[0] == [int(np.argmax(logits[i].astype(np.float64))) for i in range(4, 8)]
    assert (made.prefill.tokens, made.decode.tokens) == (5, 3)


def test_prompts_of_other_lengths_do_not_see_each_other():
    program = Compilation.of(MODELS["gpt2"](max_length=128, batch=2)).program()
    prompts = [PROMPT, tuple(range(1, 71))]
    made = program.generate(prompts, 3)
    assert (made.prefill.tokens, made.prefill.runs) == (75, 2)
    for prompt, tokens in zip(prompts, made.tokens, strict=True):
        ids = [*prompt, *tokens][:-1]
        whole = MODELS["gpt2"](tokens=len(ids))
        logits = evaluate(whole.module, whole.weights, {"input_ids": np.array([ids])})["logits"][0]
        likeliest = [int(np.argmax(row.astype(np.float64))) for row in logits[len(prompt) - 1 :]]
        assert tokens == likeliest
    # a sequence that meets the stop ends, the other goes on
    one, other = made.tokens
    stop = next((token for token in one if token not in other), one[0])
    stopped = program.generate(prompts, 3, stop=stop)
    expected = [t[: t.index(stop) + 1] if stop in t else t for t in (one, other)]
    assert stopped.tokens == expected


def test_the_same_seed_draws_the_same_tokens():
    program = compiled("gpt2")
    drawn = [
        program.generate([PROMPT], 6, sampling=Sampling(40, 0.8, seed)).tokens for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_every_step_is_checked(monkeypatch: pytest.MonkeyPatch):
    def other_bits(*arguments: Any, **options: Any) -> dict[str, np.ndarray]:
        found = evaluate(*arguments, **options)
        if options["entry"] == "decode":
            found["logits"].view(np.uint16)[0, 7] ^= 1
        return found

    monkeypatch.setattr("softex_mlir.runtime.check.evaluate", other_bits)
    checked = compiled("gpt2").generate([PROMPT], 3, check=True).check
    assert checked is not None
    assert checked.line() == (
        "check: 288 elements of 3 runs, DIFFERS from the reference evaluator in 2 elements, first "
        "in run 2"
    )


def test_ctrl_c_prints_what_there_is(tmp_path: Path):
    path = tmp_path / "gpt2.elf"
    compiled("gpt2").save(path)
    command = [sys.executable, "-m", "softex_mlir.tools.softex", "generate", str(path)]
    command += ["--prompt-ids", "1,2,3", "--max-new-tokens", "120"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("room for 128 tokens, batch 1; L2")
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read().splitlines()
    assert process.returncode == 130
    assert int(first) < 96
    assert any(line.startswith("prefill 3 tokens") for line in rest)
    assert sum(line.isdigit() for line in rest) < 119


def test_text_goes_in_and_comes_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tokenizers = pytest.importorskip(
        "tokenizers", reason="text needs the package tokenizers (the extra text)"
    )
    words = {f"w{n}": n for n in range(96)}
    spelled = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="w0"))
    spelled.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    path = tmp_path / "tokenizer.json"
    spelled.save(str(path))
    prompts = Prompts.of(None, ["w3 w17 w90 w4 w33"], path)
    assert prompts.ids == [list(PROMPT)]
    profile, trace = tmp_path / "profile.json", tmp_path / "trace.json"
    run_generation(
        compiled("gpt2"),
        prompts,
        3,
        Sampling(),
        stop=None,
        check=True,
        form=Form.json,
        output=None,
        profile=profile,
        trace=trace,
    )
    found = json.loads(capsys.readouterr().out)
    assert found["texts"] == [" ".join(f"w{token}" for token in found["tokens"][0])]
    assert found["decode"]["tokens"] == 2
    assert (found["check"]["identical"], found["check"]["runs"]) == (True, 3)
    assert set(json.loads(profile.read_text())["last_runs"]) == {"prefill", "decode"}
    assert json.loads(trace.read_text())["traceEvents"]
    path.write_text("{}")
    with pytest.raises(UserError, match=r"no tokenizer\.json that can be read"):
        Prompts.of(None, ["w1"], path)


@pytest.mark.parametrize(
    ("prompts", "count", "message"),
    [
        ([PROMPT, PROMPT], 4, "--batch 2"),
        ([()], 4, "at least one token"),
        ([PROMPT], 125, "--max-length 129"),
    ],
)
def test_prompts_that_do_not_fit_are_refused(
    prompts: list[tuple[int, ...]], count: int, message: str
):
    with pytest.raises(UserError, match=message):
        compiled("gpt2").generate(prompts, count)


def test_the_bound_of_a_step_is_what_the_dma_must_move():
    program = compiled("gpt2")
    found = steps(program, 3)
    assert (found.prefill.tokens, found.decode.tokens) == (3, 1)
    # 32 wide, 64 in the MLP, 96 ids: qkv, projection, MLP and head; a block of keys and of values
    matrices = 32 * (96 + 32 + 64 + 64 + 96) * 2
    assert decode_bound(program, 3) == (matrices + 2 * 64 * 32 * 2) // 8
    assert decode_bound(program, 64) == (matrices + 2 * 128 * 32 * 2) // 8
    assert decode_bound(program, 3) < found.decode.cycles


def test_a_benchmark_that_was_stopped_goes_on(tmp_path: Path):
    told: list[str] = []
    state, models = tmp_path / "tables.part", {"tiny": MODELS["gpt2"]}
    measured = partial(
        generation,
        *(Machine.load("paper"), state, told.append),
        **{"models": models, "prompts": (3,), "batches": (4,)},
    )
    one, batched = measured()
    assert told == ["tiny", "tiny, without SoftEx", "tiny, batch 4"]
    assert 0 < float(one.rows[0][one.columns.index("share")].rstrip("%")) < 100
    alone, four = (
        float(row[c].replace(",", "")) for row, c in ((one.rows[0], 5), (batched.rows[0], 2))
    )
    assert four < 0.6 * alone
    told.clear()
    assert measured() == [one, batched]
    assert told == ["tiny, known", "tiny, without SoftEx, known", "tiny, batch 4, known"]
    # what was not measured is, and nothing else; what another machine took counts for nothing
    kept = Kept(state, Machine.load("paper"))
    assert kept.get("more", lambda: {"cycles": 1}) == {"cycles": 1}
    again = Kept(state, Machine.load("paper"), told.append)
    assert again.get("more", dict) == {"cycles": 1}
    assert told[-1] == "more, known"
    assert Kept(state, Machine.load("paper").without_softex()).get("more", dict) == {}

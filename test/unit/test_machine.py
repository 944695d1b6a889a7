"""Machine descriptions: shipped ones, round trip, strict reading."""

from pathlib import Path

import pytest

from softex_mlir.isa_sim.machine import Machine, MachineError, shipped_machines
from softex_mlir.isa_sim.machine_basis import differences, fields_of, uncovered, unrecorded
from softex_mlir.isa_sim.units import redmule
from softex_mlir.isa_sim.units.unit import Basis


@pytest.mark.parametrize("name", shipped_machines())
def test_text_round_trip_keeps_machine_and_hash(name: str):
    machine = Machine.load(name)
    again = Machine.from_toml(machine.to_toml())
    assert again == machine
    assert again.hash == machine.hash


def test_variants_have_their_own_hash():
    paper = Machine.load()
    variants = [
        paper,
        Machine.load("ideal"),
        paper.with_tcdm_bytes(1 << 17),
        paper.without_redmule(),
        paper.without_softex(),
    ]
    assert len({machine.hash for machine in variants}) == len(variants)
    for machine in variants:
        assert Machine.from_toml(machine.to_toml()) == machine


def test_paper_is_the_template():
    machine = Machine.load("paper")
    assert machine.cluster.cores == 8
    assert machine.cluster.tcdm_bytes == 256 * 1024
    assert machine.redmule is not None
    assert (machine.redmule.rows, machine.redmule.columns) == (24, 8)
    assert machine.redmule.tile_columns == 32
    assert machine.softex is not None
    assert machine.softex.lanes == 16
    assert [point.frequency_hz for point in machine.operating_points] == [1.12e9, 460e6]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("lanes = 16\nfoo = 1", 5, "unknown key 'foo'"),
        ("lanes = 5", 4, "softex.lanes must be 4, 8, 16 or 32, found 5"),
        ('lanes = "many"', 4, "'lanes' must be a value of type int, found 'many'"),
        ("terms = 3", 3, "softex.slopes must be 3 BF16 bit patterns"),
        (
            "weights = [0x3F00, 0x3E10, 0x3DA2, 0x3D32]",
            4,
            "softex.weights must add up to at most 1/2, the value of 1 - Φ at 0: found 0.7617",
        ),
    ],
)
def test_errors_name_the_line(text: str, line: int, message: str):
    source = f'extends = "paper"\nname = "mine"\n[softex]\n{text}\n'
    with pytest.raises(MachineError, match=rf"mine.toml:{line}: .*") as caught:
        Machine.from_toml(source, "mine.toml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("section", "text", "message"),
    [
        ("cluster", "icache_line_bytes = 1", "cluster.icache_line_bytes must be 4..4,096, found 1"),
        ("cluster", "icache_line_bytes = 24", "must be a power of two, found 24"),
        ("cluster", "tcdm_bytes = 4", "cluster.tcdm_bytes must be 1,024..16,777,216, found 4"),
        ("cluster", "tcdm_bytes = 10000", "must be a multiple of 4 bytes x 32 banks, found 10000"),
        ("cluster", "tcdm_banks = 24", "cluster.tcdm_banks must be a power of two, found 24"),
        ("cluster", "tcdm_banks = 8", "redmule.columns x (pipeline_registers + 1) must be at most"),
        ("cluster", "l2_bytes = 1099511627776", "cluster.l2_bytes must be 4,096..4,294,967,296"),
        ("cluster", "l2_base = 0x1000_0000", "cluster.l2_base overlaps tcdm: found 0x10000000"),
        ("cluster", "l2_base = 0xFFFF_F000", "leave 32-bit addresses"),
        ("cluster", "l2_base = 0x1C00_0002", "must be a multiple of 4,096, found 0x1c000002"),
        ("cluster", "cores = 0", "cluster.cores must be 1..32, found 0"),
        ("core", "jump_cycles = 0", "core.jump_cycles must be 1..4,096, found 0"),
        ("core", "div_max_cycles = 1", "core.div_max_cycles must be at least div_base_cycles"),
        ("dma", "queue = 4611686018427387903", "dma.queue must be 1..1,024"),
        ("dma", "base = 0x1020_1804", "dma.base must be the peripheral base + 0x1800"),
        ("dma", "bytes_per_cycle = 24", "must be a multiple of the 24 bytes of a beat, found 256"),
        ("redmule", "trigger_cycles = 4611686018427387903", "redmule.trigger_cycles must be"),
        ("redmule", "base = 0x1020_0800", "redmule.base overlaps the event unit"),
        ("redmule", "base = 0x1030_0000", "must be a multiple of 4 in the 65,536 bytes"),
        ("softex", "base = 0x1020_1100", "softex.base overlaps RedMulE: found 0x10201100"),
        ("softex", "state_slots = 4611686018427387903", "softex.state_slots must be 1..256"),
        ("energy", "reference_voltage = nan", "energy.reference_voltage must be 0.1..10.0"),
        ("energy", "base_pj_per_cycle = 1e300", "energy.base_pj_per_cycle must be"),
        ("energy", f"base_pj_per_cycle = 0x{'f' * 5000}", "must be a number of at most 64 bits"),
    ],
)
def test_values_that_cannot_work_are_refused(section: str, text: str, message: str):
    source = f'extends = "paper"\nname = "mine"\n[{section}]\n{text}\n'
    with pytest.raises(MachineError) as caught:
        Machine.from_toml(source, "mine.toml")
    assert message in str(caught.value)
    assert str(caught.value).startswith("mine.toml:")


@pytest.mark.parametrize("name", ["", "x" * 65, "two\\nlines"])
def test_names_are_short_and_printable(name: str):
    with pytest.raises(MachineError, match=r"mine.toml:1: name must be 1 to 64 printable"):
        Machine.from_toml(f'name = "{name}"\nextends = "paper"\n', "mine.toml")


def test_descriptions_that_extend_each_other(tmp_path: Path):
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text('extends = "two"\nname = "one"\n')
    two.write_text('extends = "one"\nname = "two"\n')
    message = f"{two}:1: descriptions extend each other: {one} extends {two} extends {one}"
    with pytest.raises(MachineError) as caught:
        Machine.load(one)
    assert str(caught.value) == message


def test_descriptions_without_a_file_extend_shipped_ones_only():
    shipped = ", ".join(shipped_machines())
    with pytest.raises(MachineError, match=f"must be one of {shipped}, found '/dev/zero'"):
        Machine.from_toml('extends = "/dev/zero"\nname = "x"\n')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends = 3", "must be the name of a machine, found 3"),
        ('extends = "\\u0000"', "no machine"),
        (f"x = {'[' * 5000}", "nested too deeply"),
        (f"x = {'9' * 5000}", "not TOML"),
        (f"{'a . ' * 20_000}a = 1", "more than 100 parts"),
        (f"[{'a.' * 20_000}'a']", "more than 100 parts"),
        (f"x = {{{'a.' * 20_000}a = 1}}", "more than 100 parts"),
        (f"x = {{b = 1, {'a.' * 20_000}a = 1}}", "more than 100 parts"),
        ("#" * (1 << 20) + "\n", "longer than 1,048,576 bytes"),
    ],
)
def test_files_that_are_no_description(tmp_path: Path, text: str, message: str):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(MachineError, match=message):
        Machine.load(path)


def test_unknown_section_and_missing_part():
    with pytest.raises(MachineError, match="unknown key 'gpu'"):
        Machine.from_toml('extends = "paper"\nname = "x"\n[gpu]\nn = 1\n')
    with pytest.raises(MachineError, match="'cluster' is missing"):
        Machine.from_toml('name = "x"\n')
    with pytest.raises(MachineError, match="expected one of ideal, paper"):
        Machine.load("no_such_machine")


def test_description_from_a_file(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text('extends = "paper"\nname = "small"\n[cluster]\ntcdm_bytes = 65536\n')
    assert Machine.load(path).cluster.tcdm_bytes == 65536


def test_settings_change_fields_as_a_file_does():
    paper = Machine.load()
    changed = paper.with_settings(["softex.lanes=8", "redmule.preload_more_tiles=[]"])
    assert changed.softex is not None
    assert changed.softex.lanes == 8
    assert changed.redmule is not None
    assert changed.redmule.preload_more_tiles == ()
    assert paper.with_settings(["softex.present=false"]) == paper.without_softex()
    assert paper.with_settings([]) == paper
    assert paper.with_settings(["cluster.tcdm_bytes=128Ki"]) == paper.with_tcdm_bytes(128 << 10)


def test_cycles_recorded_for_an_array_are_that_array_s(tmp_path: Path):
    other = Machine.load().with_settings(["redmule.shape=12x4x3"])
    assert other.redmule is not None
    assert (other.redmule.rows, other.redmule.columns, other.redmule.pipeline_registers) == (
        12,
        4,
        3,
    )
    assert other.redmule.preload_single_tile == other.redmule.preload_more_tiles == ()
    file = tmp_path / "small.toml"
    file.write_text('extends = "paper"\nname = "small"\n[redmule]\nrows = 12\ncolumns = 4\n')
    assert Machine.load(file).redmule == other.redmule
    assert Machine.load().with_settings(["redmule.shape=24x8x3"]) == Machine.load()


def test_every_field_has_a_basis_and_changes_lose_it():
    paper = Machine.load()
    assert {field.basis for field in fields_of(paper)} == set(Basis) - {Basis.given}
    assert uncovered(paper) == differences(paper) == ()
    changed = paper.with_settings(["redmule.shape=48x8x6", "dma.bytes_per_cycle=16"])
    by_key = {(field.section, field.key): field for field in fields_of(changed)}
    assert by_key["redmule", "rows"].basis is Basis.given
    assert by_key["redmule", "columns"].basis is Basis.sourced
    assert by_key["dma", "bytes_per_cycle"].other == 8
    assert unrecorded(changed) == ("RedMulE 48x8x6",)
    assert [text.partition(":")[0] for text in uncovered(changed)] == [
        "validity estimated",
        "energy",
        "cycles",
    ]
    without = {field.key for field in differences(paper.without_softex())}
    assert without == {"present"}


def test_repaired_upstream_unit_takes_leftovers_and_refuses_what_stayed_open():
    unit = Machine.load("redmule21").redmule
    assert unit is not None
    assert redmule.is_computed(5, 33, 70, unit)
    assert redmule.is_computed(100, 9, 70, unit)
    assert not redmule.is_computed(5, 8, 20, unit)
    assert unrecorded(Machine.load("redmule21"))[0].endswith("(RTL not seen)")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lanes=8", "expected section.key=value, found 'lanes=8'"),
        ("softex.lanes", "expected section.key=value, found 'softex.lanes'"),
        ("softex.lanes=5", "softex.lanes must be 4, 8, 16 or 32, found 5"),
        ("softex.lane=8", "unknown key 'lane'"),
        ("softex.lanes=many", "'lanes' must be a value of type int, found 'many'"),
        ("softex.lanes=8,", "softex.lanes: '8,' is no TOML value"),
        ("softex.expp=papers", "softex.expp must be"),
        ("gpu.lanes=8", "unknown key 'gpu'"),
        ("redmule.shape=24x8", "redmule.shape: expected rows x columns x pipeline_registers"),
        ("name.first=8", "name has no fields that can be set one by one"),
    ],
)
def test_settings_that_cannot_work(setting: str, message: str):
    with pytest.raises(MachineError) as caught:
        Machine.load().with_settings([setting])
    assert str(caught.value).startswith(message)

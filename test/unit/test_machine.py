"""Machine descriptions: shipped ones, round trip, strict reading."""

import pytest

from softex_mlir.isa_sim.machine import Machine, MachineError, shipped_machines


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

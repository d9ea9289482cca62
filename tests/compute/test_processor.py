"""What Linux says of the processor."""

from __future__ import annotations

import pytest

from pipeline.compute import processor


@pytest.mark.parametrize(
    ("flags", "expected"),
    [("fpu avx2 avx512_vnni", True), ("fpu avx_vnni", True), ("fpu avx2 avx512f", False)],
)
def test_the_first_processors_name_and_instructions_are_read(tmp_path, monkeypatch, flags, expected):
    told = tmp_path / "cpuinfo"
    told.write_text(f"processor\t: 0\nmodel name\t: A: quick one\nflags\t\t: {flags}\n\nmodel name\t: another\n")
    monkeypatch.setattr(processor, "CPUINFO", told)
    assert processor.name() == "A: quick one"
    assert processor.has_vnni() is expected


def test_where_nothing_is_said_there_is_a_name_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "missing")
    assert processor.name()
    assert not processor.has_vnni()


@pytest.mark.parametrize(("load", "expected"), [(2.4, ""), (9.04, "a load of 9.0 on 2 cores")])
def test_a_machine_with_other_work_is_said_to_be_busy(monkeypatch, load, expected):
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    assert expected in processor.busy()
    assert bool(processor.busy()) is bool(expected)

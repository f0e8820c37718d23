"""Opened files are looked into where nothing else can be done: what is found, what stops a hostile one (F10, F45–F47).

The corpus is made by tests/build/hostile_files.py. Every file is looked at in this process, and a few in the sandbox:
all of them, and everything that a process might try there, with ``MINGBIAO_CAMPAIGN=long``.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.build.hostile_files import CASES, LETTER, Case, harmless, hostile, packed, suspicious, word
from tests.support.campaigns import LONG
from trading.inspection.findings import MOST_PREVIEW, Found, Verdict, verdict_of
from trading.inspection.kinds import CHUNK
from trading.inspection.limits import Limits, allowed_calls
from trading.inspection.looking import look
from trading.inspection.sandbox import inspect

#: What a program does in the sandbox, after or without the limits that the real one takes upon itself.
CONFINED = (
    "import sys; from trading.inspection.limits import Limits, confine;"
    " confine(Limits(memory=int(sys.argv[2]), cpu_s=int(sys.argv[3])));"
)
SENT = ("gbk.txt", "packed.pdf")
ANSWER = 'sys.stdout.write(\'{"findings": [], "held": [], "kind": "text", "preview": "done"}\')'


def file_of(tmp_path: Path, data: bytes) -> BinaryIO:
    path = tmp_path / "file"
    path.write_bytes(data)
    return path.open("rb")


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[bytes], BinaryIO]:
    return lambda data: file_of(tmp_path, data)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_file_of_the_corpus(case: Case, opened: Callable[[bytes], BinaryIO]) -> None:
    with opened(case.data) as file:
        found = look(file, f"offer/{case.name}")
    assert frozenset(found.findings) == case.found
    assert case.text in found.preview


def test_verdicts() -> None:
    for cases, verdict in ((harmless, "clean"), (suspicious, "warned"), (hostile, "quarantined")):
        assert {verdict_of(case.found) for case in cases()} == {verdict}
    assert len({case.name for case in CASES}) >= 50
    assert verdict_of({Found.EMPTY, Found.PDF_SCRIPT}) is Verdict.QUARANTINED


def test_every_word_but_those_of_the_sandbox_has_its_file() -> None:
    outside = {Found.LIMIT_MEMORY, Found.LIMIT_TIME, Found.FAILED}
    assert {found for case in CASES for found in case.found} == set(Found) - outside


def test_a_long_text_is_cut(opened: Callable[[bytes], BinaryIO]) -> None:
    for name, data in (("a.txt", b"x" * (MOST_PREVIEW + 9)), ("a.docx", word("x" * (MOST_PREVIEW + 9)))):
        with opened(data) as file:
            assert len(look(file, name).preview) == MOST_PREVIEW


def test_the_real_program_answers_from_inside_its_limits(
    opened: Callable[[bytes], BinaryIO], caplog: pytest.LogCaptureFixture
) -> None:
    """The answers are those of the corpus, under every limit that this kernel grants."""
    for case in CASES if LONG else [case for case in CASES if case.name in SENT]:
        with opened(case.data) as file:
            found = inspect(file, case.name)
        assert (frozenset(found.findings), case.text in found.preview) == (case.found, True), case.name
    if sys.platform == "linux":
        assert caplog.text == "", "it had no way to the network, to files, or to other programs"


#: What each does, what the sandbox says of it, and whether it succeeds where there are no limits.
DEEDS = {
    "hangs": ("while True: pass", Found.LIMIT_TIME, False),
    "takes memory": (f"x = bytearray(700 * 1024 * 1024); {ANSWER}", Found.FAILED, True),
    "writes a file": (f"open('/tmp/mingbiao-inspected', 'w').write('x'); {ANSWER}", Found.FAILED, True),
    "reads a file": (f"open('/etc/passwd').read(); {ANSWER}", Found.FAILED, True),
    "asks the network": (f"import socket; socket.socket(); {ANSWER}", Found.FAILED, True),
    "starts a program": (f"import os; os.fork() or os._exit(0); {ANSWER}", Found.FAILED, True),
    "answers without end": ("import sys\nwhile True: sys.stdout.write('x' * 65536)", Found.FAILED, False),
    "answers nonsense": ("sys.stdout.write('{}')", Found.FAILED, False),
    "answers other words": (
        'sys.stdout.write(\'{"findings": ["fine"], "held": [], "kind": "text", "preview": ""}\')', Found.FAILED, False,
    ),
    "says nothing": ("pass", Found.FAILED, False),
    "dies": ("import ctypes; ctypes.string_at(0)", Found.FAILED, False),
}  # fmt: skip

SOME = ("asks the network",)


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
@pytest.mark.parametrize("deed", DEEDS if LONG else SOME)
def test_what_takes_over_the_process_gets_nowhere_and_is_a_finding(
    opened: Callable[[bytes], BinaryIO], deed: str
) -> None:
    """The control runs the same words without the limits: then they succeed, so it is the limits that stop them."""
    words, expected, is_possible = DEEDS[deed]
    before = "import socket, os, ctypes, sys\n"  # as if it had been imported before
    few = Limits(cpu_s=1, wall_s=20.0)
    with opened(b"x") as file:
        found = inspect(file, "x", limits=few, program=("-c", f"{before}{CONFINED}\n{words}"))
        free = inspect(file, "x", limits=few, program=("-c", before + words)) if is_possible else None
    assert found.findings == (expected,)
    assert free is None or (free.findings, free.preview) == ((), "done"), "the control"


#: Calls every number that is not listed, with arguments that no call takes, and tells those that were not refused.
EVERY_CALL = """
left = set(range(470)) - allowed_calls() - {335, 336}  # no filter sees these two: they end a probe of the kernel
libc = ctypes.CDLL(None, use_errno=True)
def was_refused(number):
    ctypes.set_errno(0)
    return libc.syscall(number, -1, -1, -1, -1, -1, -1) == -1 and ctypes.get_errno() == errno.EPERM
told = [each for each in sorted(left) if not was_refused(each)]
sys.stdout.write('{"findings": [], "held": [], "kind": "text", "preview": "%s"}' % told)
"""


@pytest.mark.skipif(not allowed_calls(), reason="the filter knows this kind of processor not")
def test_no_call_is_left_but_the_few_of_a_reader(opened: Callable[[bytes], BinaryIO]) -> None:
    """Not cutting a file short by its name, nor a signal to the worker, whose user it is where nobody is root."""
    before = "import ctypes, errno; from trading.inspection.limits import allowed_calls;"
    words = f"{before}{CONFINED}\n{EVERY_CALL}"
    with opened(b"x") as file:
        assert inspect(file, "x", limits=Limits(wall_s=20.0), program=("-c", words)).preview == "[]"


@pytest.mark.parametrize(
    "preview", [r"\u0000", r"\ud800", '", "more": ' + "[" * 100_000], ids=["NUL", "half a letter", "nested"]
)
def test_an_answer_that_could_not_be_kept_is_none(opened: Callable[[bytes], BinaryIO], preview: str) -> None:
    """A process that was taken over can write what no database takes, or what no reader of JSON survives."""
    with opened(b"x") as file:
        for told, expected in ((preview, (Found.FAILED,)), ("the control", ())):
            answer = f'{{"findings": [], "held": [], "kind": "text", "preview": "{told}"}}'
            assert inspect(file, "x", program=("-c", f"print({answer!r})")).findings == expected


def test_an_entry_is_whole_wherever_the_pieces_end_in_which_it_is_unpacked() -> None:
    """Of a long repetition the last bytes are still in the inflater when it has taken the last byte of its input."""
    for more in (0, 1, 5, 130, 257, 258, 259):
        packed_file = io.BytesIO(packed({"a.txt": b"a" * (CHUNK + more)}))
        assert look(packed_file, "a.zip").findings == (), more


def test_a_process_that_sleeps_is_ended_by_the_clock_on_the_wall(opened: Callable[[bytes], BinaryIO]) -> None:
    sleeping = "import threading; threading.Event().wait()"
    with opened(b"x") as file:
        assert inspect(file, "x", limits=Limits(wall_s=0.2), program=("-c", sleeping)).findings == (Found.LIMIT_TIME,)


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_a_document_that_blows_up_its_reader_is_stopped_by_the_limit_alone(opened: Callable[[bytes], BinaryIO]) -> None:
    """20 MB of XML in 20 kB: within every rule for archives, and too much for a process that may take less."""
    data = packed({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<a>" + b" " * 20_000_000 + b"</a>"})
    with opened(data) as file:
        small = inspect(file, "a.docx", limits=Limits(memory=48 * 1024 * 1024))
        control = inspect(file, "a.docx")
    assert small.findings == (Found.LIMIT_MEMORY,)
    assert control.findings == ()


@pytest.mark.skipif(sys.platform != "linux", reason="the limits are those of Linux")
def test_a_file_that_hangs_its_reader_is_stopped_by_the_limit_alone(opened: Callable[[bytes], BinaryIO]) -> None:
    """Beginnings of streams without an end: every one is looked for to the end of the file."""
    with opened(b"%PDF-1.7\n" + b"stream\n\x78\x9c" * 60_000 + b"startxref\n0\n%%EOF\n") as file:
        assert inspect(file, "a.pdf", limits=Limits(cpu_s=1)).findings == (Found.LIMIT_TIME,)
        if LONG:
            assert inspect(file, "a.pdf", limits=Limits(cpu_s=120, wall_s=600.0)).findings == (), "the control"


def test_names_are_data(opened: Callable[[bytes], BinaryIO]) -> None:
    names = ("-c", "a\x00b.txt", "\udcff.txt", "x" * 5_000 + ".txt", "")
    assert {look(io.BytesIO(LETTER.encode()), name).preview for name in names} == {LETTER}
    with opened(LETTER.encode()) as file:
        assert inspect(file, "-".join(names)).verdict is Verdict.CLEAN

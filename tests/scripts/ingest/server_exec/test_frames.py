"""Frames: output arrives byte for byte, once, whatever the plugin shows twice."""

from __future__ import annotations

import contextlib
import os
import pty
import random
import secrets
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local_aws.testing.ecs import until
from scripts.ingest.server_exec import frames
from scripts.ingest.server_exec.frames import Frame, Lost, Reader
from scripts.ingest.server_exec.inside import SIZE, frame

BANNER = b"\nStarting session with SessionId: ecs-execute-command-0123456789abcdef\n"
BYTES = bytes(range(256)) + "\N{SNOWMAN}\N{GRINNING FACE}{}".encode()


def read(text: bytes, *, at_once: int = 7) -> list[Frame]:
    """What a reader finds in what comes in small pieces."""
    reader = Reader()
    found = []
    for at in range(0, len(text), at_once):
        found += list(reader.feed(text[at : at + at_once]))
    return found


def sent(*data: bytes) -> bytes:
    return "".join(frame(number, "o", each) for number, each in enumerate(data)).encode()


def test_bytes_arrive_whatever_borders_the_pieces_have() -> None:
    for at_once in (1, 2, 3, 1000):
        assert b"".join(each.data for each in read(BANNER + sent(BYTES, BYTES), at_once=at_once)) == BYTES * 2


@pytest.mark.parametrize("seed", range(4))
def test_a_message_that_is_shown_twice_anywhere_counts_once(seed: int) -> None:
    chance = random.Random(seed)
    data = [chance.randbytes(chance.choice((0, 1, 3, 40, SIZE))) for _ in range(8)]
    text = sent(*data)
    for _ in range(25):
        begin = chance.randrange(len(text))
        end = min(len(text), begin + chance.choice((1, 2, 10, 100, 1024)))
        twice = text[:end] + text[begin:end] + text[end:]
        assert [each.data for each in read(twice, at_once=300)] == data, (begin, end)


def test_what_is_the_same_all_over_counts_once_too() -> None:
    text = sent(bytes(SIZE), bytes(SIZE))
    twice = text[:200] + text[100:200] + text[200:]
    assert [each.data for each in read(twice)] == [bytes(SIZE)] * 2


def test_a_lost_frame_is_noticed() -> None:
    first, second, third = (frame(number, "o", b"x").encode() for number in range(3))
    assert [each.number for each in read(first + second + third)] == [0, 1, 2]
    with pytest.raises(Lost):
        read(first + third)
    with pytest.raises(Lost):
        read(first + second.replace(b"eA==", b"eB==") + third)


def test_what_is_no_frame_is_kept_for_the_message() -> None:
    reader = Reader()
    assert not list(reader.feed(BANNER + b"runuser: user omero-server does not exist\r\n"))
    reader.end()
    assert not reader.began
    assert b"does not exist" in reader.said


def outcome(script: str) -> tuple[bytes, bytes, int, str]:
    """Of the program that would run in the container, on no terminal: both streams, the exit code, and the kinds."""
    shell, option, line = shlex.split(frames.command(script, "alice"))
    line = line.replace(f"runuser -u alice -- {frames.PYTHON}", shlex.quote(sys.executable))
    done = subprocess.run([shell, option, line], capture_output=True, check=True, timeout=30)
    found = read(done.stdout)
    streams = [b"".join(each.data for each in found if each.kind == kind) for kind in "oe"]
    return streams[0], streams[1], int(found[-1].data), "".join(each.kind for each in found)


def test_streams_are_told_apart_and_the_exit_code_is_the_commands() -> None:
    out, err, code, kinds = outcome("printf '\\377\\0\\r\\n{0 x}'; echo bad >&2; exit 7")
    assert (out, err, code) == (b"\xff\0\r\n{0 x}", b"bad\n", 7)
    assert (kinds[0], kinds[-1]) == ("s", "x")
    assert outcome("kill -9 $$")[2] == 137
    assert outcome("/no/such")[2] == 127


def test_what_a_command_leaves_running_is_not_waited_for() -> None:
    out, _, code, _ = outcome("sleep 60 & echo started")
    assert (out, code) == (b"started\n", 0)


def test_names_that_are_not_utf8_reach_the_script() -> None:
    name = b"a\xff'b".decode("utf-8", "surrogateescape")
    assert outcome(shlex.join(["printf", "%s", name]))[0] == b"a\xff'b"


def test_ctrl_c_throws_away_no_output() -> None:
    words = shlex.split(frames.command("trap 'exit 9' INT; while :; do seq 1000; done", "alice"))
    words[2] = words[2].replace(f"runuser -u alice -- {frames.PYTHON}", shlex.quote(sys.executable))
    pid, leader = pty.fork()
    if pid == 0:
        os.execv(words[0], words)  # noqa: S606 - it is what is tested
    time.sleep(2)  # nobody reads, until no more can be written
    os.write(leader, b"\x03")
    text = b""
    with contextlib.suppress(OSError):  # its end
        while some := os.read(leader, 4096):
            text += some
    os.waitpid(pid, 0)
    os.close(leader)
    last = read(text, at_once=4096)[-1]
    assert (last.kind, last.data) == ("x", b"9")
    assert len(text) > 10_000


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("runuser"), reason="only root becomes another user")
def test_the_end_of_a_session_ends_the_command() -> None:
    """By the real runuser, with bash for sh, as OMERO's image has them."""
    seconds = f"60.{secrets.randbelow(10**9)}"
    line = frames.command(f"trap '' INT; sleep {seconds}; true", "nobody")
    words = shlex.split(line.replace(frames.PYTHON, "/usr/bin/python3"))
    pid, leader = pty.fork()
    if pid == 0:
        os.execv("/bin/bash", words)  # noqa: S606 - it is what is tested
    assert read(os.read(leader, 1024))[0].kind == "s"
    until(lambda: running(seconds))
    os.close(leader)
    until(lambda: not running(seconds), seconds=20)
    os.waitpid(pid, 0)


def running(word: str) -> bool:
    """Whether there is a process with it among its arguments."""
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in each.read_bytes().split(b"\0"):
                return True
    return False

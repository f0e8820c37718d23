"""What an inspecting process may not do, taken from it before it sees the first byte of a file (security 6.3, 10).

Limits of the kernel that hold for whoever takes the process over, too: memory, processor, no new file, no written byte,
no process, no network. It reads standard input, writes one answer to standard output, and ends.

Dangerous assumption: everything that is needed has been imported before; afterwards nothing can be opened.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from dataclasses import dataclass
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_SIGKILL: Final = 9
_NOBODY: Final = 65534
_EPERM: Final = 1
#: Standard input, output and error. No other descriptor can be had.
_DESCRIPTORS: Final = 3

# Classic BPF: load a word of seccomp_data, compare, return (linux/filter.h, linux/seccomp.h).
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000 | _EPERM, 0x7FFF0000
_X32: Final = 0x40000000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """A kind of processor: its audit number, and the numbers of the calls that are refused."""

    audit: int
    refused: tuple[int, ...]


# Sockets of every kind, programs and processes, other processes' memory, files and names, keys, and the calls that do
# any of these by another way (io_uring, bpf, userfaultfd, memfd_create, unshare, setns, mount).
_MACHINES: Final = {
    "x86_64": _Machine(
        audit=0xC000003E,
        refused=(
            2, 41, 42, 43, 44, 46, 49, 50, 53, 56, 57, 58, 59, 62, 82, 83, 85, 86, 87, 88, 90, 92, 101, 165, 248, 249,
            250, 257, 258, 260, 263, 264, 265, 266, 268, 272, 288, 298, 304, 307, 308, 310, 311, 316, 319, 321, 322,
            323, 425, 435, 437,
        ),
    ),
    "aarch64": _Machine(
        audit=0xC00000B7,
        refused=(
            34, 35, 36, 37, 38, 40, 53, 54, 56, 97, 117, 129, 198, 199, 200, 201, 202, 203, 206, 211, 217, 218, 219,
            220, 221, 241, 242, 265, 268, 269, 270, 271, 276, 279, 280, 281, 282, 425, 435, 437,
        ),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file may cost: bytes of memory, seconds of the processor, seconds on the clock of the wall."""

    memory: int = 512 * 1024 * 1024
    cpu_s: int = 30
    wall_s: float = 60.0


def confine(limits: Limits) -> list[str]:
    """Take from this process whatever it does not need; return what of it the kernel granted, for the operator."""
    held = []
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
    if _has_no_network(libc):
        held.append("no network")
    if _is_nobody():
        held.append("nobody")
    for what, most in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
    ):
        resource.setrlimit(what, (most, most))
    held.append("limits")
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        held.append("no privileges")
        if _is_filtered(libc):
            held.append("no calls")
    return held


def _has_no_network(libc: ctypes.CDLL) -> bool:
    """Go into a network of its own that has no device; needs a kernel that lets this user do so."""
    unshare = getattr(libc, "unshare", None)
    if unshare is None:
        return False
    return any(unshare(flags) == 0 for flags in (_CLONE_NEWNET, _CLONE_NEWUSER | _CLONE_NEWNET))


def _is_nobody() -> bool:
    """Give up the rights of root, if this process has them."""
    if os.geteuid() != 0:
        return False
    try:
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    except OSError:  # in a user namespace without other users
        return False
    return True


def _is_filtered(libc: ctypes.CDLL) -> bool:
    machine = _MACHINES.get(platform.machine())
    if machine is None:
        return False
    rules = _rules(machine)
    program = ctypes.create_string_buffer(b"".join(rules))
    head = struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(program))
    found: int = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, head, 0, 0)
    return found == 0


def _rules(machine: _Machine) -> list[bytes]:
    """Return the filter: refuse with EPERM what the list names, kill what speaks another machine's language."""
    refused = machine.refused
    rules = [
        _rule(_LOAD, _ARCHITECTURE_AT),
        _rule(_EQUAL, machine.audit, yes=1),
        _rule(_RETURN, _KILL),
        _rule(_LOAD, _NUMBER_AT),
        _rule(_AT_LEAST, _X32, yes=len(refused) + 1),
    ]
    for place, number in enumerate(refused):
        rules.append(_rule(_EQUAL, number, yes=len(refused) - place))
    return [*rules, _rule(_RETURN, _ALLOW), _rule(_RETURN, _REFUSE)]


def _rule(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)

"""What an inspecting process may not do, taken from it before it sees the first byte of a file (security 6.3, 10).

Limits of the kernel that hold for whoever takes the process over, too: memory, processor, no new file, no written byte,
no process, no network, no signal to others. It reads standard input, writes one answer to standard output, and ends.

Dangerous assumption: everything that is needed has been imported before; afterwards nothing can be opened.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
from collections.abc import Sequence
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
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_KILL, _REFUSE, _ALLOW = 0x80000000, 0x00050000 | _EPERM, 0x7FFF0000

#: Audit number and column below of each kind of processor.
_MACHINES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
#: The calls of a reader that has everything open which it needs: read, answer, memory, end. Whatever is not here is
#: refused, so a call that a later kernel brings is, too.
_CALLS: Final = {
    "read": (0, 63), "write": (1, 64), "pread64": (17, 67), "lseek": (8, 62), "close": (3, 57), "fstat": (5, 80),
    "newfstatat": (262, 79), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216),
    "madvise": (28, 233), "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "futex": (202, 98), "sched_yield": (24, 124),
    "restart_syscall": (219, 128), "clock_gettime": (228, 113), "getrandom": (318, 278), "getpid": (39, 172),
    "gettid": (186, 178), "exit": (60, 93), "exit_group": (231, 94),
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


def allowed_calls() -> frozenset[int]:
    """Return the numbers of the calls that are left on this kind of processor; none if it is not known here."""
    if platform.machine() not in _MACHINES:
        return frozenset()
    _, column = _MACHINES[platform.machine()]
    return frozenset(numbers[column] for numbers in _CALLS.values())


def _is_filtered(libc: ctypes.CDLL) -> bool:
    if platform.machine() not in _MACHINES:
        return False
    rules = _rules(_MACHINES[platform.machine()][0], sorted(allowed_calls()))
    program = ctypes.create_string_buffer(b"".join(rules))
    head = struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(program))
    found: int = libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, head, 0, 0)
    return found == 0


def _rules(machine: int, allowed: Sequence[int]) -> list[bytes]:
    """Return the filter: allow what is listed, refuse the rest with EPERM, kill another machine's words."""
    rules = [
        _rule(_LOAD, _ARCHITECTURE_AT),
        _rule(_EQUAL, machine, yes=1),
        _rule(_RETURN, _KILL),
        _rule(_LOAD, _NUMBER_AT),
    ]
    for place, number in enumerate(allowed):
        rules.append(_rule(_EQUAL, number, yes=len(allowed) - place))
    return [*rules, _rule(_RETURN, _REFUSE), _rule(_RETURN, _ALLOW)]


def _rule(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)

"""Templates that one test has compiled serve the next; each application would compile every page anew."""

from __future__ import annotations

from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from typing_extensions import override


class _Compiled(BytecodeCache):
    """What this process has compiled; a bucket knows its source, so a changed template is compiled again."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    @override
    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._known:
            bucket.bytecode_from_string(self._known[bucket.key])

    @override
    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key] = bucket.bytecode_to_string()


def share_compiled() -> None:
    """Let every application of this process use one cache."""
    Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": _Compiled()}

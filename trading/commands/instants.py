"""An instant on the command line: ISO 8601 with an offset, or milliseconds; what names no single one is refused."""

from __future__ import annotations

from typing import Final

import click
from typing_extensions import override

from trading.kernel.errors import InvalidInput
from trading.kernel.instants import parse_instant
from trading.web import refusals


class InstantParam(click.ParamType[int]):
    """An option's instant (ms); ``InvalidInput`` of ``parse_instant`` becomes a usage error in both languages."""

    name = "instant"

    @override
    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int) or value.isdecimal():
            return int(value)
        try:
            return parse_instant(value)
        except InvalidInput as error:
            told = refusals.find(error.code, "input")
            zh, en = (told.say(language, error.facts) for language in refusals.LANGUAGES)
            self.fail(f"{zh.happened}{zh.next} / {en.happened} {en.next}", param, ctx)


INSTANT: Final = InstantParam()

"""``mingbiao``: one group of commands, each loaded only when it is called.

So ``mingbiao bid`` on a bidder's machine never imports the server, and ``mingbiao verify`` nothing of ``trading`` but
this file. Exit codes: 0 done, 1 a check failed, 2 wrong usage or something could not be checked (P11).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, cast

import click
from typing_extensions import override

# name of the command, and before it that of its group -> where it is: "module:attribute", a click command or group
COMMANDS: Mapping[str, str] = {
    "authority": "agents.authority:main",
    "clock": "trading.clockwork:clock",
    "clock-state": "trading.commands.clock_state:clock_state",
    "desk": "trading.commands.desk:desk",
    "practice run": "trading.commands.practice:practice_run",
    "practice set-up": "trading.commands.practice:practice_set_up",
    "probe open": "trading.commands.probes:open_probe",
    "probe run": "agents.probe.cli:run",
    "procedure": "trading.commands.procedure:procedure",
    "bid": "agents.bid.commands:main",
    "docs": "trading.commands.docs:docs",
    "contributor": "agents.contributor.cli:main",
    "contact": "trading.commands.contact:contact",
    "custodian": "agents.custodian.cli:main",
    "doctor": "trading.up.commands:doctor",
    "evidence": "trading.commands.evidence:evidence",
    "experts": "trading.commands.experts:experts",
    "fsck": "trading.commands.audits:fsck",
    "import check": "trading.commands.importing:check",
    "import ocds": "trading.commands.importing:ocds",
    "intake": "agents.intake.cli:main",
    "key": "agents.keys:main",
    "log close": "trading.commands.origins:close",
    "log continue": "trading.commands.origins:resume",
    "log key": "agents.logkeys:key_group",
    "mirror": "trading.commands.mirror:mirror",
    "monitor": "agents.monitor:main",
    "scripts": "agents.scripts:main",
    "outbox": "trading.commands.outbox:outbox",
    "release": "trading.up.commands:release",
    "sign": "agents.signing:sign",
    "sequencer": "trading.audit.sequencer.command:main",
    "statistics": "trading.commands.statistics:statistics",
    "station": "agents.station.cli:main",
    "tamper": "trading.demo.tamper:tamper",
    "up": "trading.up.commands:up",
    "user": "trading.commands.user:user",
    "verify-audit": "trading.commands.audits:verify_audit",
    "witness": "agents.witness:main",
}


@click.command("verify", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def verify(arguments: tuple[str, ...]) -> None:
    """Check a bundle or receipt offline, with the verifier's own code; its --help says how."""
    main_of_verifier = importlib.import_module("verifier.cli").main
    raise SystemExit(main_of_verifier(list(arguments)))


@click.group("draw")
def draw() -> None:
    """抽取评标专家: recompute a draw of experts from a bundle."""


@draw.command("recompute", context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def recompute(arguments: tuple[str, ...]) -> None:
    """Verify a bundle offline and print every draw in it as recomputed: numbers, seed, order, calls, seats."""
    main_of_verifier = importlib.import_module("verifier.cli").main
    raise SystemExit(main_of_verifier([*arguments, "--draws"]))


class LazyGroup(click.Group):
    """A group whose commands are named in a table and imported at their first use; ``under`` is its own name there."""

    def __init__(self, name: str | None = None, *, under: str = "", **attributes: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(name, **attributes)
        self._under = under

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        names = [name.removeprefix(self._under) for name in COMMANDS if name.startswith(self._under)]
        return sorted([*(name for name in names if " " not in name), *super().list_commands(ctx)])

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        where = COMMANDS.get(self._under + cmd_name)
        if where is None:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = where.partition(":")
        return cast("click.Command", getattr(importlib.import_module(module), attribute))

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The usual list shows each command's help, and for that would import every one of them, server included.
        with formatter.section("Commands"):
            formatter.write_text(", ".join(self.list_commands(ctx)))


@click.group("mingbiao", cls=LazyGroup)
@click.version_option(package_name=None, version="0.1.0", prog_name="mingbiao")
def main() -> None:
    """Mingbiao (明标): a public resource trading platform with verifiable sealed bidding."""


for own in (
    draw,
    verify,
    LazyGroup("import", under="import ", help="导入历史数据: what others published, kept apart from the record."),
    LazyGroup("log", under="log ", help="日志源: the key of the log, its end and its continuation."),
    LazyGroup("practice", under="practice ", help="模拟投标: the other sides of practice tenders."),
    LazyGroup(
        "probe", under="probe ", help="平台自测: the synthetic bidder that measures whether bids can be submitted."
    ),
):
    main.add_command(own)

if __name__ == "__main__":
    main(prog_name="mingbiao")

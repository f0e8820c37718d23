"""``mingbiao evidence``: the evidence of one bid at the installation, for whoever may have it (SB1 S11, ADR 0055).

Bidders have ``mingbiao bid evidence`` and the page of the lot; this is for those who are asked to decide about a bid.
"""

from __future__ import annotations

from pathlib import Path

import click

from trading.assembly import open_runtime, trust_file
from trading.audit.runtime import Runtime
from trading.commands.context import actor, telling
from trading.config import Settings
from trading.disclosure.service import BundleExtras, hand_out_evidence
from trading.kernel.digests import sha256_hex
from trading.kernel.errors import NotFound
from verifier.build import single_file_source


@click.command("evidence")
@click.argument("bid")
@click.option("--as", "login", required=True, help="Login of the bidder, its supervisor or an auditor.")
@click.option("--out", "target", required=True, type=click.Path(dir_okay=False, path_type=Path), help="A new file.")
@telling
def evidence(bid: str, login: str, target: Path) -> None:
    """Write the bundle with which anybody recomputes the result of BID; it is recorded who takes that of others."""
    settings = Settings.from_env("worker")
    write(open_runtime(settings, pool_size=2), settings.data_dir, login, bid, target)
    click.echo(f"已写入 / written: {target}  SHA-256 {sha256_hex(target.read_bytes())}")


def write(opened: Runtime, data_dir: Path, login: str, bid: str, target: Path) -> None:
    """Write the evidence of a bid to ``target``, mode 0600.

    Raises:
        NotFound: No trust file was handed to this installation, or as ``hand_out_evidence``.
        RuleBroken, Conflict: As ``hand_out_evidence``.
    """
    trust = trust_file(data_dir)
    if trust is None:
        raise NotFound("trust file")
    extras = BundleExtras(verifier=single_file_source(), trust=trust.doc, trust_sigs=trust.sigs_bytes)
    hand_out_evidence(opened, actor(opened, login), bid, target, extras)

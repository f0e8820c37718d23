"""``mingbiao log key new | show``: the key that signs checkpoints (P6.1).

It is made on the sequencer's host and never leaves it; what leaves is the vkey, for the policy in the trust file.
"""

from __future__ import annotations

from pathlib import Path

import click

from trading.audit.rules.note import ED25519, ML_DSA_44, VerifierKey, check_key_name
from trading.crypto.keyfiles import load_note_seed, new_note_seed
from trading.crypto.notes import ed25519_public, mldsa44_public
from trading.kernel.errors import MingbiaoError

_ORIGIN = click.option(
    "--origin", required=True, help="Origin of the log: its schema-less URL, e.g. log.example/audit."
)
_FILE = click.option(
    "--key-file", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File of the key, mode 0600."
)
_ML_DSA = click.option("--ml-dsa", is_flag=True, help="The optional ML-DSA-44 key instead of the Ed25519 key.")


@click.group("key")
def key_group() -> None:
    """Make or show the key that signs checkpoints."""


def log_vkey(origin: str, seed: bytes, *, ml_dsa: bool = False) -> str:
    """Return the vkey of the log called ``origin``; the key is called as the log (AL1 L1.3)."""
    kind, public_key = (ML_DSA_44, mldsa44_public(seed)) if ml_dsa else (ED25519, ed25519_public(seed))
    return VerifierKey(name=check_key_name(origin), kind=kind, public_key=public_key).vkey


@key_group.command("new")
@_ORIGIN
@_FILE
@_ML_DSA
def new(origin: str, key_file: Path, *, ml_dsa: bool) -> None:
    """Make a key; an existing file is never overwritten. Prints the vkey."""
    try:
        check_key_name(origin)
        click.echo(log_vkey(origin, new_note_seed(key_file), ml_dsa=ml_dsa))
    except (MingbiaoError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error


@key_group.command("show")
@_ORIGIN
@_FILE
@_ML_DSA
def show(origin: str, key_file: Path, *, ml_dsa: bool) -> None:
    """Print the vkey of an existing key."""
    try:
        click.echo(log_vkey(origin, load_note_seed(key_file), ml_dsa=ml_dsa))
    except (MingbiaoError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from error

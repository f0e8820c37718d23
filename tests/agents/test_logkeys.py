from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from tests.build.signed_log import LOG_SEED, ORIGIN, VECTORS
from trading.audit.rules.note import parse_vkey
from trading.cli import main
from trading.crypto.files import write_secret


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["log", "key", *words])
    return done.exit_code, done.output.strip()


def test_the_vkey_of_the_vectors(tmp_path: Path) -> None:
    write_secret(tmp_path / "log.key", LOG_SEED)
    options = ("--origin", ORIGIN, "--key-file", str(tmp_path / "log.key"))
    assert run("show", *options) == (0, VECTORS["al1_abc"]["vkey"])


def test_a_new_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "log.key"
    options = ("--origin", ORIGIN, "--key-file", str(file))
    code, vkey = run("new", *options)
    assert (code, parse_vkey(vkey).name, file.stat().st_mode & 0o777) == (0, ORIGIN, 0o600)
    seed = file.read_bytes()
    assert run("new", *options)[0] == 1
    assert file.read_bytes() == seed
    assert run("show", *options) == (0, vkey)
    file.chmod(0o644)
    assert run("show", *options)[0] == 1


def test_ml_dsa_bad_names_and_missing_files(tmp_path: Path) -> None:
    file = str(tmp_path / "log.pq.key")
    assert parse_vkey(run("new", "--ml-dsa", "--origin", ORIGIN, "--key-file", file)[1]).kind == 0x06
    assert run("new", "--origin", "a b", "--key-file", str(tmp_path / "x"))[0] == 1
    assert not (tmp_path / "x").exists()
    assert run("show", "--origin", ORIGIN, "--key-file", str(tmp_path / "x"))[0] == 1
    assert run("new", "--origin", ORIGIN, "--key-file", str(tmp_path / "no" / "x"))[0] == 1

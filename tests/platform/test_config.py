"""Settings: all or none, each process its own, every problem named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from trading.audit.authorities import parse_authorities
from trading.config import VARIABLES, ConfigError, Place, Process, Settings
from trading.config.checks import Context, problems_of
from trading.config.demo import EmbeddedServers, generate_secret
from trading.config.time_stamps import problems_of_credentials
from trading.up.commands import doctor

STRONG = "Vq7rT2mXw9ZkB4nLsD6fHj8pQy3cGe5u"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A DATA_DIR as ``mingbiao up`` leaves it."""
    keys = tmp_path / "keys"
    keys.mkdir()
    generate_secret(keys / "cookie.secret")
    (keys / "origin").write_text("demo.mingbiao/0123")
    for name in ("log.key", "ack.key", "contact.key"):
        private(keys / name, "a key")
    (tmp_path / "witness-policy").write_text("log …")
    EmbeddedServers(database="postgresql+psycopg://ROLE@/mingbiao?host=%2Fs", redis="unix:///s/v").write(tmp_path)
    return tmp_path


@pytest.fixture
def real(tmp_path: Path) -> dict[str, str]:
    """A correct environment of the web process with real servers."""
    (tmp_path / "policy").write_text("log …")
    return {
        "DATA_DIR": str(tmp_path / "data"),
        "DATABASE_URL": "postgresql://trading_web@localhost/mingbiao",
        "DATABASE_READ_URL": "postgresql://trading_reader:abcdefghijklmnop@db.example/mingbiao?sslmode=verify-full",
        "REDIS_URL": "rediss://cache.example",
        "OBJECT_STORE_URL": tmp_path.as_uri(),
        "LOG_DIR": str(tmp_path),
        "LOG_ORIGIN": "log.example/audit",
        "WITNESS_POLICY": str(tmp_path / "policy"),
        "SECRET_KEY_FILE": private(tmp_path / "secret", STRONG),
        "ACK_KEY_FILE": private(tmp_path / "ack", "a key"),
        "PUBLIC_URL": "https://ggzy.example",
    }


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def problems(process: str, environ: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as refused:
        Settings.from_env(process, environ)
    return str(refused.value)


@pytest.mark.parametrize("process", list(Process))
def test_without_servers_every_process_gets_the_embedded_ones_and_only_its_own_secrets(
    demo: Path, process: Process
) -> None:
    settings = Settings.from_env(process, {"DATA_DIR": str(demo)})
    assert settings.demo
    assert settings.log_origin.startswith("demo.")
    assert (settings.log_key_file is not None) == (process is Process.SEQUENCER)
    assert (settings.secret_key is not None) == (process is Process.WEB)
    assert (settings.ack_key_file is not None) == (process is Process.WEB)
    assert (settings.contact_key_file is not None) == (process is Process.CONTACT)
    role = "postgres" if process is Process.RELEASE else f"trading_{process}"
    if process is Process.MIRROR:
        assert settings.database_url == ""
    else:
        assert settings.database_url.startswith(f"postgresql+psycopg://{role}@/")


AUTHORITIES = "ntsc=https://tsa.example/tsr other.tsa=http://127.0.0.1:318/?policy=1"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("ntsc=https://tsa.example/tsr", "two words name=URL"),
        (f"{AUTHORITIES} third=https://third.example", "two words name=URL"),
        ("NTSC=https://tsa.example other=https://other.example", "two words name=URL"),
        (f"{'n' * 41}=https://tsa.example other=https://other.example", "two words name=URL"),
        ("ntsc- =https://tsa.example", "two words name=URL"),
        ("ntsc=https://a.example ntsc=https://b.example", "names one authority twice"),
        ("ntsc=https://a.example/1 other=https://a.example/2", "names one authority twice"),
        ("ntsc=ftp://a.example other=https://b.example", "no http:// or https:// address"),
        ("ntsc other=https://b.example", "no http:// or https:// address"),
        ("ntsc=https://a.example:x/ other=https://b.example", "no http:// or https:// address"),
        ("ntsc=https://[a.example/ other=https://b.example", "no http:// or https:// address"),
        ("ntsc=https://me:hidden@a.example/ other=https://b.example", "TIME_STAMP_CREDENTIALS_FILE"),
        ("ntsc=https://a@a.example/ other=https://b@a.example:443/", "TIME_STAMP_CREDENTIALS_FILE"),
    ],
)
def test_time_stamps_are_two_different_authorities(value: str, reason: str) -> None:
    context = Context(process=Process.WORKER, demo=False, data_dir=Path("/nowhere"))
    told = "\n".join(problems_of({"TIME_STAMPS": value}, context))
    assert reason in told
    assert "hidden" not in told


def test_time_stamps_of_a_demonstration_stay_on_the_machine(demo: Path) -> None:
    context = Context(process=Process.WORKER, demo=True, data_dir=demo)
    found = [each for each in problems_of({"TIME_STAMPS": AUTHORITIES}, context) if "TIME_STAMPS" in each]
    assert found == ["TIME_STAMPS: the address of ntsc must be a loopback one while no real server is configured."]
    (demo / "time-stamps").write_text("a=http://127.0.0.1:1/ b=http://127.0.0.1:2/")
    assert Settings.from_env("worker", {"DATA_DIR": str(demo)}).time_stamps.startswith("a=http://127.0.0.1:1/")
    assert Settings.from_env("web", {"DATA_DIR": str(demo)}).time_stamps == ""
    assert [each.name for each in parse_authorities(AUTHORITIES, {})] == ["ntsc", "other.tsa"]


def told_of_credentials(folder: Path, text: str, mode: int = 0o600) -> str:
    file = folder / "credentials"
    file.touch(mode=mode)
    file.write_text(text)
    context = Context(process=Process.WORKER, demo=False, data_dir=folder)
    given = {"TIME_STAMPS": AUTHORITIES, "TIME_STAMP_CREDENTIALS_FILE": str(file)}
    return "\n".join(each for each in problems_of(given, context) if "CREDENTIALS" in each)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "names no authority"),
        ("ntsc me", "line 1 is not NAME"),
        ("# two\nntsc me:", "line 2 is not NAME"),
        ("ntsc me:hid\x07den", "line 1 is not NAME"),
        ("ntsc me:hidden\nntsc me:hidden", "line 2 names an authority for the second time"),
        ("nobody me:hidden", "names nobody, which TIME_STAMPS does not"),
    ],
)
def test_credentials_of_authorities_are_all_or_none(tmp_path: Path, text: str, reason: str) -> None:
    told = told_of_credentials(tmp_path, text)
    assert reason in told
    assert "hid" not in told


def test_credentials_of_authorities_are_private(tmp_path: Path, real: dict[str, str]) -> None:
    assert told_of_credentials(tmp_path, "ntsc me:hidden:too\nother.tsa you:open") == ""
    (tmp_path / "credentials").chmod(0o640)
    assert "mode 0600" in told_of_credentials(tmp_path, "ntsc me:hidden")
    plain = "ntsc=http://tsa.example other=http://b.example"
    found = list(problems_of_credentials("X", "ntsc me:hidden", plain))
    assert found == ["X: ntsc is asked without encryption, so its password would be read by anybody."]
    assert list(problems_of_credentials("X", "ntsc me:hidden", None)) == [
        "X names ntsc, which TIME_STAMPS does not; it is all or none."
    ]
    assert "must not hold it" in problems("web", real | {"TIME_STAMP_CREDENTIALS_FILE": "/x"})


@pytest.fixture
def worker(real: dict[str, str]) -> dict[str, str]:
    """A correct environment of the worker with real servers and no authority."""
    foreign = {"DATABASE_READ_URL", "SECRET_KEY_FILE", "ACK_KEY_FILE"}
    own = {name: value for name, value in real.items() if name not in foreign}
    return own | {"DATABASE_URL": "postgresql://trading_worker@localhost/mingbiao"}


def test_a_worker_without_authorities_or_a_second_store_says_so_and_starts(
    worker: dict[str, str], demo: Path, tmp_path: Path
) -> None:
    unstamped, alone = Settings.from_env("worker", worker).lacks
    assert "TIME_STAMPS is not set" in unstamped
    assert "OBJECT_COPY_URL is not set" in alone
    run = CliRunner().invoke(doctor, ["worker"], env=worker)
    assert (run.exit_code, unstamped in run.stderr, alone in run.stderr) == (0, True, True)
    worker["OBJECT_COPY_URL"] = (tmp_path / "copies").as_uri()
    assert Settings.from_env("worker", worker).lacks == (unstamped,)
    assert Settings.from_env("worker", worker | {"TIME_STAMPS": AUTHORITIES}).lacks == ()
    assert Settings.from_env("worker", {"DATA_DIR": str(demo)}).lacks == (), "its authorities are of no worth anyway"


def test_credentials_reach_the_authority_alone(tmp_path: Path, worker: dict[str, str]) -> None:
    file = private(tmp_path / "credentials", "# of the contract of 2026\nntsc me:hidden\n")
    given = worker | {"TIME_STAMPS": AUTHORITIES, "TIME_STAMP_CREDENTIALS_FILE": file}
    settings = Settings.from_env("worker", given)
    authorities = parse_authorities(settings.time_stamps, settings.time_stamp_credentials or {})
    assert [each.credentials for each in authorities] == ["me:hidden", None]
    shown = CliRunner().invoke(doctor, ["worker"], env=given).output
    assert "time_stamp_credentials" in shown
    for text in (shown, repr(settings), repr(authorities)):
        assert "hidden" not in text


def test_a_platform_that_was_never_started_is_a_clear_message(tmp_path: Path) -> None:
    assert "run.py serve" in problems("web", {"DATA_DIR": str(tmp_path)})


def test_real_servers_are_read_and_mean_production(real: dict[str, str]) -> None:
    settings = Settings.from_env("web", real)
    assert not settings.demo
    assert settings.secret_key == STRONG
    assert settings.listen == "127.0.0.1:8000"
    assert STRONG not in repr(settings)
    assert STRONG not in str(settings.described())


@pytest.mark.parametrize("name", [name for name, each in VARIABLES.items() if each.server and "web" in each.readers])
def test_all_or_none(real: dict[str, str], name: str) -> None:
    del real[name]
    assert f"{name} is not set" in problems("web", real)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("DATABASE_URL", "postgresql://trading_owner@localhost/mingbiao", "trading_web"),
        ("DATABASE_URL", "mysql://trading_web@localhost/mingbiao", "postgresql://"),
        ("DATABASE_URL", "postgresql://trading_web:short@localhost/mingbiao", "16 characters"),
        ("DATABASE_URL", "postgresql://trading_web@db.example/mingbiao", "verify-full"),
        ("DATABASE_READ_URL", "postgresql://trading_web@localhost/mingbiao", "trading_reader"),
        ("REDIS_URL", "redis://cache.example", "rediss://"),
        ("REDIS_URL", "http://cache.example", "unix://"),
        ("OBJECT_STORE_URL", "ftp://bucket", "file:///"),
        ("OBJECT_STORE_URL", "s3://bucket", "endpoint=https://host"),
        ("OBJECT_STORE_KEY_FILE", "/nowhere", "names no object storage"),
        ("OBJECT_COPY_URL", "ftp://bucket", "file:///"),
        ("OBJECT_COPY_URL", "s3://bucket?endpoint=https://s3.example", "OBJECT_COPY_KEY_FILE is not set"),
        ("LOG_ORIGIN", "demo.mingbiao/0123", "demo."),
        ("WITNESS_POLICY", "/nowhere", "no file"),
        ("ACK_KEY_FILE", "/nowhere", "no file"),
        ("PUBLIC_URL", "http://ggzy.example", "https://"),
        ("PUBLIC_URL", "https://ggzy.example/path", "alone"),
        ("LISTEN", "127.0.0.1", "host:port"),
        ("LISTEN", "127.0.0.1:none", "host:port"),
        ("RULEBOOK_DIR", "/nowhere", "no directory"),
        ("FLASK_DEBUG", "1", "refused"),
        ("SECRET_KEY", STRONG, "SECRET_KEY_FILE"),
        ("CRASH_AT", "L5", "tests"),
        ("ANYTHING", "PRIVATE+KEY+log.example+0+k", "signing key"),
    ],
)
def test_a_weak_or_surplus_value_is_refused(real: dict[str, str], name: str, value: str, reason: str) -> None:
    message = problems("web", real | {name: value})
    assert name in message
    assert reason in message


@pytest.mark.parametrize(
    ("name", "process"),
    [(name, str(p)) for name, each in VARIABLES.items() if each.secret for p in Process if p not in each.readers],
)
def test_a_process_that_finds_the_secret_of_another_refuses_to_start(demo: Path, name: str, process: str) -> None:
    assert f"{name} is set" in problems(process, {"DATA_DIR": str(demo), name: "anything"})


def test_a_web_process_refuses_to_start_beside_a_readable_log_key(real: dict[str, str]) -> None:
    keys = Path(real["DATA_DIR"], "keys")
    keys.mkdir(parents=True)
    private(keys / "log.key", "a key")
    assert "log key" in problems("web", real)


@pytest.mark.parametrize("secret", ["short", "a" * 64])
def test_weak_secrets_are_refused(real: dict[str, str], tmp_path: Path, secret: str) -> None:
    assert "too weak" in problems("web", real | {"SECRET_KEY_FILE": private(tmp_path / "weak", secret)})


def test_generated_secrets_are_refused_with_real_servers(real: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "generated"
    generate_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_text()
    generate_secret(path)
    assert path.read_text() == before
    assert "demonstration" in problems("web", real | {"SECRET_KEY_FILE": str(path)})
    keys = Path(real["DATA_DIR"], "keys")
    keys.mkdir(parents=True)
    assert "demonstration" in problems("web", real | {"ACK_KEY_FILE": private(keys / "ack.key", "a key")})


def test_key_files_are_private(real: dict[str, str]) -> None:
    Path(real["ACK_KEY_FILE"]).chmod(0o640)
    assert "mode 0600" in problems("web", real)


@pytest.mark.parametrize(("name", "value"), [("LISTEN", "0.0.0.0:80"), ("PUBLIC_URL", "http://ggzy.example")])
def test_a_demonstration_serves_this_machine_alone(demo: Path, name: str, value: str) -> None:
    assert "loopback" in problems("web", {"DATA_DIR": str(demo), name: value})


def test_demo_time_is_read_from_its_file(demo: Path) -> None:
    settings = Settings.from_env("clock", {"DATA_DIR": str(demo)})
    before = settings.clock().now_ms()
    settings.shift_file.write_text("86400000")
    assert settings.clock().now_ms() - before >= 86_400_000


def test_every_variable_is_documented_and_no_other() -> None:
    text = Path(__file__).parents[2].joinpath("docs/configuration.md").read_text(encoding="utf-8")
    rows = {
        match[1]: (match[2] == "●", match[3])
        for match in re.finditer(r"^\| `(\w+)` \| (●?) ?\| ([^|]+) \|", text, re.MULTILINE)
    }
    assert rows == {
        name: (
            each.server,
            "all" if len(each.readers) == len(Process) else ", ".join(p for p in Process if p in each.readers),
        )
        for name, each in VARIABLES.items()
    }


def test_an_upload_is_kept_for_days(real: dict[str, str]) -> None:
    for days in (1, 90):
        assert Settings.from_env("web", real | {"UPLOAD_DAYS": str(days)}).upload_days == days
    for value in ("0", "91", "7.5"):
        assert "UPLOAD_DAYS" in problems("web", real | {"UPLOAD_DAYS": value})


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("ARGON2_MEMORY_KIB", "19456", True),
        ("ARGON2_MEMORY_KIB", "19455", False),
        ("ARGON2_PASSES", "2", True),
        ("ARGON2_PASSES", "1", False),
        ("ARGON2_PASSES", "２", False),
    ],
)
def test_hashing_a_password_is_never_cheaper_than_the_default(name: str, value: str, fits: bool) -> None:  # noqa: FBT001 - a table
    context = Context(process=Process.WEB, demo=True, data_dir=Path("var"))
    assert (name in " ".join(problems_of({name: value}, context))) is not fits


BUCKET = "s3://sealed-parts/here?endpoint=https://s3.example&region=cn-north-1"


def test_object_storage_needs_an_address_and_a_key_and_tells_no_secret(real: dict[str, str], tmp_path: Path) -> None:
    key = private(tmp_path / "s3.key", f"AKID\n{STRONG}\n")
    environ = real | {"OBJECT_STORE_URL": BUCKET, "OBJECT_STORE_KEY_FILE": key}
    settings = Settings.from_env("web", environ)
    assert settings.object_store == Place(
        bucket="sealed-parts",
        prefix="here/",
        endpoint="https://s3.example",
        region="cn-north-1",
        style="auto",
        key="AKID",
        secret=STRONG,
    )
    reached = Settings.from_env("web", environ | {"OBJECT_STORE_URL": f"{BUCKET}&outside=https://files.example"})
    assert isinstance(reached.object_store, Place)
    assert (reached.object_store.outside, settings.object_store.outside) == ("https://files.example", "")
    for told in (repr(settings), str(settings.described())):
        assert "sealed-parts" in told
        assert STRONG not in told
    assert "OBJECT_STORE_KEY_FILE is not set" in problems("web", real | {"OBJECT_STORE_URL": BUCKET})
    for text in ("", "AKID", f"AKID {STRONG} more"):
        private(Path(key), text)
        assert "two lines" in problems("web", environ)
    Path(key).chmod(0o640)
    assert "mode 0600" in problems("web", environ)


def test_a_second_store_lies_elsewhere(real: dict[str, str], tmp_path: Path) -> None:
    copies = Settings.from_env("web", real | {"OBJECT_COPY_URL": (tmp_path / "copies").as_uri()})
    assert copies.object_copy == tmp_path / "copies"
    (tmp_path / "link").symlink_to(tmp_path)
    for same in (real["OBJECT_STORE_URL"], (tmp_path / "link").as_uri(), real["OBJECT_STORE_URL"] + "/"):
        assert "names the same place" in problems("web", real | {"OBJECT_COPY_URL": same})
    key = private(tmp_path / "s3.key", f"AKID\n{STRONG}\n")
    both = {"OBJECT_STORE_URL": BUCKET, "OBJECT_STORE_KEY_FILE": key, "OBJECT_COPY_KEY_FILE": key}
    for same in (BUCKET, "s3://sealed-parts/here/?endpoint=https://s3.example"):
        assert "names the same place" in problems("web", real | both | {"OBJECT_COPY_URL": same})
    for other in ("s3://sealed-parts/here?endpoint=https://s3.other", "s3://sealed-parts?endpoint=https://s3.example"):
        assert isinstance(Settings.from_env("web", real | both | {"OBJECT_COPY_URL": other}).object_copy, Place)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("s3://bucket?endpoint=http://s3.example", "https://"),
        ("s3://bucket?endpoint=https://user:secret@s3.example", "scheme and host alone"),
        ("s3://bucket?endpoint=https://s3.example/path", "scheme and host alone"),
        ("s3://bucket?endpoint=https://s3.example&outside=http://s3.example", "https://"),
        ("s3://bucket?endpoint=https://s3.example&outside=s3.example", "needs outside=https://host"),
        (
            "s3://bucket?endpoint=https://s3.example&outside=https://user:secret@s3.example",
            "needs outside=https://host",
        ),
        ("s3://bucket?endpoint=https://s3.example&outside=https://s3.example/path", "needs outside=https://host"),
        ("s3://bucket?endpoint=https://s3.example&key=secret", "nothing else"),
        ("s3://bucket?endpoint=https://s3.example&style=other", "nothing else"),
        ("s3://Bucket?endpoint=https://s3.example", "must be s3://bucket"),
        ("s3://bu?endpoint=https://s3.example", "must be s3://bucket"),
        ("s3://key:secret@bucket?endpoint=https://s3.example", "must be s3://bucket"),
        ("s3://bucket/../up?endpoint=https://s3.example", "must be s3://bucket"),
    ],
)
def test_addresses_of_object_storage(value: str, reason: str) -> None:
    for name, process in (("OBJECT_STORE_URL", Process.WEB), ("LOG_MIRROR_URL", Process.MIRROR)):
        context = Context(process=process, demo=False, data_dir=Path("var"))
        found = [each for each in problems_of({name: value}, context) if each.startswith(f"{name} ")]
        assert reason in " ".join(found)
        assert "secret" not in " ".join(found)
    for fits in (BUCKET, "s3://bucket?endpoint=http://127.0.0.1:9000&style=path"):
        context = Context(process=Process.MIRROR, demo=False, data_dir=Path("var"))
        assert [each for each in problems_of({"LOG_MIRROR_URL": fits}, context) if "LOG_MIRROR_URL must" in each] == []


def test_a_mirror_knows_the_bucket_and_nothing_else(real: dict[str, str], demo: Path) -> None:
    key = private(demo / "s3.key", f"AKID\n{STRONG}\n")
    own = {name: real[name] for name in ("DATA_DIR", "LOG_DIR", "LOG_ORIGIN", "WITNESS_POLICY")}
    settings = Settings.from_env("mirror", own | {"LOG_MIRROR_URL": BUCKET, "LOG_MIRROR_KEY_FILE": key})
    assert settings.log_mirror is not None
    assert (settings.log_mirror.bucket, settings.database_url) == ("sealed-parts", "")
    assert "must not hold it" in problems("mirror", own | {"DATABASE_URL": real["DATABASE_URL"]})
    assert "LOG_MIRROR_KEY_FILE is not set" in problems("mirror", own | {"LOG_MIRROR_URL": BUCKET})
    assert "names no object storage" in problems("mirror", own | {"LOG_MIRROR_KEY_FILE": key})
    shown = {"DATA_DIR": str(demo), "LOG_MIRROR_URL": BUCKET, "LOG_MIRROR_KEY_FILE": key}
    assert "no public head" in problems("mirror", shown)


@pytest.mark.parametrize(
    ("value", "fits"), [("1", True), ("10000", True), ("0", False), ("10001", False), ("-1", False), ("６４", False)]
)
def test_the_quantum_of_the_public_head_is_a_number_of_entries(value: str, *, fits: bool) -> None:
    context = Context(process=Process.SEQUENCER, demo=True, data_dir=Path("var"))
    assert ("LOG_QUANTUM" in " ".join(problems_of({"LOG_QUANTUM": value}, context))) is not fits

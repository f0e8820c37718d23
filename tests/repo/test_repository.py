"""The project's own shape: rules that neither types nor import contracts can show (style 7)."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

from tests.repo.tree import ROOT, files, name_of, text_of, tree_of

PRODUCT = ("trading", "agents", "verifier", "migrations", "benchmarks")
PYTHON = files(".py", *PRODUCT)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HERE = Path(__file__)
# The name under which a dependency is imported, where it is not its own.
IMPORTED_AS = {
    "flask-wtf": "flask_wtf",
    "flask-login": "flask_login",
    "flask-babel": "flask_babel",
    "argon2-cffi": "argon2",
    "pillow": "PIL",
}
# Started as a program, never imported by the product.
PROGRAMS = {"gunicorn"}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def packages_of(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports_of(path)}


def strings_of(path: Path) -> list[str]:
    return [n.value for n in ast.walk(tree_of(path)) if isinstance(n, ast.Constant) and isinstance(n.value, str)]


def test_no_file_names_a_download_host_or_a_path_of_one_machine() -> None:
    hosts = re.compile(r"(pypi|pythonhosted|npmjs|npmmirror|jsdelivr|unpkg|tsinghua\.edu|aliyun)\.(org|com|net)")
    paths = re.compile(r"(?<![\w.])/(work|root|home|opt)/\w")
    others = [path for path in files() if path != HERE]
    assert [name_of(path) for path in others if hosts.search(text_of(path)) or paths.search(text_of(path))] == []


def test_locks_name_no_host_and_pin_every_package_with_a_hash() -> None:
    locks = files(".txt", "requirements")
    assert len(locks) == 8
    for path in locks:
        text = text_of(path)
        assert "//" not in text
        pinned = re.findall(r"^[\w.-]+==\S+.*\\\n    --hash=sha256:", text, re.MULTILINE)
        assert len(pinned) == len(re.findall(r"^\w", text, re.MULTILINE)) > 0


def test_locks_agree_with_the_project_file() -> None:
    groups = {"runtime": PROJECT["project"]["dependencies"], **PROJECT["dependency-groups"]}
    for group, wanted in groups.items():
        locked = set(re.findall(r"^[\w.-]+==\S+", text_of(ROOT / "requirements" / f"{group}.txt"), re.MULTILINE))
        assert {re.sub(r"\[.*\]", "", each) for each in wanted} <= locked, f"run.py lock: {group}"


def test_every_dependency_is_used() -> None:
    used = {
        name.partition(".")[0] for path in (*PYTHON, ROOT / "worker.py") if path.exists() for name in imports_of(path)
    }
    names = {re.split(r"[\[=]", each)[0] for each in PROJECT["project"]["dependencies"]} - PROGRAMS
    assert {name for name in names if IMPORTED_AS.get(name, name.replace("-", "_")) not in used} == set()


def test_domain_labels_stand_in_one_place_and_once() -> None:
    digests = ROOT / "trading" / "kernel" / "digests.py"
    labels = [text for text in strings_of(digests) if text.startswith("mingbiao/")]
    assert len(labels) == len(set(labels)) > 5
    others = [path for path in files(".py", "trading", "agents") if path != digests]
    assert [name_of(path) for path in others if any(text in labels for text in strings_of(path))] == []


def test_one_file_commits() -> None:
    assert {name_of(path) for path in PYTHON if ".commit(" in text_of(path)} <= {
        "trading/audit/ledger.py",
        "agents/witness_state.py",  # its own little database on another organisation's machine
    }


def test_the_policy_of_the_installation_is_parsed_in_one_place() -> None:
    parsed = re.compile(r"parse\w*_policy\(\w+\.witness_policy\)")
    assert parsed.search("parse_log_policy(runtime.witness_policy)")
    assert [name_of(path) for path in PYTHON if parsed.search(text_of(path))] == []


def test_the_verifier_needs_the_standard_library_and_cryptography_alone() -> None:
    allowed = sys.stdlib_module_names | {"cryptography", "verifier"}
    assert {
        name_of(path): packages_of(path) - allowed for path in files(".py", "verifier") if packages_of(path) - allowed
    } == {}


def test_the_kernel_needs_the_standard_library_alone() -> None:
    outside = {name for path in files(".py", "trading/kernel") for name in imports_of(path)}
    outside = {name for name in outside if not name.startswith("trading.kernel")}
    assert {name.partition(".")[0] for name in outside} <= sys.stdlib_module_names | {"typing_extensions"}


def test_tests_wait_for_conditions_and_do_not_sleep() -> None:
    # Helpers that poll with a deadline live in tests/support; tests of races open their gaps for random moments.
    sleepers = [path for path in files(".py", "tests") if "time.sleep(" in text_of(path) and path != HERE]
    assert [name_of(path) for path in sleepers if not {"support", "concurrency"} & set(path.parts)] == []


def test_templates_load_nothing_from_elsewhere_and_carry_no_script_or_style_in_attributes() -> None:
    forbidden = re.compile(r"(src|href|action)\s*=\s*[\"'](https?:)?//|\son[a-z]+\s*=\s*[\"']|\sstyle\s*=\s*[\"']")
    found = {
        name_of(path): match[0] for path in files(".html", "templates") if (match := forbidden.search(text_of(path)))
    }
    assert found == {}


def test_links_between_pages_lead_somewhere() -> None:
    for path in files(".md"):
        targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(path))
        local = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
        assert [target for target in local if not (path.parent / target).exists()] == [], name_of(path)


def test_decisions_are_numbered_once_and_listed() -> None:
    pages = sorted(path.name for path in files(".md", "docs") if path.parent.name == "adr" and path.name != "README.md")
    numbers = [page[:4] for page in pages]
    assert len(numbers) == len(set(numbers))
    index = text_of(ROOT / "docs" / "adr" / "README.md")
    assert [page for page in pages if f"({page})" not in index] == []


def test_the_version_is_the_same_everywhere() -> None:
    version = PROJECT["project"]["version"]
    assert f'version="{version}"' in text_of(ROOT / "trading" / "cli.py")
    assert f"[{version}]" in text_of(ROOT / "CHANGELOG.md")


def test_code_carries_no_unfinished_notes() -> None:
    notes = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError")
    assert [name_of(path) for path in (*PYTHON, ROOT / "run.py") if notes.search(text_of(path))] == []


def test_only_what_needs_a_bucket_loads_the_library_of_object_storage() -> None:
    """It takes a third of a second and thirty megabytes of every process that imports it (ADR 0046)."""
    heavy = {"boto3", "botocore", "trading.storage.bucket", "trading.storage.s3", "trading.audit.mirroring"}
    loading = set()
    for path in files(".py", "trading", "agents"):
        top = [node for node in tree_of(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {alias.name for node in top for alias in node.names if isinstance(node, ast.Import)}
        names |= {node.module for node in top if isinstance(node, ast.ImportFrom) and node.module}
        loading |= {name_of(path)} if names & heavy or any(name.startswith("botocore.") for name in names) else set()
    assert loading == {
        "trading/storage/bucket.py",
        "trading/storage/s3.py",
        "trading/audit/mirroring.py",
        "trading/commands/mirror.py",  # loaded when it is called
    }

#!/usr/bin/env python3
"""Prepare everything and run one verb. Python's standard library only, because a bare machine has neither make nor uv.

The first call makes two virtual environments beside this file: ``.tools`` with a pinned uv, and ``.venv`` with the
packages of the lock files, whose hashes are checked. Later calls only compare digests and start at once.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".tools"
VENV = ROOT / ".venv"
LOCKS = ROOT / "requirements"
STAMP = VENV / "mingbiao-locks"
PYTHON = VENV / "bin" / "python"
MINIMUM = (3, 11)
PRODUCT = ("runtime", "embedded")
EVERYTHING = ("runtime", "embedded", "test", "dev")
WORKERS = "3"
WHOLE = (  # below tests/, in long runs: what has more in them than in ordinary ones
    *("browser", "campaigns", "properties", "verifier", "partners/test_libraries.py", "platform/test_inspection.py"),
    *("journeys/test_committee.py", "journeys/test_continued_opening.py", "journeys/test_outage.py"),
    *(f"journeys/test_{name}.py" for name in ("practice", "real_bids", "silence", "verify_audit")),
    *(f"usecases/{name}/test_every_column.py" for name in ("experts", "evaluation")), "web/api/test_draw_agents.py",
)  # fmt: skip
# Campaigns that load or kill a whole platform, one after the other; the others share the processors.
ALONE = ("kills", "bid_kills", "tender_kills", "publication_kills", "real_bids", "by_hand", "deadline_storm")


class Failure(Exception):
    """Something a person must put right; the text says what, in both languages."""


def say(chinese: str, english: str) -> None:
    """Print one line of progress in both languages."""
    print(f"› {chinese} / {english}", flush=True)


# --- preparation -----------------------------------------------------------------------------------------------------


def clean_environment() -> dict[str, str]:
    """Return our environment without what would make child processes slow or load foreign code."""
    unwanted = {"PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment |= {"UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON": sys.executable}
    if ssl.get_default_verify_paths().cafile:  # behind a proxy that ends TLS the system knows its certificate, not uv
        environment.setdefault("UV_SYSTEM_CERTS", "1")
    home = Path(environment.get("HOME", "/nonexistent"))
    if not os.access(home, os.W_OK):  # a service user without a home: keep the download cache with the tools
        environment["UV_CACHE_DIR"] = str(TOOLS / "cache")
        environment["PIP_CACHE_DIR"] = str(TOOLS / "cache-pip")
    return environment


def execute(*command: object, quiet: bool = False) -> None:
    """Run one step and let its output through.

    Raises:
        Failure: It did not succeed.
    """
    words = [str(word) for word in command]
    output = subprocess.DEVNULL if quiet else None
    if subprocess.run(words, cwd=ROOT, env=clean_environment(), stdout=output, check=False).returncode != 0:
        raise Failure(f"步骤失败 / A step failed: {' '.join(words)}")


def begin(*command: object) -> subprocess.Popen[str]:
    """Start one step whose output, errors among it, is read when it has ended."""
    words, out = [str(word) for word in command], subprocess.PIPE
    return subprocess.Popen(words, cwd=ROOT, env=clean_environment(), text=True, stdout=out, stderr=subprocess.STDOUT)


def prepare(groups: tuple[str, ...]) -> None:
    """Bring both environments to the state of the lock files and compile the translations."""
    make_tools()
    synchronise(groups)
    compile_translations()


def make_tools() -> None:
    """Make ``.tools`` with the pinned uv, checked by its hash."""
    lock, stamp = LOCKS / "tools.txt", TOOLS / "mingbiao-lock"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest and (TOOLS / "bin" / "uv").exists():
        return
    say("正在准备工具（仅首次）", "preparing tools, first time only")
    require_ensurepip()
    execute(sys.executable, "-m", "venv", "--clear", TOOLS)
    pip = (TOOLS / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    execute(*pip, "--require-hashes", "--no-deps", "--requirement", lock)
    stamp.write_text(digest)


def require_ensurepip() -> None:
    """Make sure that virtual environments can be made; Debian ships that part of Python as a package of its own.

    Raises:
        Failure: It is missing and we may not install it.
    """
    probe = subprocess.run([sys.executable, "-c", "import ensurepip, venv"], stderr=subprocess.DEVNULL, check=False)
    if probe.returncode == 0:
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("apt-get"):
        say(f"正在安装 {package}", f"installing {package}")
        os.environ.setdefault("DEBIAN_FRONTEND", "noninteractive")
        execute("apt-get", "update", "-qq", quiet=True)
        execute("apt-get", "install", "-y", "-qq", "--no-install-recommends", package, quiet=True)
        return
    raise Failure(
        f"缺少 Python 的 venv 组件，请执行 / Python's venv is missing; please run:\n  sudo apt-get install {package}"
    )


def synchronise(groups: tuple[str, ...]) -> None:
    """Install exactly the locked packages into ``.venv``; nothing happens if it has them, or these and more."""
    wanted = {f"{group} {lock_digest(group)}" for group in groups}
    present = set(STAMP.read_text().splitlines()) if STAMP.exists() else set()
    if wanted <= present and PYTHON.exists():
        return
    # Groups that were installed before stay, so that `demo` after `test` does not take the test tools away.
    known = {line.split()[0] for line in present} & set(EVERYTHING)
    chosen = [group for group in EVERYTHING if group in known or group in groups]
    say("正在安装依赖（按哈希校验）", "installing packages, checked by hash")
    STAMP.unlink(missing_ok=True)
    if not PYTHON.exists():
        execute(TOOLS / "bin" / "uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, VENV)
    locks = [LOCKS / f"{group}.txt" for group in chosen]
    execute(TOOLS / "bin" / "uv", "pip", "sync", "--python", PYTHON, "--require-hashes", *locks)
    STAMP.write_text("\n".join(f"{group} {lock_digest(group)}" for group in chosen))


def lock_digest(group: str) -> str:
    """Return the digest of a lock file and of the interpreter it is installed for."""
    content = (LOCKS / f"{group}.txt").read_bytes() + f"{sys.executable} {platform.python_version()}".encode()
    return hashlib.sha256(content).hexdigest()


def find_browser() -> None:
    """Name the Chromium of the tests: the one that is there, or else one unpacked below ``.tools``."""
    if not (found := os.environ.get("MINGBIAO_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")):
        say("正在准备测试用的浏览器", "preparing a browser for the tests")
        execute(PYTHON, "-m", "tests.build.browser", TOOLS)
    os.environ["MINGBIAO_BROWSER"] = found or str(TOOLS / "browser" / "chromium")


def compile_translations() -> None:
    """Compile the catalogues if the source of one is newer than its compiled form."""
    for source in (ROOT / "translations").glob("*/LC_MESSAGES/*.po"):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            say("正在编译译文", "compiling translations")
            execute(PYTHON, "-m", "trading.web.catalogues", "compile", quiet=True)
            return


def become(*command: object) -> None:
    """Replace this process by a program of ``.venv``, so that signals and the exit code are the program's own."""
    words = [str(PYTHON), *(str(word) for word in command)]
    os.chdir(ROOT)
    sys.stdout.flush()
    os.execve(words[0], words, clean_environment())  # noqa: S606 - no shell is meant


# --- verbs -----------------------------------------------------------------------------------------------------------


def demo(*arguments: str) -> None:
    """Run a whole tender on this machine and open it in the browser.

    在本机演示一个完整的交易项目。
    """
    prepare(PRODUCT)
    become("-m", "trading.demo", *arguments)


def serve(*arguments: str) -> None:
    """Start the platform with its own servers on this machine.

    在本机启动平台。
    """
    prepare(PRODUCT)
    become("-m", "trading.cli", "up", *arguments)


def mingbiao(*arguments: str) -> None:
    """Run a command of the product, such as `mingbiao verify BUNDLE`.

    运行产品命令。
    """
    prepare(PRODUCT)
    become("-m", "trading.cli", *arguments)


def bench(*arguments: str) -> None:
    """Measure: `bench NAME [--json]`.

    运行性能测量。
    """
    prepare(EVERYTHING)  # some measure with what the tests have
    if arguments[:1] == ("seal",):
        find_browser()
    become("-m", "benchmarks", *arguments)


def test(*arguments: str) -> None:
    """Run checks and tests: `test [rules | long [NAME] | PATH…]`.

    运行检查与测试。
    """
    prepare(EVERYTHING)
    find_browser()
    if not arguments:
        run_checks()
        run_tests([], dist="loadfile")
    elif arguments[0] == "long":
        os.environ |= {"MINGBIAO_CAMPAIGN": "long", "MINGBIAO_ALONE": " ".join(arguments[1:])}
        alone = [str(next(ROOT.glob(f"tests/[bc]*/test_{name}.py"), name)) for name in arguments[1:] or ALONE]
        run_tests(alone)
        if not arguments[1:]:
            run_tests([f"tests/{each}" for each in WHOLE] + [f"--ignore={each}" for each in alone], dist="load")
    else:  # a folder of tests by its name, or any path
        run_tests([f"tests/{each}" if (ROOT / "tests" / each).is_dir() else each for each in arguments])


def check() -> None:
    """Run style, types, import contracts, and the tests of rules and repository.

    快速检查。
    """
    prepare(EVERYTHING)
    run_checks()
    run_tests(["tests/repo", "tests/rules"])


def fix(*arguments: str) -> None:
    """Correct and format the code.

    自动修正代码格式。
    """
    prepare(EVERYTHING)
    execute(VENV / "bin" / "ruff", "check", "--fix", *arguments)
    execute(VENV / "bin" / "ruff", "format", *arguments)


def lock(*arguments: str) -> None:
    """Compile the lock files anew from pyproject.toml.

    重新生成依赖锁文件。
    """
    make_tools()
    common = ("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--quiet", *arguments)
    compile_one = (TOOLS / "bin" / "uv", "pip", "compile", *common)
    # New releases of what runs in production wait a week; a bad one is usually withdrawn by then.
    waiting = ("--exclude-newer", "1 week")
    execute(*compile_one, *waiting, "pyproject.toml", "--output-file", LOCKS / "runtime.txt")
    for group in EVERYTHING[1:]:
        cooled = waiting if group == "embedded" else ()
        source = ("--group", f"pyproject.toml:{group}", "--constraints", "requirements/runtime.txt")
        execute(*compile_one, *cooled, *source, "--output-file", LOCKS / f"{group}.txt")
    for group in ("tools", "browser"):
        execute(*compile_one, "--group", f"pyproject.toml:{group}", "--output-file", LOCKS / f"{group}.txt")


def shape() -> None:
    """Print the longest modules, functions and argument lists.

    打印代码规模。
    """
    prepare(EVERYTHING)
    become("-m", "tests.repo.shape")


def docs() -> None:
    """Write the generated pages of docs/ anew.

    重新生成文档。
    """
    prepare(EVERYTHING)
    become("-m", "trading.cli", "docs")


def release() -> None:
    """Test a clean tree and print the commands that publish it.

    检查并打印发布命令。
    """
    state = subprocess.run(["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=True)
    if state.stdout.strip():
        raise Failure(f"工作区有未提交的改动 / The tree has uncommitted changes:\n{state.stdout}")
    version = re.search(r'^version = "([^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    if version is None or f"[{version[1]}]" not in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        raise Failure("CHANGELOG.md 缺少该版本 / CHANGELOG.md has no section for this version")
    test()
    print(f"git tag --sign v{version[1]} --message 'Mingbiao {version[1]}'\ngit push origin main v{version[1]}")


VERBS: dict[str, Callable[..., None]] = {
    each.__name__: each for each in (demo, test, serve, bench, mingbiao, check, fix, lock, shape, docs, release)
}


# --- checks and tests ------------------------------------------------------------------------------------------------


def run_checks() -> None:
    """Run style, format, types, import contracts and the collection of tests, all at once; name every problem.

    Raises:
        Failure: At least one of them failed.
    """
    steps = (
        ("代码风格", "style", ("ruff", "check")),
        ("代码格式", "format", ("ruff", "format", "--check", "--quiet")),
        ("类型", "types", ("mypy",)),
        ("导入方向", "import contracts", ("lint-imports", "--no-logo")),
        # One process compiles what the workers of the run would each compile anew.
        ("测试收集", "test collection", ("pytest", "--collect-only", "-qq")),
    )
    failed, started = [], [begin(VENV / "bin" / words[0], *words[1:]) for _, _, words in steps]
    for (chinese, english, _), process in zip(steps, started, strict=True):
        say(chinese, english)
        output, _ = process.communicate()
        if process.returncode != 0:
            print(output)
            failed.append(f"{chinese} / {english}")
    if failed:
        raise Failure(f"检查未通过 / These checks failed: {'; '.join(failed)}")


def run_tests(paths: list[str], *, dist: str = "") -> None:
    """Run pytest, with a ``dist`` of xdist on all workers, and print how many tests ran.

    Raises:
        Failure: A test failed, or none ran.
    """
    say("测试", "tests")
    report = VENV / "mingbiao-tests.xml"
    report.unlink(missing_ok=True)
    options = ["-n", WORKERS, "--dist", dist, "--no-loadscope-reorder"] if dist else []
    words = [str(PYTHON), "-m", "pytest", "-q", f"--junitxml={report}", *options, *paths]
    code = subprocess.run(words, cwd=ROOT, env=clean_environment(), check=False).returncode
    if not report.exists():
        raise Failure("测试未能运行 / The tests did not run")
    head = report.read_text(encoding="utf-8")[:1000]
    count = {name: int(number) for name, number in re.findall(r' (tests|failures|errors|skipped)="(\d+)"', head)}
    skipped, failed, ran = count["skipped"], count["failures"] + count["errors"], count["tests"] - count["skipped"]
    say(f"运行测试 {ran} 项，失败 {failed}，跳过 {skipped}", f"{ran} ran, {failed} failed, {skipped} skipped")
    if code != 0 or ran == 0:
        raise Failure("测试未通过 / The tests did not pass")


def usage() -> str:
    """Return two lines of help per verb."""
    lines = ["用法 / Usage: python3 run.py VERB …"]
    for name, verb in VERBS.items():
        english, _, chinese = (inspect.getdoc(verb) or "").partition("\n\n")
        lines += ["", f"  {name:<9} {english}", f"            {chinese}"]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run one verb and return the exit code."""
    if sys.version_info < MINIMUM:
        print(f"需要 Python 3.11 或更高版本 / Python 3.11 or newer is needed; this is {platform.python_version()}.")
        return 2
    if os.name != "posix":
        print("需要 Linux 或 macOS（Windows 请用 WSL） / Linux or macOS is needed; on Windows use WSL.")
        return 2
    if not arguments or arguments[0] not in VERBS:
        print(usage())
        return 0 if arguments[:1] in ([], ["help"], ["--help"], ["-h"]) else 2
    try:
        verb, rest = VERBS[arguments[0]], arguments[1:]
        if rest and not inspect.signature(verb).parameters:
            raise Failure(f"不接受的参数 / Unexpected arguments: {' '.join(rest)}")
        verb(*rest)
    except Failure as failure:
        print(f"✗ {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

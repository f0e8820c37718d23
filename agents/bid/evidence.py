"""``mingbiao bid evidence``: fetches the bundle with which anybody recomputes the result of a bid (ADR 0055)."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Final

import click

from agents import http, passphrases
from agents.bid import shown
from agents.bid.workdir import WorkDir
from agents.words import Stopped, Unfinished, reporting, say

MOST: Final = 2**31  # bytes of a bundle
_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_EXISTING: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_LATER: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE})


@click.command("evidence")
@click.option("--dir", "directory", required=True, type=_FOLDER, help="Directory of this bid.")
@click.option("--token-file", required=True, type=_EXISTING, help="File with the access token, mode 0600.")
@click.option(
    "--out", "target", type=click.Path(dir_okay=False, path_type=Path), help="Or evidence.zip beside the bid."
)
def evidence(directory: Path, token_file: Path, target: Path | None) -> None:
    """Fetch the evidence of this bid's result, once the opening is complete; whoever gets the file can read the bid."""
    with reporting():
        work = WorkDir(directory)
        shown.demo(work.trust)
        path = target or directory / "evidence.zip"
        if path.exists():
            raise Stopped(f"{path} 已经存在，没有改动", f"{path} is there already and was not changed")
        digest = _fetched(work, passphrases.given(token_file, "") or "", path)
    say(f"已保存 {path}，SHA-256 {digest}", f"Saved {path}, SHA-256 {digest}")
    say(
        "任何人都可以用它离线验证：mingbiao verify；得到它的人能读到这份投标",
        "Anybody can check it offline: mingbiao verify; whoever gets it can read this bid",
    )


def _fetched(work: WorkDir, token: str, path: Path) -> str:
    url = f"{http.require_base(work.name.api)}/api/v1/bids/{work.name.bid}/evidence"
    try:
        return http.save(url, path, authorization=f"Bearer {token}", limit=MOST)
    except http.Unreachable as error:
        raise Unfinished(f"平台没有答复：{error}；没有保存", f"No answer: {error}; nothing was saved") from error
    except http.Refused as error:
        if error.status not in _LATER:
            raise
        raise Unfinished(
            f"现在还没有（{error.code}）：开标完成并见证后再试",
            f"Not there yet ({error.code}): try again when the opening is complete and witnessed",
        ) from error

"""Pages of opened files as images and text, each there for readers as soon as it is drawn (ADR 0067).

What was kept away has no pages. What is drawn is a help for the eye and no evidence: the file counts, and whatever is
lost of this is drawn again. Nothing here can stop an evaluation; a page that cannot be drawn is told as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile, gettempdir
from typing import Any, BinaryIO, Final, assert_never

from trading.audit.errands import Postponed
from trading.audit.ledger import Ledger
from trading.audit.runtime import Runtime
from trading.evaluation import queries, store
from trading.evaluation.queries import DrawnFile, DrawnPage, OpenedFile
from trading.inspection.easel import DRAWN, Missing, Told, drawn
from trading.inspection.findings import Verdict
from trading.inspection.pages import Page
from trading.kernel.errors import IntegrityFailure, NotFound
from trading.kernel.roles import Actor
from trading.storage.objects import ObjectStore

DRAW: Final = "evaluation.draw"
RETRY_MS: Final = 60_000
#: Pages of one run. Each process may take its minute, and a run must end within the ten that a worker gives it.
AT_ONCE: Final = 48
_ACTOR: Final = Actor.system("worker")


def is_drawn(file: OpenedFile) -> bool:
    """Whether a file gets pages: of a kind that has some, and not kept away."""
    return file.kind in DRAWN and file.verdict is not Verdict.QUARANTINED


def run(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Draw the next pages of one bid; the errand ``evaluation.draw``, which comes back until all are drawn."""
    target, bid, left = runtime.opened, str(arg["bid"]), AT_ONCE
    with runtime.ledger.read() as conn:
        now = runtime.ledger.platform_time(conn)
        files = queries.files_of(conn, bid) or ()
        begun = queries.drawings_of(conn, bid)
    if target is None:
        return None
    seen = set()
    for each in files:
        so_far = begun.get(each.sha256)
        if not is_drawn(each) or each.sha256 in seen or (so_far is not None and so_far.finished):
            continue
        seen.add(each.sha256)
        try:
            with _copied(target, each.sha256, runtime.spool or Path(gettempdir())) as file:
                left -= _draw(runtime.ledger, target, _Easel(bid, each, so_far, file), left)
        except (NotFound, IntegrityFailure, OSError) as error:
            raise Postponed(now + RETRY_MS, "an opened file cannot be read, or a page not be stored") from error
        if left <= 0:
            return now
    return None


@contextmanager
def _copied(target: ObjectStore, sha256: str, spool: Path) -> Iterator[BinaryIO]:
    """Yield a file as one of this machine, without a name, so that nothing is left of it whatever happens."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    with TemporaryFile(dir=spool) as file:
        file.writelines(target.chunks(sha256))
        file.flush()
        yield file


class _Easel:
    """One file that is being drawn: how far it came before, and where it lies now."""

    def __init__(self, bid: str, opened: OpenedFile, so_far: DrawnFile | None, file: BinaryIO) -> None:
        self.bid, self.sha256, self.kind, self.file = bid, opened.sha256, opened.kind, file
        self.first = 1 if so_far is None else so_far.drawn + 1
        self.broken = 0 if so_far is None else so_far.missing
        self.pages = 0 if so_far is None else so_far.pages


def _draw(ledger: Ledger, target: ObjectStore, easel: _Easel, most: int) -> int:
    """Draw at most ``most`` pages, each stored with its row before the next; return how many were looked at."""
    looked_at, is_finished = 0, True
    for each in drawn(easel.file, easel.kind, first=easel.first, broken=easel.broken):
        match each:
            case Told():
                easel.pages = each.pages
                with ledger.begin(_ACTOR) as uow:
                    store.put_drawing(uow, easel.bid, easel.sha256, pages=each.pages, finished=False)
                continue
            case Page():
                large, small = target.put(each.large), target.put(each.small)
                _keep(ledger, easel, DrawnPage(
                    number=each.number, large=large, small=small, width=each.width, height=each.height, text=each.text
                ))  # fmt: skip
            case Missing():
                _keep(ledger, easel, DrawnPage(number=each.number, large=None, small=None, width=0, height=0, text=""))
            case _ as never:
                assert_never(never)
        looked_at += 1
        is_given_up = isinstance(each, Missing) and each.rest
        if looked_at >= most and each.number < easel.pages and not is_given_up:
            is_finished = False
            break
    if is_finished:
        with ledger.begin(_ACTOR) as uow:
            store.put_drawing(uow, easel.bid, easel.sha256, pages=max(1, easel.pages), finished=True)
    return looked_at


def _keep(ledger: Ledger, easel: _Easel, page: DrawnPage) -> None:
    with ledger.begin(_ACTOR) as uow:
        store.add_page(uow, easel.bid, easel.sha256, page)

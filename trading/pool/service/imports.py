"""Imports of many applications at once: checked and taken by a worker, in the name of the keeper who brought the file.

What a keeper brings waits for a regulator like any other application. Every row is checked before the first is taken.
``good`` takes every good row, some hundred at a time; ``all`` takes all rows in one act or none. Both may be begun
anew at any point: how far the work is stands in the same transaction as the work.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from trading.accounts import queries as accounts
from trading.audit.ledger import Ledger, UnitOfWork
from trading.audit.runtime import Runtime
from trading.experts.rules.specialties import require_known
from trading.kernel.canonical import dumps
from trading.kernel.errors import InvalidInput, MingbiaoError, NotPermitted, RuleBroken
from trading.kernel.roles import Actor
from trading.pool import files, model, queries, store
from trading.pool.model import Applied
from trading.pool.queries import ImportRow
from trading.pool.rules.admission import require_admissible
from trading.pool.rules.dossier import Dossier, dossier_commit
from trading.pool.rules.sheet import Fault, header, read_row
from trading.pool.service.applications import candidate_of, edition_of, regime_of
from trading.pool.service.upkeep import require_keeper

ERRAND: Final = "pool.import"
MODES: Final = ("good", "all")
MOST_FAULTS: Final = 20_000
_AT_ONCE: Final = 500


_T = TypeVar("_T")


def _chunks(items: Iterable[_T], size: int) -> Iterator[tuple[_T, ...]]:
    each = iter(items)
    while chunk := tuple(islice(each, size)):
        yield chunk


def begin(ledger: Ledger, actor: Actor, raw: bytes, *, regime_name: str, mode: str) -> str:
    """Take a file in and wake the worker; return the name of the import.

    Raises:
        NotPermitted: No keeper.
        InvalidInput: ``pool.regime``, ``pool.mode``.
        RuleBroken: ``sheet.too_large``.
    """
    require_keeper(actor)
    regime, batch = regime_of(regime_name), model.new_batch()
    if mode not in MODES:
        raise InvalidInput("pool.mode", mode)
    if len(raw) > files.MOST_BYTES:
        raise RuleBroken("sheet.too_large", "EXP-27")
    with ledger.begin(actor) as uow:
        store.add_import(
            uow.connection,
            batch=batch,
            account_id=actor.account,
            format=files.form_of(raw),
            regime=regime.value,
            mode=mode,
            bytes=raw,
            created_at=uow.at,
        )
        uow.wake(ERRAND, {"batch": batch}, uow.at)
    return batch


def run(runtime: Runtime, arg: Mapping[str, Any]) -> int | None:
    """Check an import and take what is to be taken; an errand."""
    ledger, batch = runtime.ledger, str(arg["batch"])
    with ledger.upkeep() as conn:
        row, report = queries.import_of(conn, batch)
        raw = store.bytes_of(conn, batch)
        actor = accounts.actor_of(conn, row.account)
    if row.state in {"done", "refused"}:
        return None
    if row.state != "taking":
        report = _check(ledger, row, raw)
        if report is None:
            return None
    try:
        require_keeper(actor)
        _take(ledger, actor, row, raw, {fault.row for fault in read_report(report)})
    except (RuleBroken, NotPermitted) as error:
        _end(ledger, batch, "refused", [Fault(row=0, column="", code=error.code)])
    return None


def _check(ledger: Ledger, row: ImportRow, raw: bytes) -> bytes | None:
    """Check every row; return the report, or None if nothing is to be taken."""
    faults: list[Fault] = []
    good = count = 0
    seen: set[str] = set()
    try:
        for chunk in _chunks(_read(raw, row.format), _AT_ONCE):
            with ledger.upkeep() as conn:
                found = _checked(conn, row, chunk, seen)
                good += len(chunk) - len({fault.row for fault in found})
                count += len(chunk)
                faults += found[: max(0, MOST_FAULTS - len(faults))]
                store.set_import(conn, row.batch, state="checking", rows_read=count, rows_good=good)
            if len(faults) >= MOST_FAULTS:
                raise RuleBroken("sheet.faults", "EXP-27")
    except RuleBroken as error:
        _end(ledger, row.batch, "refused", [Fault(row=0, column="", code=error.code), *faults])
        return None
    if not good or (row.mode == "all" and faults):
        _end(ledger, row.batch, "refused", faults or [Fault(row=0, column="", code="sheet.empty")])
        return None
    report = write_report(faults)
    with ledger.upkeep() as conn:
        store.set_import(conn, row.batch, state="taking", report=report)
    return report


def _end(ledger: Ledger, batch: str, state: str, faults: list[Fault]) -> None:
    with ledger.upkeep() as conn:
        store.set_import(conn, batch, state=state, report=write_report(faults), bytes=b"")


def _read(raw: bytes, form: str) -> Iterator[tuple[int, Dossier | list[Fault]]]:
    read = files.rows(raw, form)
    _number, names = next(read)
    columns = header(names)
    for number, cells in read:
        yield number, read_row(number, cells, columns)


def _checked(
    conn: Connection, row: ImportRow, chunk: tuple[tuple[int, Dossier | list[Fault]], ...], seen: set[str]
) -> list[Fault]:
    """Return what is wrong in some rows: form, specialties, admission by the edition, people who are known."""
    at, regime, tree = Ledger.platform_time(conn), regime_of(row.regime), queries.tree(conn)
    edition = edition_of(at)
    numbers = [each.identity_no for _, each in chunk if isinstance(each, Dossier)]
    known, punished = queries.persons_known(conn, numbers), queries.persons_punished(conn, numbers)
    faults: list[Fault] = []
    for number, each in chunk:
        if not isinstance(each, Dossier):
            faults += each
            continue
        files_of = queries.numbers_of_person(conn, each.identity_no) if each.identity_no in punished else ()
        try:
            if each.identity_no in known or each.identity_no in seen:
                raise RuleBroken("pool.known", "EXP-08")
            require_known(tree, each.specialties)
            require_admissible(edition, regime, candidate_of(conn, each, files_of, at))
        except MingbiaoError as error:
            faults.append(Fault(row=number, column="", code=error.code))
        seen.add(each.identity_no)
    return faults


def _take(ledger: Ledger, actor: Actor, row: ImportRow, raw: bytes, bad: set[int]) -> None:
    good = (each for number, each in _read(raw, row.format) if number not in bad and isinstance(each, Dossier))
    if row.mode == "all":
        with ledger.begin(actor) as uow:
            store.lock_pool(uow)
            taken = sum(_enter(uow, row, chunk) for chunk in _chunks(good, _AT_ONCE))
            store.set_import(uow.connection, row.batch, state="done", rows_taken=taken, bytes=b"")
        return
    with ledger.upkeep() as conn:
        done = queries.import_of(conn, row.batch)[0].rows_taken
    for place, chunk in enumerate(_chunks(good, _AT_ONCE)):
        if (place + 1) * _AT_ONCE <= done:
            continue
        with ledger.begin(actor) as uow:
            store.lock_pool(uow)
            _enter(uow, row, chunk)
            store.set_import(uow.connection, row.batch, rows_taken=place * _AT_ONCE + len(chunk))
    with ledger.upkeep() as conn:
        store.set_import(conn, row.batch, state="done", bytes=b"")


def _enter(uow: UnitOfWork, row: ImportRow, chunk: tuple[Dossier, ...]) -> int:
    """Enter some applications with one record; whoever has applied since the rows were checked is left out.

    Raises:
        RuleBroken: ``pool.known``: the same, where all rows or none are to be taken.
    """
    known = queries.persons_known(uow.connection, [each.identity_no for each in chunk])
    if known and row.mode == "all":
        raise RuleBroken("pool.known", "EXP-08")
    chunk = tuple(each for each in chunk if each.identity_no not in known)
    if not chunk:
        return 0
    entered: list[Applied] = []
    dossiers: list[tuple[str, bytes, str]] = []
    for each in chunk:
        number, salt, body = model.new_number(), secrets.token_bytes(32), each.encode()
        commit = dossier_commit(salt, body)
        entered.append(Applied(number=number, commit=commit, regime=row.regime, via="import", state="waiting"))
        dossiers.append((number, salt, body))
    recorded = uow.record(model.applied(entered, row.batch))
    store.add_act(uow, recorded, model.KEEPS)
    store.add_files(uow, recorded, entered, row.batch)
    store.add_dossiers(uow, recorded, dossiers)
    return len(chunk)


def write_report(faults: list[Fault]) -> bytes:
    """Return a report as it is kept: rows, columns and codes, no value of anybody."""
    return dumps({"faults": [{"code": each.code, "column": each.column, "row": each.row} for each in faults]})


def read_report(raw: bytes | None) -> list[Fault]:
    """Return what ``write_report`` wrote."""
    return [] if raw is None else [Fault(**each) for each in json.loads(raw)["faults"]]

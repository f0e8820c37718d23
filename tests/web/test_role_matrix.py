"""Every role on every route, with its own object and with another's (G9, F50): nobody gets what is not theirs.

What is expected follows from the declarations, and whether a declaration is too wide from ``REALMS``, which knows which
roles belong where. The controls at the end make one declaration wrong and one missing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support.databases import Server, clone
from tests.support.insiders import Insiders
from tests.support.market import open_market
from tests.support.routes import EVERYWHERE, FILLERS, MAKERS, OWN_INSIDE, UNMADE, VALUES
from trading.accounts import service as accounts
from trading.demo import cast
from trading.kernel.roles import Actor, Role
from trading.web import permissions
from trading.web.permissions import PEOPLE, Permission, Row, allow, public

LEAST_CHECKS = 2_000
OK = range(200, 300)
#: Beginning of a path → who has any business there; the longest beginning counts.
REALMS: dict[str, frozenset[Role]] = {
    "/account": frozenset(PEOPLE),
    "/workspace": frozenset(PEOPLE),
    "/signout": frozenset(PEOPLE),
    "/agency": frozenset({Role.AGENCY, Role.REVIEWER}),
    "/bidder": frozenset({Role.BIDDER}),
    "/desk": frozenset({Role.DESK, Role.ADMIN}),
    "/audit": frozenset({Role.AUDITOR}),
    "/custodian": frozenset({Role.CUSTODIAN}),
    "/evaluation": frozenset({Role.EXPERT, Role.AGENCY, Role.REVIEWER, Role.SUPERVISOR, Role.CENTRE}),
    "/draws": frozenset({Role.CENTRE, Role.SUPERVISOR, Role.AGENCY, Role.REVIEWER, Role.AUDITOR, Role.EXPERT}),
    "/pool": frozenset({Role.CENTRE, Role.SUPERVISOR, Role.AUDITOR, Role.EXPERT}),
    "/experts": frozenset({Role.EXPERT, Role.BIDDER, Role.AGENCY, Role.REVIEWER}),
    "/standing": frozenset({Role.AUTHORITY}),
    "/upkeep": frozenset({Role.CENTRE}),
    "/disclosure/office": frozenset({Role.CENTRE}),
    "/specialties": frozenset(PEOPLE) - {Role.DESK, Role.ADMIN, Role.CUSTODIAN, Role.AUDITOR},
    "/supervision": frozenset({Role.SUPERVISOR, Role.AUDITOR, Role.CENTRE}),
    "/openings": frozenset({Role.AGENCY, Role.REVIEWER, Role.SUPERVISOR}),
    "/procedures": frozenset({Role.AGENCY, Role.REVIEWER, Role.SUPERVISOR, Role.BIDDER}),
    "/api/v1": frozenset({Role.AGENCY, Role.REVIEWER, Role.SUPERVISOR, Role.BIDDER}),
}
#: Pages of these beginnings are never public, whatever they declare.
PRIVATE = (
    "/agency",
    "/bidder",
    "/desk",
    "/audit",
    "/custodian",
    "/evaluation",
    "/supervision",
    "/workspace",
    "/experts",
    "/standing",
    "/upkeep",
    "/disclosure/office",
)


@dataclass(frozen=True)
class Check:
    """One request, made when it is asked for, and what its answer may be."""

    what: str
    ask: Callable[[], int]
    right: Callable[[int], bool]


@pytest.fixture(scope="module")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Insiders]:
    logging.disable(logging.CRITICAL)
    with (
        clone(server, demo=True) as database,
        open_market(database, tmp_path_factory.mktemp("matrix"), cast.BIDDERS[:2]) as market,
    ):
        market.app.config["WTF_CSRF_ENABLED"] = False
        market.draft()
        market.prove_local_keys()
        market.publish()
        yield Insiders(market)
    logging.disable(logging.NOTSET)


def rows(app: Flask) -> list[Row]:
    return [row for row in permissions.table(app) if not row.rule.startswith("/gallery")]


def undeclared(app: Flask) -> list[str]:
    return [row.rule for row in rows(app) if row.permission is None]


def too_wide(app: Flask) -> list[str]:
    """Return the routes whose declaration lets in roles that have no business there."""
    found = []
    for row in rows(app):
        permission = row.permission
        if permission is None:
            continue
        if permission.public and row.rule.startswith(PRIVATE):
            found.append(row.rule)
        if permission.roles:
            realm = max((start for start in REALMS if row.rule.startswith(start)), key=len, default="")
            if not realm or permission.roles - REALMS[realm]:
                found.append(row.rule)
    return found


def unnamed(app: Flask) -> list[str]:
    """Return the routes with variables of which tests/support/routes.py does not know what they can be."""
    return [
        row.endpoint
        for row in rows(app)
        if "<" in row.rule and row.endpoint not in VALUES and row.endpoint not in UNMADE
    ]


def address(world: Insiders, app: Flask, row: Row, role: Role) -> str:
    """Return the path with values that are the insider's."""
    rule = next(each for each in app.url_map.iter_rules() if each.endpoint == row.endpoint and each.rule == row.rule)
    names = VALUES.get(row.endpoint, {})
    values: dict[str, str | int] = {}
    for name in rule.arguments:
        values[name] = MAKERS[names.get(name) or FILLERS.get(name, "unknown")](world, role)
        if choices := re.search(rf"<any\((\w+)[^>]*:{name}>", row.rule):
            values[name] = choices[1]
        if f"<int:{name}>" in row.rule:
            values[name] = int(values[name])
    built = rule.build(values, append_unknown=False)
    assert built is not None, row
    return built[1]


def checks(world: Insiders, app: Flask) -> Iterator[Check]:
    """Yield every request: as a stranger, and as insider and outsider of every role."""
    for row in rows(app):
        if row.permission is None:
            continue
        api = row.endpoint.partition(".")[0] in app.extensions["api"]
        for method in row.methods:
            yield _as_stranger(world, app, row, method, api=api)
            for role in PEOPLE:
                for side in ("in", "out"):
                    yield _as_somebody(world, app, row, method, (side, role), api=api)


def _as_stranger(world: Insiders, app: Flask, row: Row, method: str, *, api: bool) -> Check:
    permission = row.permission
    assert permission is not None

    def ask() -> int:
        return _status(app.test_client(), address(world, app, row, Role.BIDDER), method)

    def right(status: int) -> bool:
        if permission.public:
            return status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and status < 500
        if permission.signed_by:
            return status not in OK and status < 500
        return status == (HTTPStatus.UNAUTHORIZED if api else HTTPStatus.SEE_OTHER)

    return Check(f"stranger {method} {row.rule}", ask, right)


def _as_somebody(world: Insiders, app: Flask, row: Row, method: str, who: tuple[str, Role], *, api: bool) -> Check:
    permission, (side, role) = row.permission, who
    assert permission is not None

    def ask() -> int:
        path, hidden = address(world, app, row, role), world.bid if side == "out" else ""
        acts = method != "GET" and (permission.public or role in permission.roles)  # it may end the session
        if acts or api:
            return _status(world.client(side, role, api=api), path, method, hidden)
        status = _status(world.reader(side, role), path, method, hidden)
        if status != HTTPStatus.SEE_OTHER:
            return status
        return _status(world.reader(side, role, fresh=True), path, method, hidden)  # the session was ended

    return Check(f"{side}-{role} {method} {row.rule}", ask, partial(_right, row, permission, who, api=api))


def _status(client: FlaskClient, path: str, method: str, hidden: str = "") -> int:
    """Return the status; 0 for an answer that holds ``hidden``, which its path does not."""
    with client.open(path, method=method) as answer:
        if answer.is_streamed and answer.mimetype == "text/event-stream":
            return answer.status_code  # closed without being read
        if hidden and hidden not in path and hidden.encode() in answer.data:
            return 0
        return answer.status_code


def _right(row: Row, permission: Permission, who: tuple[str, Role], status: int, *, api: bool) -> bool:
    """Whether the declaration allows this answer."""
    side, role = who
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or not status:
        return False
    if permission.public:
        return status not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
    if permission.signed_by:
        return status not in OK
    if role not in permission.roles:
        return status == HTTPStatus.FORBIDDEN
    if side == "out" and _is_bound(row, permission, role):
        # A program's body is read before its object: an empty one is refused alike whatever the object.
        return status == HTTPStatus.NOT_FOUND or (api and status == HTTPStatus.BAD_REQUEST)
    return row.endpoint in UNMADE or status not in {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
    }


def _is_bound(row: Row, permission: Permission, role: Role) -> bool:
    """Whether the object of this address belongs to somebody, for this role."""
    everywhere = role in EVERYWHERE.get(row.endpoint, ())
    return "<" in row.rule and permission.relation != "any" and row.endpoint not in OWN_INSIDE and not everywhere


def leaks(found: Iterator[Check]) -> tuple[int, list[str]]:
    """Run the checks; return how many they were, and those whose answer is not allowed."""
    count, wrong = 0, []
    for check in found:
        count += 1
        status = check.ask()
        if not check.right(status):
            wrong.append(f"{check.what}: {status}")
    return count, wrong


def test_every_route_is_declared_and_has_values(world: Insiders) -> None:
    app = world.market.app
    assert undeclared(app) == []
    assert unnamed(app) == [], "name their values in tests/support/routes.py"
    assert too_wide(app) == []


def test_every_role_on_every_route(world: Insiders) -> None:
    count, wrong = leaks(checks(world, world.market.app))
    assert "\n".join(wrong) == ""
    assert count >= LEAST_CHECKS, count


def test_no_step_up_route_acts_on_a_wrong_code(world: Insiders) -> None:
    """Whatever is sent, without a fresh second factor nothing is recorded (security 8)."""

    def entries() -> int:
        with world.ledger.read() as conn:
            return int(conn.exec_driver_sql("SELECT count(*) FROM log.audit_entry WHERE kind <> 'cover'").scalar_one())

    app, walked = world.market.app, 0
    for row in rows(app):
        if row.permission is None or not row.permission.step_up or "POST" not in row.methods:
            continue
        for role in sorted(row.permission.roles):
            client = world.client("in", role, api=False)
            path, before = address(world, app, row, role), entries()
            answer = client.post(path, data={"code": "aaaaa-aaaaa-aaaaa", "reason": "x", "role": "bidder"})
            assert answer.status_code != HTTPStatus.SEE_OTHER or row.endpoint in OWN_INSIDE, path
            assert entries() == before, path
            walked += 1
    assert walked > 20


def test_foreign_and_missing_look_the_same(world: Insiders) -> None:
    client = world.client("out", Role.AGENCY, api=False)
    foreign = client.get(f"/agency/procedures/{world.market.tender}")
    missing = client.get("/agency/procedures/T-2026-00000000")
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert foreign.text.replace(world.market.tender, "") == missing.text.replace("T-2026-00000000", "")


@pytest.mark.parametrize("role", PEOPLE)
def test_access_ends_with_the_next_request(world: Insiders, role: Role) -> None:
    """A role taken away, then an account closed: sessions and tokens die at once (F56)."""
    login = f"leaving-{role.value}"
    account = accounts.create_account(world.ledger, login=login, org_code=f"LEAVING-{role.value}", roles=(role,))
    world.accounts["leaving", role] = account
    world.tokens["leaving", role] = accounts.issue_token(world.ledger, login, ("read:own", "write:bids"))
    page, api = world.client("leaving", role, api=False), world.client("leaving", role, api=True)
    assert page.get("/workspace").status_code == HTTPStatus.OK
    before = api.get("/api/v1/bids").status_code
    assert before == (HTTPStatus.OK if role is Role.BIDDER else HTTPStatus.FORBIDDEN)
    accounts.end_membership(world.ledger, Actor.system("test"), account, role, reason="left")
    assert page.get("/workspace").status_code == HTTPStatus.FORBIDDEN
    assert api.get("/api/v1/bids").status_code == HTTPStatus.FORBIDDEN
    accounts.close_account(world.ledger, account)
    assert page.get("/workspace").status_code == HTTPStatus.SEE_OTHER
    assert api.get("/api/v1/bids").status_code == HTTPStatus.UNAUTHORIZED


def test_a_missing_and_two_wrong_declarations_are_found(world: Insiders) -> None:
    """Negative controls: forgotten, too wide, and a foreign object that is shown."""
    app = world.market.app
    view = app.view_functions["agency.procedure"]

    def leaking(reference: str) -> str:
        return f"the draft of {reference}"

    only = [row for row in rows(app) if row.endpoint == "agency.procedure"]
    try:
        app.view_functions["agency.procedure"] = leaking
        assert undeclared(app) == [only[0].rule]
        app.view_functions["agency.procedure"] = public(lambda reference: f"draft of {reference}")
        assert too_wide(app) == [only[0].rule]
        app.view_functions["agency.procedure"] = allow(Role.AGENCY, relation="own_org")(leaking)
        found = (check for check in checks(world, app) if check.what.endswith(only[0].rule))
        assert leaks(found)[1] == [f"out-agency GET {only[0].rule}: 200"]
    finally:
        app.view_functions["agency.procedure"] = view
    assert undeclared(app) == []

"""The pages of accounts in their states: full, empty and wrong. Forms are made inside the request that shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from tests.build.pages import NOW, Sample
from trading.accounts import forms
from trading.accounts.queries import AccountShown, Held
from trading.accounts.rules.requests import Request, RequestKind
from trading.accounts.service.credentials import Setup, SetupKind
from trading.accounts.service.demonstration import WayIn
from trading.accounts.service.sessions import Session, SignedIn
from trading.accounts.service.tokens import IssuedToken
from trading.accounts.views.joining import _picture
from trading.kernel.roles import Actor, Role
from trading.parties.model import SigningKey
from trading.parties.queries import Organisation
from trading.parties.rules.documents import make_key_revoke
from trading.web.forms import Form
from trading.web.signing import signable
from trading.wiring import DESKS

ORG: Final = "91110108MA0DEM0117"
KID: Final = "4f" * 32
PERSON: Final = SignedIn(
    id="s-1",
    actor=Actor(account="a-7k3m9q2d4x", roles=frozenset({Role.AGENCY, Role.REVIEWER}), organisation=ORG),
    login="li.wen",
    name="李雯",
    person="p-1",
)
KEY: Final = SigningKey(kid=KID, org_code=ORG, role="agency", alg="ES256", spki=b"", active=True)
OLD_KEY: Final = SigningKey(kid="a1" * 32, org_code=ORG, role="agency", alg="ES256", spki=b"", active=False)
COLLEAGUES: Final = [
    AccountShown(
        id="a-1",
        login="li.wen",
        name="李雯",
        org_code=ORG,
        active=True,
        memberships=(Held(role=Role.AGENCY, jurisdiction="CN"),),
    ),
    AccountShown(
        id="a-2",
        login="zhao.min",
        name="赵敏",
        org_code=ORG,
        active=True,
        memberships=(Held(role=Role.REVIEWER, jurisdiction="CN"),),
    ),
    AccountShown(id="a-3", login="old.hand", name="孙立", org_code=ORG, active=False, memberships=()),
]
AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X)",
)
CODES: Final = [
    f"{a}-{b}-{c}"
    for a, b, c in zip(["abcde", "fghij", "k2m3n", "q7r5s", "t4v6w"] * 2, ["p2q3r"] * 10, ["x4y5z"] * 10, strict=True)
]
REGISTRATION: Final = {
    "code": ORG,
    "name_zh": "清河课桌椅有限公司",
    "name_en": "Qinghe School Furniture Co.",
    "role": "bidder",
    "name": "李雯",
    "mail": "li@qinghe.example",
    "login": "li.wen",
}


def _request(kind: RequestKind, body: Mapping[str, Any], first_by: str | None = None) -> Request:
    return Request(
        id="R-7k3m9q2d",
        kind=kind,
        subject=ORG,
        asked_by=None if kind is RequestKind.ORGANISATION else "a-1",
        body=dict(body),
        created_at=NOW,
        first_by=first_by,
        state="waiting",
    )


REQUESTS: Final = [
    _request(RequestKind.ORGANISATION, REGISTRATION, "a-9"),
    _request(RequestKind.KEY, {"kid": KID, "role": "bidder"}),
    _request(RequestKind.SETUP, {"account": "a-1"}),
]
KNOWN: Final = {
    ORG: Organisation(code=ORG, name_zh="清河课桌椅有限公司", name_en="Qinghe School Furniture Co.", roles=("bidder",))
}
WAYS: Final = [
    WayIn(
        login="drafter",
        title_zh="临江县政府采购中心：编制",
        title_en="Linjiang Procurement Agency: drafting",
        note_zh="编制一个新项目，或为已发布的项目准备更正。",
        note_en="Draft a new procedure, or prepare a correction of a published one.",
        password="demo-1a2b3c4d5e6f",  # noqa: S106 - of a sample
        secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",  # noqa: S106 - of a sample
        recovery=tuple(CODES),
    )
]


def _form(kind: type[Form], errors: Mapping[str, str], options: Mapping[str, list[str]], **data: str) -> Form:
    """Return a form as it is shown: with what was typed, its options, and what is wrong."""
    form = kind(formdata=None, data=data)
    for name, values in options.items():
        form[name].choices = [(value, LABELS.get(value, value)) for value in values]
    for name, message in errors.items():
        form[name].errors = [message]
    return form


LABELS: Final = {
    "bidder": "投标人",
    "agency": "采购代理机构或采购人",
    "supervisor": "监督部门",
    "read:own": "读取自己的内容",
}


def form(kind: type[Form], **data: str) -> partial[Form]:
    return partial(_form, kind, {}, {}, **data)


def chosen(kind: type[Form], field: str, *values: str) -> partial[Form]:
    return partial(_form, kind, {}, {field: list(values)})


def _revocation() -> Form:
    made = forms.RevocationForm(formdata=None)
    document = make_key_revoke(kid=KID, reason="revoked by its organisation", created=NOW)
    made.offered = signable([("密钥吊销声明", document)])
    return made


SETUP: Final = Setup(
    account="a-1",
    login="li.wen",
    kind=SetupKind.FACTORS,
    secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",  # noqa: S106 - of a sample
)
ROLES: Final = ["bidder", "agency", "supervisor"]
WRONG_CODE: Final = "统一社会信用代码的校验位对不上，多半是输错了一位。"
ACCOUNT: Final[dict[str, Any]] = {
    "person": PERSON,
    "sessions": [
        Session(id=f"s-{number}", created_at=NOW, seen_at=NOW + 60_000, agent=agent, address="192.0.2.7")
        for number, agent in enumerate(AGENTS, 1)
    ],
    "tokens": [
        IssuedToken(id="t-1", name="办公室的投标客户端", scopes=("read:own", "write:bids"), expires_at=NOW + 10**10)
    ],
    "codes_left": 2,
    "keys": [KEY, OLD_KEY],
    "key_roles": ["agency"],
    "colleagues": COLLEAGUES,
    "asked": REQUESTS[:1],
    "may_invite": True,
}
FRESH: Final = ACCOUNT | {"tokens": [], "keys": [], "asked": [], "codes_left": 10}
DESK_REQUEST: Final[dict[str, Any]] = {
    "form": form(forms.DecisionForm),
    "refusal": form(forms.RefusalForm),
    "request": REQUESTS[0],
    "names": {"a-9": "钱进"},
    "known": None,
}
ENROLMENT: Final[dict[str, Any]] = {
    "form": form(forms.EnrolmentForm, role="agency"),
    "role": "agency",
    "account": "a-1",
    "org": ORG,
    "challenge": "7c" * 32,
}

# Name → (path, template, context) of pages that strangers see.
PUBLIC: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "signin": ("/signin", "signin", {"form": form(forms.SignInForm), "next": ""}),
    "signin-wrong": (
        "/signin",
        "signin",
        {
            "form": partial(
                _form, forms.SignInForm, {"code": "验证码是 6 个半角数字，例如 402917。"}, {}, login="li.wen"
            ),
            "next": "",
        },
    ),
    "signed-out": ("/signed-out", "signed_out", {}),
    "register": ("/register", "register", {"form": chosen(forms.RegisterForm, "role", *ROLES)}),
    "register-wrong": (
        "/register",
        "register",
        {"form": partial(_form, forms.RegisterForm, {"code": WRONG_CODE}, {"role": ROLES}, **REGISTRATION)},
    ),
    "registered": ("/register", "registered", {"form": None, "number": "R-7k3m9q2d", "name": REGISTRATION["name_zh"]}),
    "setup": (
        "/account/setup/x",
        "setup",
        {"form": form(forms.SetupForm), "setup": SETUP, "picture": _picture(SETUP)},
    ),
    "set-up": ("/account/setup/x", "set_up", {"codes": CODES, "login": "li.wen"}),
    "demo-people": (
        "/demo/people",
        "demo_people",
        {"form": form(Form), "people": WAYS, "codes": {"drafter": ("402917", 17)}},
    ),
    "demo-people-empty": ("/demo/people", "demo_people", {"form": form(Form), "people": [], "codes": {}}),
}
# The same of pages of people who are signed in.
PERSONAL: Final[dict[str, tuple[str, str, dict[str, Any]]]] = {
    "workspace": (
        "/workspace",
        "workspace",
        {"person": PERSON, "desks": [(role, DESKS[role]) for role in (Role.AGENCY, Role.REVIEWER, Role.ADMIN)]},
    ),
    "workspace-empty": ("/workspace", "workspace", {"person": PERSON, "desks": []}),
    "account": ("/account", "account", ACCOUNT),
    "account-fresh": ("/account", "account", FRESH),
    "password": ("/account/password", "password", {"form": form(forms.PasswordForm)}),
    "recovery-codes": ("/account/recovery-codes", "recovery_codes", {"form": None, "codes": CODES}),
    "recovery-codes-ask": (
        "/account/recovery-codes",
        "recovery_codes",
        {"form": form(forms.DecisionForm), "codes": ()},
    ),
    "token": (
        "/account/tokens/new",
        "token",
        {"form": chosen(forms.TokenForm, "scopes", "read:own"), "token": None},
    ),
    "token-shown": ("/account/tokens/new", "token", {"form": None, "token": "pt_" + "x" * 43}),
    "colleague": (
        "/account/colleagues/new",
        "colleague",
        {"form": chosen(forms.UserForm, "role", "agency", "reviewer")},
    ),
    "key": ("/account/keys/new", "key", {"form": chosen(forms.KeyRequestForm, "role", "agency", "centre")}),
    "enrol": ("/account/keys/new", "enrol", ENROLMENT),
    "revoke": (f"/account/keys/{KID}/revoke", "revoke", {"form": partial(_revocation), "key": KEY}),
    "desk-requests": ("/desk/requests", "desk_requests", {"form": None, "requests": REQUESTS, "known": KNOWN}),
    "desk-requests-empty": ("/desk/requests", "desk_requests", {"form": None, "requests": [], "known": {}}),
    "desk-request": ("/desk/requests/R-7k3m9q2d", "desk_request", DESK_REQUEST),
    "desk-link": ("/desk/requests/R-7k3m9q2d", "desk_link", {"form": None, "token": "x" * 43, "request": REQUESTS[0]}),
    "desk-accounts": ("/desk/accounts", "desk_accounts", {"form": None, "accounts": COLLEAGUES, "q": ""}),
    "desk-accounts-empty": ("/desk/accounts", "desk_accounts", {"form": None, "accounts": [], "q": "nobody"}),
    "desk-account": ("/desk/accounts/a-1", "desk_account", {"found": COLLEAGUES[0]}),
    "desk-reset": (
        "/desk/accounts/a-1/reset",
        "desk_reset",
        {"form": form(forms.DecisionForm), "found": COLLEAGUES[0]},
    ),
    "desk-close": (
        "/desk/accounts/a-1/close",
        "desk_close",
        {"form": form(forms.ReasonForm), "found": COLLEAGUES[0]},
    ),
}


def samples() -> Iterator[Sample]:
    """Every page of accounts in every state."""
    for name, (path, template, context) in PUBLIC.items():
        yield Sample(name, path, f"accounts/{template}.html", context)
    for name, (path, template, context) in PERSONAL.items():
        yield Sample(name, path, f"accounts/{template}.html", context | {"signed_in": PERSON})

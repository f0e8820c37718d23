"""Use cases of accounts: people and roles, sign-in and sessions, factors, tokens, keys, requests to the desk."""

from trading.accounts.queries import actor_of
from trading.accounts.service.demonstration import Part, WayIn, open_ways_in
from trading.accounts.service.factors import confirm
from trading.accounts.service.keys import (
    CHALLENGE_MS,
    enrol_key,
    issue_challenge,
    parse_enrolment,
    use_challenge,
)
from trading.accounts.service.people import close_account, create_account, end_membership, grant_membership
from trading.accounts.service.sessions import end_session, open_session, renew_session, session_of
from trading.accounts.service.signing_in import sign_in
from trading.accounts.service.tokens import SCOPES, SITTING_MS, TOKEN_MS, Access, authenticate, issue_token

__all__ = [
    "CHALLENGE_MS",
    "SCOPES",
    "SITTING_MS",
    "TOKEN_MS",
    "Access",
    "Part",
    "WayIn",
    "actor_of",
    "authenticate",
    "close_account",
    "confirm",
    "create_account",
    "end_membership",
    "end_session",
    "enrol_key",
    "grant_membership",
    "issue_challenge",
    "issue_token",
    "open_session",
    "open_ways_in",
    "parse_enrolment",
    "renew_session",
    "session_of",
    "sign_in",
    "use_challenge",
]

"""The time-stamping authorities of a worker as they are configured, and what those that ask for it are told (RFC 7617).

User names and passwords come from a file of their own, so that they stand neither in an address nor in a list of
settings. No problem that is told here repeats what it found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import SplitResult, urlsplit

AUTHORITIES: Final = 2
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,38}[a-z0-9])?\Z")


def problems_of_authorities(name: str, value: str, *, demo: bool) -> Iterator[str]:
    """Yield what is wrong with ``name=URL name=URL``, as the setting ``name`` holds it."""
    pairs = [word.partition("=") for word in value.split()]
    urls = {authority: _address(url) for authority, _, url in pairs}
    if len(pairs) != AUTHORITIES or any(not _NAME.match(authority) for authority in urls):
        yield f"{name} is two words name=URL; a name has up to 40 of a-z, 0-9, dot and hyphen, as in the trust file."
        return
    hosts = [(url.hostname, url.port) for url in urls.values() if url is not None]
    if len(urls) != len(pairs) or len(set(hosts)) != len(hosts):
        yield f"{name} names one authority twice: two different ones stamp, so that one may be away or distrusted."
    for authority, url in urls.items():
        if url is None:
            yield f"{name}: the address of {authority} is no http:// or https:// address."
        elif url.username is not None or url.password is not None:
            yield f"{name}: the address of {authority} holds a user name; TIME_STAMP_CREDENTIALS_FILE is for that."
        elif demo and url.hostname not in LOOPBACK:
            yield f"{name}: the address of {authority} must be a loopback one while no real server is configured."


def _address(text: str) -> SplitResult | None:
    """Return an address that a worker can ask; None if it is none."""
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        return None
    return url if url.scheme in {"http", "https"} and url.hostname and port != 0 else None


def parse_credentials(text: str) -> dict[str, str]:
    """Return ``user:password`` by authority, from lines ``NAME USER:PASSWORD``; ``#`` begins a line of comment.

    Raises:
        ValueError: A line is none of these; the text names its number alone.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        authority, _, pair = line.strip().partition(" ")
        user, colon, password = pair.strip().partition(":")
        if not (_NAME.match(authority) and user and colon and password and pair.isprintable()):
            raise ValueError(f"line {number} is not NAME USER:PASSWORD")
        if authority in found:
            raise ValueError(f"line {number} names an authority for the second time")
        found[authority] = f"{user}:{password}"
    return found


def problems_of_credentials(name: str, text: str, authorities: str | None) -> Iterator[str]:
    """Yield why what is told to authorities cannot be used with the list of them, ``TIME_STAMPS``."""
    try:
        found = parse_credentials(text)
    except ValueError as error:
        yield f"{name}: {error}."
        return
    if not found:
        yield f"{name} names no authority. Leave it out if none asks for a password."
    urls = _addresses(authorities or "")
    for authority in sorted(found):
        if authority not in urls:
            yield f"{name} names {authority}, which TIME_STAMPS does not; it is all or none."
        elif (url := urls[authority]) is not None and url.scheme != "https" and url.hostname not in LOOPBACK:
            yield f"{name}: {authority} is asked without encryption, so its password would be read by anybody."


def _addresses(value: str) -> Mapping[str, SplitResult | None]:
    return {authority: _address(url) for authority, _, url in (word.partition("=") for word in value.split())}

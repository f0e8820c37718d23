"""Places in S3-compatible object storage: ``s3://bucket[/prefix]?endpoint=https://host[&region=name][&style=path]``.

With ``&outside=https://host`` readers and senders may reach the bucket themselves, under that address.

The address names no secret. The two halves of the access key stand in a file of their own, a line each.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*/)*\Z")
_OPTIONS = frozenset({"endpoint", "outside", "region", "style"})
_STYLES = frozenset({"auto", "path", "virtual"})
_DEFAULT_REGION = "us-east-1"  # what services without regions expect in a signature
_WORDS = 2
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where objects lie and with which key they are reached.

    Attributes:
        bucket: Its name.
        prefix: How every name in it begins: empty, or with a slash at the end.
        endpoint: Scheme, host and port of the service.
        region: As it stands in signatures.
        style: Whether the bucket stands in the ``path`` or in the host (``virtual``); ``auto`` knows it from the host.
        key: Name of the access key.
        secret: Its secret half.
        outside: Scheme, host and port under which readers and senders reach the service; empty if they do not.
    """

    bucket: str
    prefix: str
    endpoint: str
    region: str
    style: str
    key: str
    secret: str = field(repr=False)
    outside: str = ""


def is_s3(url: str) -> bool:
    """Whether an address is one of object storage."""
    return urlsplit(url).scheme == "s3"


def place_of(url: str, key_file: Path) -> Place:
    """Return the place that an address and a key file name; both have been checked by ``faults_of``."""
    parts, options = _split(url)
    key, secret = key_file.read_text().split()
    return Place(
        bucket=parts.netloc,
        prefix=_prefix(parts),
        endpoint=options["endpoint"],
        region=options.get("region", _DEFAULT_REGION),
        style=options.get("style", "auto"),
        key=key,
        secret=secret,
        outside=options.get("outside", ""),
    )


def faults_of(url: str) -> list[str]:
    """Return what is wrong with an address, as ends of sentences."""
    parts, options = _split(url)
    found = []
    if not _BUCKET.match(parts.netloc) or not _PREFIX.match(_prefix(parts)) or parts.fragment:
        found.append("must be s3://bucket or s3://bucket/prefix, with ?endpoint=https://host behind it.")
    found += _faults_of_host("endpoint", options.get("endpoint", ""))
    if "outside" in options:
        found += _faults_of_host("outside", options["outside"])
    if set(options) - _OPTIONS or options.get("style", "auto") not in _STYLES:
        found.append("knows endpoint, outside, region and style (auto, path or virtual) and nothing else.")
    return found


def _faults_of_host(option: str, value: str) -> list[str]:
    host = urlsplit(value)
    if host.scheme not in {"http", "https"} or not host.hostname or host.path or host.username or host.query:
        return [f"needs {option}=https://host, scheme and host alone."]
    if host.scheme == "http" and host.hostname not in _LOOPBACK:
        return [f"leaves this machine, so its {option} must begin with https://."]
    return []


def is_key(text: str) -> bool:
    """Whether a key file holds an access key and its secret."""
    return len(text.split()) == _WORDS


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    parts = urlsplit(url)
    return parts, {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}


def _prefix(parts: SplitResult) -> str:
    path = parts.path.strip("/")
    return f"{path}/" if path else ""

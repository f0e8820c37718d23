"""Release packages and the record package, which say who publishes and which extensions the releases use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from trading.notices.rules import exact_json
from trading.notices.rules.ocds.merging import compiled

_VERSION: Final = "1.1"
# Identifiers of the extensions, as the standard wants them; nothing is fetched from there.
EXTENSIONS: Final = tuple(
    f"https://raw.githubusercontent.com/open-contracting-extensions/{name}/extension.json"
    for name in ("ocds_bid_extension/v1.1.5", "ocds_lots_extension/v1.1.5", "ocds_bidOpening_extension/master")
)


def release_package(releases: Sequence[bytes], *, uri: str, base_url: str, published: str) -> bytes:
    """Return releases, each as the bytes that were published, as a package.

    Args:
        releases: At least one, otherwise no package is valid.
        uri: Where the package is.
        base_url: Address of the platform.
        published: When the newest release in it was published (RFC 3339).
    """
    head = exact_json.dumps(_head(uri, base_url, published))
    # Taken apart and put together again, fifty releases would cost more than everything else of the answer.
    return head[:-1] + b',"releases":[' + b",".join(releases) + b"]}"


def record_package(releases: Sequence[Mapping[str, Any]], *, uri: str, base_url: str) -> dict[str, Any]:
    """Return the record of one procedure: its releases by date and the compiled release."""
    ordered = sorted(releases, key=lambda each: str(each["date"]))
    record = {"ocid": ordered[-1]["ocid"], "releases": ordered, "compiledRelease": compiled(ordered)}
    return {**_head(uri, base_url, str(ordered[-1]["date"])), "records": [record]}


def _head(uri: str, base_url: str, published: str) -> dict[str, Any]:
    return {
        "uri": uri,
        "version": _VERSION,
        "extensions": list(EXTENSIONS),
        "publishedDate": published,
        "publisher": {"name": "明标 Mingbiao", "uri": base_url},
    }

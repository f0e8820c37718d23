"""What was released of all procedures, as files for other people's tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from trading.audit.runtime import Runtime
from trading.notices.queries import publications
from trading.notices.rules import exact_json
from trading.notices.rules.channels import Channel
from trading.notices.rules.ocds import record_package, release_package

_PAGE: Final = 50


def write_ocds(runtime: Runtime, target: Path) -> int:
    """Write ``releases/0001.json`` … (packages of one release, in order) and ``records/<ocid>.json``; return how many.

    Args:
        runtime: Whose public address the packages name.
        target: Folder, made if missing.
    """
    base, number = runtime.public_url, 0
    records: dict[str, list[dict[str, Any]]] = {}
    with runtime.ledger.read() as conn:
        while found := publications.after(conn, Channel.OCDS, number, _PAGE):
            for each in found:
                release = exact_json.loads(each.content or b"")
                package = release_package([release], uri=each.url, base_url=base, published=release["date"])
                _write(target / "releases" / f"{each.number:04}.json", package)
                records.setdefault(release["ocid"], []).append(release)
            number = found[-1].number
    for ocid, releases in records.items():
        url = f"{base}/api/v1/ocds/records/{ocid}"
        _write(target / "records" / f"{ocid}.json", record_package(releases, uri=url, base_url=base))
    return sum(map(len, records.values()))


def _write(path: Path, package: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(exact_json.dumps(package))

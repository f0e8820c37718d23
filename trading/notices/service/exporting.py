"""What was released of all procedures, as files for other people's tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from trading.audit.runtime import Runtime
from trading.notices.queries import publications
from trading.notices.rules import exact_json
from trading.notices.rules.channels import Channel
from trading.notices.rules.ocds import date_time, record_package, release_package

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
                raw, published = each.content or b"", date_time(each.published_at)
                package = release_package([raw], uri=each.url, base_url=base, published=published)
                _write(target / "releases" / f"{each.number:04}.json", package)
                release = exact_json.loads(raw)
                records.setdefault(release["ocid"], []).append(release)
            number = found[-1].number
    for ocid, releases in records.items():
        url = f"{base}/api/v1/ocds/records/{ocid}"
        package = exact_json.dumps(record_package(releases, uri=url, base_url=base))
        _write(target / "records" / f"{ocid}.json", package)
    return sum(map(len, records.values()))


def _write(path: Path, package: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(package)

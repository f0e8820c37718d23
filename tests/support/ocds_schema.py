"""The checker of OCDS 1.1.5 merged with the extensions bids, lots and bidOpening, offline; and where its files are."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

import pytest
from jsonschema import Draft4Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT4

from tests.repo.tree import ROOT

DATA = ROOT.parent / "shared" / "data" / "ocds"
EXTENSIONS = ("ocds_bid_extension", "ocds_lots", "ocds_bidOpening")
_IN_ZIP = "standard-1__1__5/schema/"
_PUBLISHED = "https://standard.open-contracting.org/schema/1__1__5/"
_VERSIONED = "versioned-release-validation-schema.json"
_DEFINED = "#/definitions/"
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
FORMATS = FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    """RFC 3339, and a day that exists."""
    if not isinstance(value, str):
        return True
    return _DATE_TIME.fullmatch(value) is not None and bool(datetime.fromisoformat(value))


@FORMATS.checks("uri", raises=ValueError)
def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme and urlsplit(value).netloc)


@dataclass(frozen=True)
class Checker:
    """Validators of a release, a release package and a record package."""

    release: Draft4Validator
    release_package: Draft4Validator
    record_package: Draft4Validator

    def faults(self, release: object) -> list[str]:
        """Return what is wrong with a release, one line each."""
        return _told(self.release, release)

    def faults_of_package(self, package: object) -> list[str]:
        return _told(self.release_package, package)

    def faults_of_record(self, package: object) -> list[str]:
        return _told(self.record_package, package)


def _told(validator: Draft4Validator, value: object) -> list[str]:
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(value)]


def require_data() -> None:
    """Skip the test where the schemas are not at hand."""
    if not (DATA / "ocds-1.1.5-schema.zip").is_file():
        pytest.skip("ocds-1.1.5-schema.zip is not in ../shared/data/ocds")


@cache
def release_schema() -> dict[str, Any]:
    """Return the release schema with the three merge patches applied (RFC 7396)."""
    schema = _schema("release-schema.json")
    for name in EXTENSIONS:
        patch = json.loads((DATA / "extensions" / name / "release-schema.json").read_text(encoding="utf-8"))
        schema = _patched(schema, patch)
    return schema


def _schema(name: str) -> dict[str, Any]:
    with ZipFile(DATA / "ocds-1.1.5-schema.zip") as archive:
        found: dict[str, Any] = json.loads(archive.read(f"{_IN_ZIP}{name}"))
    return found


def _patched(value: object, patch: object) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(patch, dict):
        return patch
    result = deepcopy(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        else:
            result[name] = _patched(result.get(name), item)
    return result


@cache
def checker() -> Checker:
    """Return the checker; nothing is fetched: the merged schema stands for the published one."""
    merged = release_schema()
    # Packages refer to the release schema by its address; extensions refer to definitions that core does not have.
    resource = DRAFT4.create_resource(_closed(merged))
    versioned = DRAFT4.create_resource(_schema(_VERSIONED))
    registry: Registry[Any] = Registry().with_resources(
        [(f"{_PUBLISHED}release-schema.json", resource), (f"{_PUBLISHED}{_VERSIONED}", versioned)]
    )

    def validator(schema: dict[str, Any]) -> Draft4Validator:
        return Draft4Validator(schema, registry=registry, format_checker=FORMATS)

    return Checker(
        release=validator(_closed(merged)),
        release_package=validator(_schema("release-package-schema.json")),
        record_package=validator(_schema("record-package-schema.json")),
    )


def _closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with no place for a field that it does not name: a misspelt one is found.

    Definitions of extensions that are not among the three (``SubmissionTerms``, ``Location``) accept anything.
    """
    schema = deepcopy(schema)
    referred = set(_references(schema))
    for name in referred - schema["definitions"].keys():
        schema["definitions"][name] = {}
    for part in (schema, *schema["definitions"].values()):
        if "properties" in part:
            part["additionalProperties"] = False
    return schema


def _references(value: object) -> set[str]:
    match value:
        case dict():
            named = str(value.get("$ref", ""))
            own = {named.removeprefix(_DEFINED)} if named.startswith(_DEFINED) else set()
            return own.union(*(_references(item) for item in value.values()))
        case list():
            return set().union(*(_references(item) for item in value))
        case _:
            return set()


def fixture(name: str) -> Any:  # noqa: ANN401 - JSON
    """Return a file of the fictional process."""
    path: Path = DATA / "fixtures" / "fictional-process" / "1.1" / name
    return json.loads(path.read_text(encoding="utf-8"))

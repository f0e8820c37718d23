"""What the public reads, as frozen rows: one module a page. Nothing here touches a bid before its opening order."""

from __future__ import annotations

from typing import Any, TypeAlias

# A row of a query with explicit columns; it becomes a frozen value in the same module and never leaves it.
AnyRow: TypeAlias = Any

"""The form in which a supplier signs."""

from __future__ import annotations

from trading.web.signing import SigningForm


class SignContractForm(SigningForm):
    """The contract as the agency offered it."""

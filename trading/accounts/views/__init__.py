"""Pages of people with an account: signing in and out, the workspace, the account itself, the service desk."""

from trading.accounts.views import (  # noqa: F401 - they add their routes
    account,
    demonstration,
    desk,
    joining,
    keys,
    signing_in,
    workspace,
)
from trading.accounts.views.blueprint import blueprint

__all__ = ["blueprint"]

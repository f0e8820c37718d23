"""Pages of people with an account: signing in and out, the workspace, the account itself, the service desk."""

from trading.accounts.views import account, signing_in, workspace  # noqa: F401 - they add their routes
from trading.accounts.views.blueprint import blueprint

__all__ = ["blueprint"]

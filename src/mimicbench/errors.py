"""The errors that a user can mend: one clear sentence each, and no traceback."""

from hydra.errors import CompactHydraException


class UserError(CompactHydraException):
    """Something in the user's files, options or machine stops the run.

    The message is one sentence that names the file or the configuration key and says what to do. Hydra prints the
    message of this family alone, without a traceback, and exits with status 1.
    """


class QueryBudgetExceeded(UserError):  # noqa: N818 (a name that other tools rely on)
    """A query would have cost more than the oracle's budget has left; it was not sent."""

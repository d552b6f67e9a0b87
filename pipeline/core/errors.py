"""The error that ends a command with one line and exit status 2."""


class UserError(Exception):
    """Something that the user can correct; the command prints its text and ends with status 2."""

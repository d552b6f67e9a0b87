"""The error that ends a command with one line and exit status 2."""


class UserError(Exception):
    """Something that the user can mend; its text is the one line that is shown, with status 2."""

"""The one exception that stands for a user's mistake."""


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one line: the file or key, what was found, and what would be right.
    The command line prints it to stderr and ends with exit code 2; anything else that is raised is a bug of ours.
    """

"""The exceptions that end a command with one line instead of a traceback, and what others are in such a line."""


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one line: the file or key, what was found, and what would be right.
    The command line prints it to stderr and ends with `exit_code`; anything else that is raised is a bug of ours.
    """

    exit_code = 2


def first_line(error: BaseException) -> str:
    """Return what an error of another library says, as a part of a line of ours: its first line, or else its kind."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class LostRankError(UserError):
    """Another process of the training is gone: nobody's mistake, and the same command goes on from the last checkpoint.

    The exit code is that of a run that a signal stopped (EX_TEMPFAIL in sysexits.h: try again).
    """

    exit_code = 75

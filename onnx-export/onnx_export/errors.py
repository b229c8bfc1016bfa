"""The two kinds of failure a user can act on, and their exit codes."""


class ExportError(Exception):
    """A failure with a one-line message that names the thing and what to do."""

    exit_code = 1


class UsageError(ExportError):
    """The command line asks for something that cannot be."""

    exit_code = 2


class CheckpointError(ExportError):
    """The checkpoint or another file cannot be used as it is."""

    exit_code = 3

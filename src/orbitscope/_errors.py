"""The one exception type that a user's mistake raises."""


class OrbitscopeError(ValueError):
    """A mistake in what the caller handed over: the message names the argument, what came, and what to do.

    The command line prints the message without a traceback and exits with code 2.
    """

"""The command line: one thin file a verb."""

from critique_coder.cli.main import main

__all__ = ["main"]

"""One self-contained HTML page that says what training runs did, with intervals, curves and examples to read."""

from critique_coder.report.page import write_report

__all__ = ["write_report"]

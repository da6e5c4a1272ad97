"""The prompt templates and the strict parsers of what a model answers."""

from critique_coder.prompts.parse import CONCLUSIONS, after_thinking, extract_code, parse_judgement, parse_tests
from critique_coder.prompts.templates import (
    Template,
    critique_prompt,
    load_template,
    revise_prompt,
    solve_prompt,
    write_tests_prompt,
)

__all__ = [
    "CONCLUSIONS",
    "Template",
    "after_thinking",
    "critique_prompt",
    "extract_code",
    "load_template",
    "parse_judgement",
    "parse_tests",
    "revise_prompt",
    "solve_prompt",
    "write_tests_prompt",
]

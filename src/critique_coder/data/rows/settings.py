"""The settings of an export: which rows, answered by whom, from which files."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from critique_coder.data.recipe import JudgeSettings
from critique_coder.settings import Settings


class Kind(StrEnum):
    """The training methods that rows are made for."""

    RL = "rl"
    CRL = "crl"
    HYBRID = "hybrid"
    CFT = "cft"
    CGD = "cgd"
    CTRL = "ctrl"
    CURE = "cure"
    KTO = "kto"


class TeacherSettings(Settings):
    """The model that writes critiques, refined answers or tests, where no file has them."""

    model: str | None = None
    """Folder or hub id; the embedded model when nothing is said."""
    endpoint: str | None = None
    """Base URL of an OpenAI-compatible server to ask instead of loading the model here."""
    temperature: float = Field(0.6, ge=0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus: keep the most likely tokens up to this mass."""
    top_k: int = Field(20, ge=0)
    """Keep this many most likely tokens; 0 keeps all."""
    max_tokens: int = Field(2048, ge=1)
    """Longest answer in tokens."""
    batch_size: int = Field(64, ge=1)
    """Answers written at once by a local model; requests in flight at an endpoint."""
    cache: str | None = None
    """File that keeps an endpoint's answers; one in the user's cache folder when nothing is said, none with "none"."""


class ExportSettings(Settings):
    """What an export makes of a build."""

    kind: Kind
    """Which rows: rl, crl, hybrid, cft, cgd, ctrl, cure or kto."""
    format: Literal["parquet", "jsonl"] = "parquet"
    """The files' format; verl reads Parquet, TRL both."""
    split: Literal["train", "heldout"] = "train"
    """Which problems."""
    seed: int = 0
    """Everything random follows from this."""
    critiques: str | None = None
    """Recorded critiques (row_id, completion) instead of a teacher's (cft, cgd, ctrl)."""
    revisions: str | None = None
    """Recorded refined answers (row_id, completion) instead of a teacher's (cgd)."""
    tests: str | None = None
    """Recorded answers with a test each (row_id is tests/PROBLEM#NUMBER) instead of a teacher's (cure)."""
    feedback: str | None = None
    """The feedback folder with people's verdicts on critiques (kto)."""
    teacher: TeacherSettings = TeacherSettings()
    critique_template: str | None = None
    """How critiques are asked for; the build's own template when nothing is said."""
    revise_template: str | None = None
    """How refined answers are asked for: revise, revise_thinking or a Jinja file."""
    write_tests_template: str | None = None
    """How tests are asked for: write_tests, write_tests_thinking or a Jinja file."""
    agree: bool = True
    """Keep only critiques whose judgement is the label (cft, cgd, ctrl). CFT's own data has no such filter."""
    verified: bool = True
    """Keep only refined answers that pass every test (cgd). CGD's own data has no such filter."""
    tests_a_problem: int = Field(8, ge=1)
    """Tests that are asked for, one an answer (cure)."""
    shard_rows: int = Field(50_000, ge=1)
    """Rows a file."""
    judge: JudgeSettings = JudgeSettings()

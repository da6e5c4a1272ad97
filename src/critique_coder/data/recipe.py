"""The settings of a build: what a file in ``recipes/data`` may say."""

from __future__ import annotations

import json

from pydantic import Field, field_validator

from critique_coder.data.sources import SourceName
from critique_coder.settings import Settings


class SourceSettings(Settings):
    """One source of problems."""

    name: SourceName
    """Which reader."""
    path: str | None = None
    """A file, a folder, a data set of the hub, or nothing for the source's own place."""


class FilterSettings(Settings):
    """Which tests are kept (the paper's section 2.2)."""

    max_test_tokens: int = Field(200, ge=1)
    """Drop tests longer than this many tokens, counted in the test as JSON."""
    tokenizer: str | None = None
    """Whose tokens: a tokenizer's folder or hub id; words, numbers and signs when nothing, or "", is said."""
    max_tests: int = Field(30, ge=1)
    """Keep at most this many tests of a problem, drawn at random by its id."""
    max_problems: int = Field(0, ge=0)
    """Use only this many problems, drawn by id; 0 means all."""
    max_time_s: float = Field(0, ge=0)
    """Drop a problem when its reference, or most of its candidates, need longer than this on a test; 0 keeps all."""


class DuplicateSettings(Settings):
    """Which problems count as there twice; the held-out one stays, else the first."""

    exact: bool = True
    """Drop a problem with the same statement as another, whatever the white space."""
    near: float = Field(0, ge=0, le=1)
    """Drop a problem that shares this much of its runs of four words with another (Jaccard); 0 keeps them."""


class ContaminationSettings(Settings):
    """Which training problems are dropped since they hold a task that a model is measured on."""

    against: tuple[str, ...] = ()
    """Of humaneval, humanevalplus, mbpp, mbppplus, bigcodebench, livecodebench, cruxeval, bbeh; or "name=path"."""
    words: int = Field(3, ge=2)
    """Words of a statement that are compared together."""
    overlap: float = Field(0.5, gt=0, le=1)
    """Share of the telling runs of words of a task's statement that makes a problem hold it."""
    code_nodes: int = Field(8, ge=4)
    """Nodes of a syntax tree that are compared together."""
    code_overlap: float = Field(0.8, gt=0, le=1)
    """Share of the telling runs of nodes of a task's reference that makes a problem hold it."""
    min_code_nodes: int = Field(20, ge=8)
    """Programs of fewer nodes are too plain to be recognised."""


class AuthorSettings(Settings):
    """One author of solutions: a model, or a file of recorded ones."""

    path: str | None = None
    """Recorded solutions (a file in the contract's format) instead of sampled ones."""
    model: str | None = None
    """Folder or hub id of the model that writes them; the embedded model when nothing is said."""
    endpoint: str | None = None
    """Base URL of an OpenAI-compatible server to ask instead of loading the model here."""
    n: int = Field(4, ge=0)
    """Solutions a training problem."""
    heldout_n: int = Field(4, ge=0)
    """Solutions a held-out problem."""
    temperature: float = Field(0.6, ge=0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus: keep the most likely tokens up to this mass."""
    top_k: int = Field(20, ge=0)
    """Keep this many most likely tokens; 0 keeps all."""
    max_tokens: int = Field(128, ge=1)
    """Longest answer in tokens."""
    batch_size: int = Field(128, ge=1)
    """Answers written at once by a local model; requests in flight at an endpoint."""
    prompt_price: float = Field(0, ge=0)
    """Price of a million tokens that the model reads, in any currency; counted in the manifest."""
    completion_price: float = Field(0, ge=0)
    """Price of a million tokens that the model writes."""


class CandidateSettings(AuthorSettings):
    """Where the solutions come from that become critique data: one author, or several (``[[candidates.author]]``)."""

    n: int = Field(4, ge=1)
    """Solutions a training problem."""
    heldout_n: int = Field(4, ge=1)
    """Solutions a held-out problem."""
    cache: str | None = None
    """File that keeps an endpoint's answers; one in the user's cache folder when nothing is said, none with "none"."""
    author: tuple[AuthorSettings, ...] = ()
    """Several authors whose solutions are mixed, in place of the one described by the keys above."""

    def authors(self) -> tuple[AuthorSettings, ...]:
        """The authors, in the recipe's order."""
        return self.author or (self,)


class LabelSettings(Settings):
    """When a solution counts as correct."""

    threshold: float = Field(0.8, ge=0, le=1)
    """True when the pass rate is above this (paper, section 2.2)."""
    strict: bool = False
    """True only when every test passed, whatever the threshold."""
    people: str | None = None
    """A feedback folder of the review tool. Where people judged the very code, their label stands above the tests'."""
    borderline: float = Field(0.1, ge=0, le=1)
    """List solutions whose pass rate is within this of the threshold, for people to look at."""


class DifficultySettings(Settings):
    """Which problems are worth training on, by the share of solutions that pass every test."""

    keep: tuple[float, float] = (0.0, 1.0)
    """Train only on problems whose share lies in this band; [0.05, 0.95] drops those that teach nothing."""
    model: str | None = None
    """Whose solutions are counted (an author's name); all of them together when nothing is said."""

    @field_validator("keep")
    @classmethod
    def _band(cls, keep: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= keep[0] <= keep[1] <= 1:
            raise ValueError("the band goes from a lower to a higher share, both from 0 to 1, such as [0.05, 0.95]")
        return keep


class MixSettings(Settings):
    """How problems are shared out."""

    critique_share: float = Field(0.2, ge=0, le=1)
    """Share of the training problems that become critique rows; the others stay solve rows (paper, section 2.2)."""
    stratify: bool = False
    """Take the same share of problems of every difficulty; without it the share is drawn from all alike."""
    heldout_share: float = Field(0.3, ge=0, lt=1)
    """Share of the families kept out of training, for evaluation."""
    solve_template: str | None = None
    """A Jinja file to ask for solutions with, instead of the built-in one."""
    critique_template: str | None = None
    """How to ask for critiques: critique (one message), critique_chat (the solution as an answer), or a Jinja file."""


class AuditSettings(Settings):
    """What a problem must show before it is used."""

    reference: bool = True
    """Quarantine a problem whose reference fails its tests."""
    min_wrong: int = Field(0, ge=0)
    """Quarantine a problem for which fewer than this many known wrong solutions fail."""
    statement: bool = True
    """Quarantine a problem whose statement is empty or cut off."""
    agreement: bool = True
    """Quarantine a problem of whose tests two expect different things of the same input."""
    repeats: int = Field(1, ge=1)
    """Judge references and known wrong solutions this many times; a verdict that changes quarantines the problem."""
    mutants: int = Field(0, ge=0)
    """Small changes of each reference to try against the tests."""
    min_mutants_fail: float = Field(0.5, ge=0, le=1)
    """Quarantine a problem of whose mutants a smaller share fails: its tests see too little."""


class JudgeSettings(Settings):
    """How programs are run."""

    workers: int = Field(0, ge=0)
    """Programs judged at the same time; 0 means one a core."""
    time_limit_s: float = Field(3.0, gt=0)
    """Processor seconds a test, where the problem says nothing."""
    memory_limit_mb: float = Field(512, gt=0)
    """Memory a test in MiB, where the problem says nothing."""
    packages: list[str] = Field(default_factory=list)
    """Import names of installed packages that programs may use beside the standard library, such as "numpy"."""
    max_unscored: float = Field(0.02, ge=0, le=1)
    """Stop when the machinery failed on more than this share of the solutions."""


class BuildRecipe(Settings):
    """A data recipe."""

    seed: int = 0
    """Everything random follows from this."""
    source: list[SourceSettings] = Field(min_length=1)
    filter: FilterSettings = FilterSettings()
    duplicates: DuplicateSettings = DuplicateSettings()
    contamination: ContaminationSettings = ContaminationSettings()
    audit: AuditSettings = AuditSettings()
    candidates: CandidateSettings = CandidateSettings()
    judge: JudgeSettings = JudgeSettings()
    label: LabelSettings = LabelSettings()
    difficulty: DifficultySettings = DifficultySettings()
    mix: MixSettings = MixSettings()


def own_problems(path: str) -> list[str]:
    """The overrides by which a recipe reads the user's problems instead of its own sources.

    How many known wrong solutions each problem must bring is about the recipe's own sources; an override that comes
    later can ask for it again.
    """
    return [f'source=[{{name = "problems", path = {json.dumps(path)}}}]', "audit.min_wrong=0"]

"""What every recipe for rows draws from: a finished build, its templates, a teacher's answers, a judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from critique_coder.data.asking import Answer, Question, ask, read_answers
from critique_coder.data.built import BuiltData
from critique_coder.data.candidates import cache_of
from critique_coder.data.label import balance
from critique_coder.data.mix import Split, Templates, split_of
from critique_coder.data.rows.settings import ExportSettings
from critique_coder.data.verify import JudgeOptions, open_judge, verify_solutions
from critique_coder.models import Sampling, TextModel, open_model
from critique_coder.prompts import Template, critique_prompt, load_template, parse_judgement
from critique_coder.records import BadInput, CritiqueRow, Judgement, Problem, Solution, Verdict
from critique_coder.storage import read_rows


@dataclass
class RowSource:
    """A build as the recipes see it. ``lost`` counts, by reason, what was left out; ``used`` the templates used."""

    data: BuiltData
    settings: ExportSettings
    work: Path
    options: JudgeOptions = JudgeOptions()
    lost: Counter[str] = field(default_factory=Counter)
    used: dict[str, str] = field(default_factory=dict)
    _opened: list[TextModel] = field(default_factory=list)

    @cached_property
    def templates(self) -> Templates:
        """The build's own templates; the critique's may be replaced by the export's. Raises BadInput."""
        mix = self.data.manifest["settings"]["mix"]
        solve = load_template("solve", mix["solve_template"])
        if self.data.manifest["templates"].get(solve.name) != solve.sha256:
            raise BadInput(
                f"the template {solve.name!r} has changed since {self.data.folder} was built; build it again"
            )
        critique = load_template("critique", self.settings.critique_template or mix["critique_template"])
        return Templates(self.use(solve), self.use(critique))

    def use(self, template: Template) -> Template:
        """Note a template for the manifest."""
        self.used[template.name] = template.sha256
        return template

    def problems(self) -> Iterator[Problem]:
        """The problems of the split, in the build's order."""
        share = self.data.manifest["settings"]["mix"]["heldout_share"]
        wanted = Split(self.settings.split)
        return (problem for problem in self.data.problems.values() if split_of(problem, share) is wanted)

    @cached_property
    def critiques(self) -> list[CritiqueRow]:
        """The labelled solutions of the split's problems, as many True as False in each that has both."""
        own = {problem.id for problem in self.problems()}
        rows = (CritiqueRow.from_json(row, where) for where, row in read_rows(self.data.folder / "critiques.jsonl"))
        return balance([row for row in rows if row.problem_id in own], self.settings.seed)

    def verdicts(self, wanted: Iterable[str]) -> dict[str, Verdict]:
        """The verdicts of these solutions, by solution id."""
        ids = set(wanted)
        rows = read_rows(self.data.folder / "verdicts.jsonl")
        return {row["solution_id"]: Verdict.from_json(row, where) for where, row in rows if row["solution_id"] in ids}

    def authors(self) -> dict[str, str]:
        """Who wrote each solution, where that is known."""
        rows = read_rows(self.data.folder / "solutions.jsonl")
        return {row["id"]: row["author"] for _, row in rows if row.get("author")}

    def critique_prompt(self, row: CritiqueRow) -> list[dict[str, str]]:
        """The chat that asks for a critique of a row's solution, without any hint."""
        problem = self.data.problems[row.problem_id]
        return critique_prompt(self.templates.critique, self.templates.solve, problem, row.solution)

    def answers(self, name: str, recorded: str | None, questions: Sequence[Question], title: str) -> dict[str, Answer]:
        """Answers by ``row_id``: from the file ``recorded``, else the teacher's; those without one are counted lost."""
        if recorded is not None:
            found = read_answers(recorded)
            wanted = {question.row_id for question in questions}
            if not wanted & found.keys():
                raise BadInput(f"{recorded}, key 'row_id': no answer is for a row of {self.data.folder}")
            self.lost["no_answer"] += len(wanted - found.keys())
            return {row_id: answer for row_id, answer in found.items() if row_id in wanted}
        teacher = self.settings.teacher
        sampling = Sampling(teacher.temperature, teacher.top_p, teacher.top_k, teacher.max_tokens, self.settings.seed)
        return ask(self._teacher, questions, sampling, teacher.batch_size, self.work / f"{name}.jsonl", title)

    def _teacher(self) -> TextModel:
        teacher = self.settings.teacher
        if not self._opened:
            self._opened.append(
                open_model(teacher.model, teacher.endpoint, teacher.batch_size, cache_of(teacher.cache))
            )
        return self._opened[0]

    def judged(
        self, name: str, problems: dict[str, Problem], solutions: Sequence[Solution], title: str
    ) -> dict[str, Verdict]:
        """Verdicts of new solutions, or on new tests, by solution id; resumable. Raises TooManyUnscored."""
        file, most = self.work / f"{name}.jsonl", self.settings.judge.max_unscored
        with open_judge(self.settings.judge, self.options) as judge:
            verdicts = verify_solutions(judge, problems, solutions, file, title, most)
        return {verdict.solution_id: verdict for verdict in verdicts}

    def usable(self, row: CritiqueRow, answer: Answer) -> Judgement | None:
        """The judgement of a critique that may be learned from; None, counted by reason, for any other."""
        judgement = parse_judgement(answer.completion)
        right = Judgement.CORRECT if row.label else Judgement.INCORRECT
        if not answer.finished:
            self.lost["cut_off"] += 1
        elif judgement is Judgement.MALFORMED:
            self.lost["malformed"] += 1
        elif self.settings.agree and judgement is not right:
            self.lost["wrong_judgement"] += 1
        else:
            return judgement
        return None


Recipe = Callable[[RowSource], Iterator[dict[str, object]]]
"""Makes the rows of one kind."""

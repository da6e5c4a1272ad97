"""A model that runs in this process, by transformers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from critique_coder.models.base import Completion, Messages, ModelError, Progress, Sampling
from critique_coder.models.embedded import name_of
from critique_coder.models.precision import compute_dtype, sharpen
from critique_coder.models.sampling import Generated, Tokens, generate
from critique_coder.prompts import THINK_START


class LocalModel:
    """A causal language model and its tokenizer."""

    def __init__(self, model: Any, tokenizer: Any, name: str, batch_size: int = 64) -> None:
        self.model, self.tokenizer, self._name, self._batch_size = model, tokenizer, name, batch_size
        self.end_ids = end_tokens(model, tokenizer)
        self._opening = opening_of(tokenizer)

    @classmethod
    def load(cls, source: str | Path, dtype: torch.dtype | None = None, batch_size: int = 64) -> LocalModel:
        """Load from a folder or a hub id, by default in the format that is fastest here; raises ModelError.

        A GPU is used where there is one.
        """
        model, tokenizer = load_pretrained(source, dtype or compute_dtype())
        sharpen(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"))
        return cls(model, tokenizer, name_of(source), batch_size)

    @property
    def name(self) -> str:
        """Folder or hub id."""
        return self._name

    def encode(self, messages: Messages) -> Tokens:
        """The token ids of a chat, ready for the answer."""
        return encode_chat(self.tokenizer, messages)

    def sample(
        self,
        prompts: Sequence[Messages],
        n: int,
        sampling: Sampling,
        progress: Progress = lambda tokens, completions: None,
    ) -> list[list[Completion]]:
        """``n`` answers for each prompt, in the order of ``prompts``."""
        encoded = [ids for ids in map(self.encode, prompts) for _ in range(n)]
        rows = generate(
            self.model, encoded, sampling, end_ids=self.end_ids, batch_size=self._batch_size, on_tokens=progress
        )
        answers = [self._completion(row) for row in rows]
        return [answers[start : start + n] for start in range(0, len(answers), n)]

    def _completion(self, row: Generated) -> Completion:
        text = self.tokenizer.decode(row.tokens, skip_special_tokens=True)
        return Completion(self._opening + text, len(row.tokens), row.finished)


def end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer; a model may know several (Qwen and Llama do)."""
    known = getattr(model.generation_config, "eos_token_id", None)
    ends = {tokenizer.eos_token_id, *(known if isinstance(known, list | tuple) else (known,))}
    return frozenset(end for end in ends if isinstance(end, int))


def opening_of(tokenizer: Any) -> str:
    """What of an answer the chat template has already written: the mark that begins thinking, or nothing.

    The parsers must see it: without it, an answer that was cut while thinking looks like one that did not think.
    """
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "?"}], tokenize=False, add_generation_prompt=True
    ).rstrip()
    return f"{THINK_START}\n" if text.endswith(THINK_START) else ""


def encode_chat(tokenizer: Any, messages: Messages) -> Tokens:
    """The token ids of a chat by the tokenizer's own template, with the opening of the answer."""
    text = tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True)
    ids: Tokens = tokenizer(text, add_special_tokens=False).input_ids
    return ids


def require_pretrained(source: str | Path) -> None:
    """Read a model's configuration, which is small and shows whether there is a model; raises ModelError."""
    _configuration(source)


def layer_count(source: str | Path) -> int:
    """How many layers a model has, by its configuration alone; raises ModelError."""
    return int(_configuration(source).get_text_config().num_hidden_layers)


def _configuration(source: str | Path) -> Any:
    try:
        return AutoConfig.from_pretrained(source)
    except (OSError, ValueError, KeyError) as error:
        raise _not_loaded(source, error) from None


def load_pretrained(source: str | Path, dtype: torch.dtype) -> tuple[Any, Any]:
    """A causal model and its tokenizer from a folder or the hub; raises ModelError in one line."""
    require_pretrained(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(source, dtype=dtype)
    except (OSError, ValueError, KeyError) as error:
        raise _not_loaded(source, error) from None
    if tokenizer.chat_template is None:
        raise ModelError(f"model {str(source)!r} has no chat template; choose an instruction-tuned model")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return model, tokenizer


def _not_loaded(source: str | Path, error: Exception) -> ModelError:
    if Path(source).is_dir() and not (Path(source) / "config.json").exists():
        reason = "the folder holds no config.json"
    elif Path(source).is_file():
        reason = "it is a file"
    else:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return ModelError(
        f"model {str(source)!r} cannot be loaded: {reason[:200].rstrip('.')}; give a folder that holds a transformers "
        "model, a hub id that can be reached, or nothing for the embedded one"
    )

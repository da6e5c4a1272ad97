"""Text in, text out: a local model (transformers) or any OpenAI-compatible endpoint."""

from __future__ import annotations

from pathlib import Path

from critique_coder.models.base import Completion, Messages, ModelError, Progress, Sampling, TextModel


def open_model(
    source: str | None, endpoint: str | None = None, batch_size: int = 64, cache: Path | None = None
) -> TextModel:
    """The model called ``source`` (folder, hub id, None: the embedded one), or the one behind ``endpoint``.

    ``cache`` is a file in which an endpoint's answers are kept, for no one to pay for them twice. Torch is only
    imported when the model is to run here. Raises ModelError.
    """
    if endpoint is not None:
        from critique_coder.models.answers import AnswerCache
        from critique_coder.models.endpoint import EndpointModel

        kept = AnswerCache(cache) if cache is not None else None
        return EndpointModel(endpoint, source, concurrency=batch_size, cache=kept)
    from critique_coder.models.embedded import resolve_source
    from critique_coder.models.local import LocalModel

    return LocalModel.load(resolve_source(source), batch_size=batch_size)


__all__ = ["Completion", "Messages", "ModelError", "Progress", "Sampling", "TextModel", "open_model"]

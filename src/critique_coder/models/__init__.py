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


def require_model(source: str | None, endpoint: str | None = None) -> None:
    """Refuse what can be no model, before work begins that it would end in; raises ModelError.

    The embedded model is fetched when it is opened, and a server may be down now and up later: neither is asked.
    """
    if endpoint is not None:
        if not endpoint.startswith(("http://", "https://")):
            raise ModelError(f"endpoint {endpoint!r}: is not a URL; give one such as http://localhost:8000/v1")
    elif source is not None:
        from critique_coder.models.local import require_pretrained

        require_pretrained(source)


__all__ = ["Completion", "Messages", "ModelError", "Progress", "Sampling", "TextModel", "open_model", "require_model"]

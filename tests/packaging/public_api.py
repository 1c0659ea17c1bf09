"""What others may rely on, as lines of text, and which changes of it break their code.

``python -m tests.packaging.public_api`` records it in ``public_api.txt`` beside this file; with
``released`` behind it, as that of the version in ``pyproject.toml``, in ``released_api.txt``.

Each line is one fact. A line that goes, or reads differently, breaks the code of others. A new one
does so where it asks for something: another required argument, another member of a protocol.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import re
import sys
import textwrap
import tomllib
from collections.abc import Collection, Iterable, Iterator
from enum import Enum
from functools import cached_property
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import attrs

from basis_portal.cli import _parser
from basis_portal.configuration import HELP

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RECORD = HERE / "public_api.txt"
RELEASED = HERE / "released_api.txt"

MODULES = (
    "basis_portal",
    "basis_portal.export",
    "basis_portal.mail",
    "basis_portal.repositories",
    "basis_portal.storage.memory",
    "basis_portal.storage.postgres",
    "basis_portal.storage.sqlite",
    "basis_portal.testing",
    "basis_portal.testing.builders",
    "basis_portal.testing.strategies",
    "basis_portal.web",
)
"""What others may import from; all other modules are ours alone."""

REACHED = (
    ("basis_portal.events", "OnEvent"),
    ("basis_portal.mailing", "Mailing"),
    ("basis_portal.mailing", "RunReport"),
    ("basis_portal.outgoing", "AddressOf"),
    ("basis_portal.outgoing", "MailSkip"),
    ("basis_portal.outgoing", "Outgoing"),
    ("basis_portal.repositories", "DocumentKey"),
    ("basis_portal.web.mounting", "WSGIApp"),
    ("basis_portal.web.site", "Authorize"),
    ("basis_portal.web.site", "LinkMailer"),
)
"""What others use without importing it: it is given by what they import, or taken."""

SPECIAL = {
    "__call__",
    "__contains__",
    "__enter__",
    "__exit__",
    "__getitem__",
    "__iter__",
    "__len__",
}
REQUIRED, TO_GIVE = ", required", ", to be given"
BY_POSITION = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


def public_api() -> list[str]:
    """All lines, sorted."""
    modules = [importlib.import_module(name) for name in MODULES]
    offered = [(one.__name__, *named) for one in modules for named in names_of(one)]
    reached = [(*one, getattr(importlib.import_module(one[0]), one[1])) for one in REACHED]
    public = {id(value) for _, _, value in offered}
    lines = {
        line
        for module, name, value in offered + reached
        for line in lines_of(f"{module}.{name}", value, public)
    }
    return sorted({*lines, *commands_of("basis-portal", _parser()), *settings()})


def names_of(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What a module offers: its ``__all__``, or the functions and classes that are its own."""
    for name in getattr(module, "__all__", vars(module)):
        value = getattr(module, name)
        own = getattr(value, "__module__", None) == module.__name__
        if hasattr(module, "__all__") or (own and name[0] != "_" and callable(value)):
            yield name, value


def lines_of(path: str, value: Any, public: Collection[int] = ()) -> Iterator[str]:
    """What others may rely on of one value. ``public`` are the ids of all that have a name."""
    if isinstance(value, FunctionType):
        yield from call_lines(path, value)
    elif isinstance(value, type):
        yield from class_lines(path, value, public)
    elif isinstance(value, ModuleType):
        yield f"{path}: module"
    elif callable(value):  # what annotations name: a union, a kind of callable
        yield f"{path} = {value!r}"
    else:
        yield f"{path}: {type(value).__name__}"


def call_lines(path: str, function: Any) -> Iterator[str]:
    """How a function is called, and what it gives."""
    found = inspect.signature(function)
    yield f"{path}() -> {_text(found.return_annotation)}"
    given = [one for one in found.parameters.values() if one.name not in {"self", "cls"}]
    for number, parameter in enumerate(given, 1):
        yield f"{path}({_argument(parameter, number)})"


def _argument(parameter: inspect.Parameter, number: int) -> str:
    kind, shown = parameter.kind, f"{parameter.name}: {_text(parameter.annotation)}"
    if kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
        return f"{'*' if kind is parameter.VAR_POSITIONAL else '**'}{shown}"
    slot = f"{number}" if kind in BY_POSITION else "keyword"
    only = " by position alone" if kind is parameter.POSITIONAL_ONLY else ""
    default = parameter.default
    end = REQUIRED if default is parameter.empty else f" = {_default(default)}"
    return f"{slot}{only} {shown}{end}"


def class_lines(path: str, cls: type, public: Collection[int]) -> Iterator[str]:
    """A class: what it is, how it is made, and its members."""
    yield f"{path}: class"
    for base in cls.__mro__[1:-1]:
        if id(base) in public or (base in cls.__bases__ and not _is_ours(base)):
            yield f"{path}: is a {base.__name__}"
    if issubclass(cls, Enum):
        yield from (f"{path}.{one.name} = {one.value!r}" for one in cls)
    elif _is_constructed(cls):
        yield from (line for line in call_lines(path, cls) if "() -> " not in line)
    end = TO_GIVE if _is_protocol(cls) else ""
    for one in cls.__mro__:
        if one is cls or (_is_ours(one) and id(one) not in public):
            yield from (f"{line}{end}" for line in member_lines(path, one))


def member_lines(path: str, cls: type) -> Iterator[str]:
    """The attributes, properties and methods that a class itself has."""
    types = attributes_of(cls)
    yield from (f"{path}.{name}: {_text(of)}" for name, of in types.items())
    for name, member in vars(cls).items():
        function = getattr(member, "__func__", member)
        if name.startswith("test_") or (name.startswith("_") and name not in SPECIAL):
            continue
        if isinstance(member, property | cached_property):
            getter = member.fget if isinstance(member, property) else member.func
            yield f"{path}.{name}: {_text(inspect.signature(getter).return_annotation)}"
        elif isinstance(function, FunctionType) and not _is_inner(function):
            yield from call_lines(f"{path}.{name}", function)


def attributes_of(cls: type) -> dict[str, Any]:
    """The public attributes by name: those annotated, and those that ``__init__`` sets."""
    annotated = inspect.get_annotations(cls)
    made = {} if attrs.has(cls) or _is_protocol(cls) else _set_in_init(cls)
    found = {**made, **annotated}
    return {name: of for name, of in found.items() if name[0] != "_"}


def _set_in_init(cls: type) -> dict[str, str]:
    init = vars(cls).get("__init__")
    if not isinstance(init, FunctionType):
        return {}
    arguments = inspect.signature(init).parameters
    found = {}
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(init)))):
        if isinstance(node, ast.AnnAssign) and (name := _of_self(node.target)):
            found[name] = ast.unparse(node.annotation)
        elif isinstance(node, ast.Assign) and (name := _of_self(node.targets[0])):
            found[name] = _text(arguments[name].annotation) if name in arguments else "..."
    return found


def _of_self(target: ast.expr) -> str | None:
    is_ours = isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self"
    return target.attr if is_ours else None  # type: ignore[attr-defined]


def commands_of(path: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    """The commands, their arguments and options."""
    yield f"$ {path}"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands_of(f"{path} {name}", inner)
        elif action.option_strings:
            value = f" {action.metavar or action.choices}" if action.nargs != 0 else ""
            default = f", default {action.default}" if value and action.default else ""
            needed = REQUIRED if action.required else default
            yield from (f"$ {path} [{option}{value}]{needed}" for option in action.option_strings)
        else:
            yield f"$ {path} {action.metavar}{'' if action.nargs == '?' else REQUIRED}"


def settings() -> list[str]:
    """The settings of the commands' file, and their environment variables."""
    return [f"$ {' '.join(line.split())}" for line in HELP.splitlines() if "BASIS_PORTAL_" in line]


def breaks(before: Iterable[str], now: Iterable[str]) -> list[str]:
    """The differences that break code written for ``before``, as ``- line`` or ``+ line``."""
    old, new = set(before), set(now)
    known = {name_of(line) for line in old}
    asking = [line for line in new - old if asks_of(line) in known]
    return [f"- {line}" for line in sorted(old - new)] + [f"+ {line}" for line in sorted(asking)]


def asks_of(line: str) -> str | None:
    """Whose users a new line asks for something: of a class or function, by its name."""
    if line.endswith(TO_GIVE):
        return name_of(line).rpartition(".")[0]
    return name_of(line) if line.rstrip(")").endswith(REQUIRED) else None


def name_of(line: str) -> str:
    """The dotted name, or the command, that a line speaks of."""
    found = re.match(r"\$( [a-z_-]+)+|[\w.]+", line)
    return found[0] if found else line


def untold(broken: Iterable[str], changelog: str) -> list[str]:
    """The breaks whose name the changelog does not give, as code, under Unreleased."""
    unreleased = changelog.partition("## [Unreleased]")[2].partition("\n## [")[0]
    told = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`]+)`", unreleased))))
    return [line for line in broken if not _to_tell(line[2:]) <= told]


def _to_tell(line: str) -> set[str]:
    words = re.findall(r"[\w-]+", name_of(line))
    return set(words) if line.startswith("$") else {words[-1]}


def latest_release(changelog: str) -> str | None:
    """The newest version that the changelog has beside Unreleased, or None."""
    found = re.search(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    return found[1] if found else None


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] == "basis_portal"


def _is_protocol(cls: type) -> bool:
    return bool(getattr(cls, "_is_protocol", False))


def _is_inner(function: Any) -> bool:
    """Whether it takes the inner context of a portal, so that none but us can call it."""
    return "context" in inspect.signature(function).parameters


def _is_constructed(cls: type) -> bool:
    """Whether others may make one: not what takes our context, nor what lets Python make it."""
    init: Any = cls.__init__  # type: ignore[misc]
    return isinstance(init, FunctionType) and not _is_protocol(cls) and not _is_inner(init)


def _text(annotation: Any) -> str:
    """An annotation as its source reads."""
    if annotation is inspect.Parameter.empty:
        return "..."
    return (
        annotation
        if isinstance(annotation, str)
        else getattr(annotation, "__name__", repr(annotation))
    )


def _default(value: Any) -> str:
    """A default as its source reads; ``...`` for one that is made at each call."""
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    shown = getattr(value, "__name__", repr(value))
    return "..." if "<" in shown or value is attrs.NOTHING else str(shown)


def version() -> str:
    """The version in ``pyproject.toml``."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def main(arguments: list[str]) -> None:
    """Record what is public now."""
    released = arguments == ["released"]
    head = [f"# What was public in {version()}"] if released else []
    file = RELEASED if released else RECORD
    file.write_text("\n".join([*head, *public_api(), ""]), encoding="utf-8")
    print(f"Recorded in {file.name}.")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Kinds: specs of which a field may hold any, each joined to the class that does what it says.

A subject such as targets is a family, a class below `Kind`.  A kind of it is a class below the
family, whose field `kind` names it in configs, and whose `behaviour` says where its class is:

    class Affinities(Target):
        kind: Literal["affinities"] = "affinities"
        behaviour: ClassVar[str] = "lsd.targets.affinities:AffinityTarget"

Defining the class registers it.  `behaviour(spec)` gives an instance of the class for a spec;
everything else asks that instance, and never which kind it is.  A field that is annotated with the
family takes any of its kinds: as a spec, or as a mapping that names the kind.

Kinds may be defined outside of this package, in modules that are imported because a person named
them: see `import_kinds`.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from lsd.spec.answering import (
    Names,
    answer_in_place,
    answering,
    answering_class,
    missing_methods,
)
from lsd.spec.base import Spec
from lsd.spec.blame import OURS, Author, in_words, mistake_at
from lsd.spec.mistakes import EXPLAINED, did_you_mean, inside, not_a_kind

# families, and their kinds by name
_families: dict[type[Any], dict[str, type[Any]]] = {}
# modules, and the folders that they are found in
_imported: dict[str, str] = {}


def _is_family(cls: type[Spec]) -> bool:
    """Whether a class below `Kind` is none of the kinds, but what they have in common."""
    return get_origin(cls.model_fields["kind"].annotation) is not Literal


def _name(cls: type[Spec]) -> str:
    return str(get_args(cls.model_fields["kind"].annotation)[0])


def _family(cls: type[Spec]) -> type[Any]:
    return next(base for base in cls.__mro__ if base in _families)


def _registered(cls: type[Spec]) -> dict[str, type[Any]]:
    return _families.get(cls, {})


def _written(spec: Any, info: Any) -> Any:
    """A kind as it is written in a config: its name alone, where that says all."""
    name = spec.name_alone()
    return spec.model_dump(mode=info.mode) if name is None else name


def _error(message: str) -> PydanticCustomError:
    return PydanticCustomError(EXPLAINED, "{message}", {"message": message})


class Kind(Spec):
    """Base of families.  default: the kind that is meant where none is named, "" if there is none.

    by_name: a kind whose fields all have their defaults is written as its name alone; the name is
             read in any family
    noun:    what messages call a kind of it
    is_data: what a kind of it means follows from its fields alone, so no class does what it says
    """

    kind: str
    behaviour: ClassVar[str] = ""
    default: ClassVar[str] = ""
    by_name: ClassVar[bool] = False
    noun: ClassVar[str] = "kind"
    is_data: ClassVar[bool] = False

    def __new__(cls, *args: object, **data: Any) -> Self:
        """An instance of the kind that a family is called with: `Loss(kind="bce")` is a `Bce`."""
        if not _is_family(cls):
            return super().__new__(cls)
        # a kind that is unknown is found out when the fields are validated
        kind: type[Self] = _registered(cls).get(str(data.get("kind", cls.default)), cls)
        return super().__new__(kind)

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Registers a kind of a family."""
        super().__pydantic_init_subclass__(**options)
        if Kind in cls.__bases__:
            _families[cls] = {}
            return
        if _is_family(cls):
            if "behaviour" in cls.__dict__:
                raise TypeError(
                    f'{cls.__qualname__} has no name: give it kind: Literal["my_kind"] = "my_kind"'
                )
            # what several kinds have in common
            return
        module, colon, attribute = cls.behaviour.partition(":")
        if not (cls.is_data or (module and colon and attribute)):
            raise TypeError(
                f"{cls.__qualname__} does not say what it does: give it "
                f'behaviour: ClassVar[str] = "module:Class"'
            )
        field, registered = cls.model_fields["kind"], _registered(_family(cls))
        name, *more = get_args(field.annotation)
        if more:
            raise TypeError(f"{cls.__qualname__}: a kind has one name, and {name!r} is it already")
        if not field.is_required() and field.default != name:
            raise TypeError(
                f'{cls.__qualname__}: kind: Literal["{name}"] and its default {field.default!r} '
                f"differ; write the same name twice"
            )
        other, place = registered.get(name), (cls.__module__, cls.__qualname__)
        if other and (other.__module__, other.__qualname__) != place:
            raise TypeError(
                f"{cls.__qualname__}: kind {name!r} of {_family(cls).__name__} is defined in "
                f"{other.__module__} already; give it another name"
            )
        registered[name] = cls
        if modules_outside(cls):
            answer_in_place(cls, _author(cls), base=Spec)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The schema of a family takes any of its kinds, also those that are registered later."""
        if not _is_family(cls):
            return handler(source)
        written = core_schema.plain_serializer_function_ser_schema(_written, info_arg=True)
        return core_schema.no_info_plain_validator_function(cls._any, serialization=written)

    def _is_changed_by(self, change: Mapping[str, Any]) -> bool:
        """Not by what names another kind."""
        own = self.__dict__.get("kind")
        return bool(change.get("kind", own) == own)

    @classmethod
    def kinds(cls) -> Mapping[str, type[Self]]:
        """The kinds of a family, by name, in the order in which they were defined."""
        return MappingProxyType(_registered(cls))

    @classmethod
    def from_name(cls, name: str) -> Self | None:
        """The spec that a name means where it stands alone; None: it means none."""
        if not _is_family(cls):
            needs_more = any(field.is_required() for field in cls.model_fields.values())
            return None if needs_more or name != _name(cls) else cls.model_validate({})
        specs = (kind.from_name(name) for kind in _registered(cls).values())
        return next((spec for spec in specs if spec is not None), None)

    def to_name(self) -> str | None:
        """The name that means this spec, None where it takes more than a name."""
        return self.kind if self == type(self).from_name(self.kind) else None

    def name_alone(self) -> str | None:
        """The name that is written in the place of this spec; None: its fields are written."""
        return self.to_name() if self.by_name else None

    @classmethod
    def _any(cls, value: Any) -> Self:
        if isinstance(value, str):
            named = cls.from_name(value)
            if named is None:
                raise cls._unknown(value)
            return named
        if not isinstance(value, Mapping | BaseModel):
            raise _error(not_a_kind(value, _registered(cls)))
        # a stand-in of the family itself, whose kind was wrong, holds what it was given
        data = value.__dict__ if isinstance(value, BaseModel) else value
        name = data.get("kind", cls.default)
        if not name:
            raise _error(not_a_kind(value, _registered(cls)))
        member = type(value) if isinstance(value, cls) and type(value) is not cls else None
        member = member or _registered(cls).get(str(name))
        if member is None:
            raise cls._unknown(name)
        try:
            return member.model_validate(value if isinstance(value, member) else data)
        except ValidationError as error:
            raise inside(error, str(name)) from None

    @classmethod
    def _unknown(cls, name: object) -> PydanticCustomError:
        names = cls.described()
        return _error(
            f"{cls.noun} {name!r} is unknown; allowed: {', '.join(names)}, and those of modules "
            f"that imports= names{did_you_mean(str(name), names)}"
        )

    @classmethod
    def described(cls) -> list[str]:
        """Names of the kinds of a family, or of one of them, as a message lists them."""
        if not _is_family(cls):
            return [_name(cls)]
        return [name for kind in _registered(cls).values() for name in kind.described()]


def behaviour(spec: Kind, *others: Any, **named: Any) -> Any:
    """What a spec of a kind does: an instance of the class that its `behaviour` names.

    others, named: what instances of its family are made of besides
    Mistakes in a class that is not of this package are told with the kind, the file and the line,
    wherever its methods are called.  Raises ValueError where the class cannot be imported or made.
    """
    written = _class(type(spec))
    abstract = getattr(written, "__abstractmethods__", ())
    if abstract and modules_outside(type(spec)):
        raise missing_methods(written, _author(type(spec)))
    return written(spec, *others, **named)


def answer_for(value: Any, spec: Kind, *, names: Names) -> Any:
    """`value`, which a kind handed out and which is of another library's class: mistakes in the
    methods of these names are told as those of the kind, where it is not of this package."""
    kind = type(spec)
    return answering(value, _author(kind), names=names) if modules_outside(kind) else value


def modules_outside(kind: type[Kind]) -> tuple[str, ...]:
    """Modules that are not of this package, of the spec and of the class that does what it says."""
    own = kind.__module__
    both = dict.fromkeys((own, kind.behaviour.partition(":")[0] or own))
    return tuple(module for module in both if module.partition(".")[0] != OURS)


def _author(kind: type[Kind]) -> Author:
    packages = (module.partition(".")[0] for module in modules_outside(kind))
    return Author(f"{kind.noun} {_name(kind)!r}", tuple(dict.fromkeys(packages)))


@cache
def _class(kind: type[Kind]) -> Any:
    module, _, name = kind.behaviour.partition(":")
    author = _author(kind)
    try:
        written = getattr(importlib.import_module(module), name)
    except Exception as error:
        reason = _at_its_place(error, author.packages)
        raise ValueError(
            f"{author.title}: {kind.behaviour} cannot be imported ({reason})"
        ) from error
    return answering_class(written, author) if author.packages else written


def _at_its_place(error: Exception, packages: tuple[str, ...]) -> str:
    """What went wrong while a module was imported, with the file and line if they are known."""
    place = mistake_at(error, packages)
    return f"{place}: {in_words(error)}" if place else str(error)


def import_kinds(names: Iterable[str]) -> None:
    """Imports modules that define kinds; other processes of this run will import them too.

    A module is code, so this is called for what a person named: in a config file that they run, or
    as an argument.  A config that was read as data is never a reason.  Raises ValueError for a
    module that cannot be imported.
    """
    for name in names:
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise _cannot_be_imported(name, error) from error
            raise ValueError(
                f"there is no module {name!r}; start in the folder that holds {name}.py, or set "
                "PYTHONPATH to it"
            ) from error
        except Exception as error:
            raise _cannot_be_imported(name, error) from error
        folder = _folder(module.__file__, name)
        if _imported.setdefault(name, folder) != folder:
            raise ValueError(
                f"module {name!r} was imported from {_imported[name]} before, and is one of "
                f"{folder} now; kinds of both cannot be told apart, so start another process"
            )


def _cannot_be_imported(name: str, error: Exception) -> ValueError:
    reason = _at_its_place(error, (name.partition(".")[0],))
    return ValueError(f"module {name!r} cannot be imported: {reason}")


def imported() -> dict[str, str]:
    """Modules that were imported for their kinds, and the folder that each is found in."""
    return dict(_imported)


def modules_named_by(config: str | bytes) -> tuple[str, ...]:
    """The modules that a config as JSON names; what is wrong in it is said where it is read."""
    with suppress(ValueError, RecursionError):
        content = json.loads(config)
        names = content.get("imports", []) if isinstance(content, dict) else []
        names = (names,) if isinstance(names, str) else names
        if isinstance(names, list | tuple):
            return tuple(name for name in names if isinstance(name, str))
    return ()


def absent(modules: Iterable[str]) -> list[str]:
    """The modules of these names that are not imported.  A config file that is running may have
    imported some of them by itself."""
    return [name for name in modules if name not in _imported and name not in sys.modules]


def take_over(modules: Mapping[str, str]) -> None:
    """Imports what another process of this run imported; modules: what `imported` says there."""
    for folder in modules.values():
        if folder and folder not in sys.path:
            sys.path.append(folder)
    import_kinds(modules)


def outside(value: Any) -> Iterator[Kind]:
    """The specs inside a value whose kinds are not of this package."""
    if isinstance(value, Kind) and type(value).__module__.partition(".")[0] != OURS:
        yield value
    if isinstance(value, BaseModel):
        value = value.__dict__
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        for item in value:
            yield from outside(item)


def _folder(file: str | None, name: str) -> str:
    """The folder that a module is found in, which has its package in it."""
    if file is None:
        return ""
    path = Path(file).resolve()
    up = name.count(".") + (path.name == "__init__.py")
    return str(path.parents[up])

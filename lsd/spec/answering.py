"""Classes of kinds that are not of this package, made to answer for their mistakes: an error in one
of their methods is told with the kind, the file and the line.

Whoever calls such a kind does nothing for it: `lsd.spec.kinds.behaviour` gives the class that
`answering_class` makes of the one that was written.  What a kind hands out and others call later,
such as an activation or an open file, is of a class below `HandedOut`, and answers likewise.
"""

from __future__ import annotations

import copy
import inspect
import sys
import types
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache, cached_property, wraps
from numbers import Integral
from types import FunctionType, NoneType
from typing import Any, cast, get_args, get_origin, get_type_hints

from lsd.spec.blame import OURS, Author, KindError, file_and_line, is_installed

# special methods that other code calls
_SPECIAL = ("__init__", "__call__", "__str__", "__getitem__", "__len__")
# what a declaration calls several values that are read one after another
_SEVERAL = (list, Sequence, Iterable, Iterator)
Names = tuple[str, ...]


class HandedOut:
    """Base of what a kind hands out and other code calls later."""

    __slots__ = ()


def answering(value: Any, author: Author, *, names: Names = ()) -> Any:
    """`value`, whose methods now answer for the author's mistakes.

    names: the methods, for what comes from another library; otherwise those of a `HandedOut`, and
           any other value stays as it is
    """
    if names or isinstance(value, HandedOut):
        # an object of a compiled class keeps its class
        with suppress(TypeError):
            answers = answering_class(cast(Hashable, type(value)), author, names)
            object.__setattr__(value, "__class__", answers)
    return value


@cache
def answering_class(cls: type[Any], author: Author, names: Names = ()) -> type[Any]:
    """A class below `cls`, whose methods answer for the author's mistakes."""
    if "_author" in vars(cls):
        return cls
    members = {
        name: answering_member
        for name, member in _called(cls, author, names)
        # what has nothing to answer for is inherited
        if (answering_member := _answering_member(member, author, _declaration(cls, name)))
        is not member
    }
    identity = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
    }
    # no slots: an object of `cls` can become one of this class
    members |= {**identity, "__slots__": (), "_author": author}
    return types.new_class(cls.__name__, (cls,), exec_body=lambda body: body.update(members))


def answer_in_place(cls: type[Any], author: Author, *, base: type[Any]) -> None:
    """Makes the methods that a class itself defines answer likewise, except those that `base` has
    as well."""
    for name, member in [*vars(cls).items()]:
        if not name.startswith("_") and not hasattr(base, name):
            setattr(cls, name, _answering_member(member, author, _declaration(cls, name)))


def class_place(cls: type[Any]) -> str:
    """Where a class that answers is written, as in " (my_target.py, line 12)"; "" where nobody
    knows, as in some notebooks."""
    written = cls.__mro__[1]
    with suppress(OSError, TypeError):
        line = inspect.getsourcelines(written)[1]
        return f" ({file_and_line(inspect.getfile(written), line)})"
    return ""


def missing_methods(cls: type[Any], author: Author) -> KindError:
    """The error to raise for a class that lacks methods which its base asks for."""
    written = cls.__mro__[1]
    place = class_place(cls)
    names = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
    return KindError(f"{author.title}{place}: {written.__name__} lacks {names}; give it these")


def title_at(spec: Any, kind: object, *, method: str) -> str:
    """What messages call a kind whose method gave what it should not: "decoder 'mine' (mine.py,
    line 12)"; without the place where the method is of this package.

    spec: of a kind; kind: an instance of the class that does what it says
    """
    title = f"{spec.noun} {spec.kind!r}"
    written = inspect.unwrap(getattr(type(kind), method))
    is_ours = written.__module__.partition(".")[0] == OURS
    return title if is_ours else f"{title} ({_place(written)})"


def _called(cls: type[Any], author: Author, names: Names) -> Iterator[tuple[str, Any]]:
    """The members of a class by which others call the author's code, each as it is inherited."""
    inherited = {name: home for home in reversed(cls.__mro__) for name in vars(home)}
    for name, home in inherited.items():
        is_public = not name.startswith("_") or name in _SPECIAL
        is_theirs = _is_theirs(home, author)
        # what is handed out may call the author's code by methods of ours
        is_called = is_theirs or (issubclass(cls, HandedOut) and _is_ours(home))
        if name in names or (not names and is_public and is_called):
            yield name, vars(home)[name]


def _answering_member(member: Any, author: Author, declaration: Any) -> Any:
    if isinstance(member, FunctionType):
        return _answering_call(member, author, declaration)
    if isinstance(member, classmethod):
        return classmethod(_answering_call(member.__func__, author, declaration))
    if isinstance(member, cached_property):
        cached = cached_property(_answering_call(member.func, author, declaration))
        cached.attrname = member.attrname
        return cached
    if isinstance(member, property) and member.fget:
        getter = _answering_call(member.fget, author, declaration)
        return property(getter, member.fset, member.fdel)
    # a value that other classes may share
    return answering(copy.copy(member), author) if isinstance(member, HandedOut) else member


def _answering_call(
    function: Callable[..., Any], author: Author, declaration: Any
) -> Callable[..., Any]:
    check = _check_of(declaration)

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        try:
            result = function(*arguments, **options)
        except Exception as error:
            blamed = author.blamed(error)
            if blamed is error:
                raise
            raise blamed from error
        if wrong := check(result):
            place = _place(inspect.unwrap(function))
            raise KindError(f"{author.title} ({place}): {function.__name__} gives {wrong}")
        return answering(result, author)

    return call


def _place(function: Any) -> str:
    code = function.__code__
    return file_and_line(code.co_filename, code.co_firstlineno)


def _declaration(cls: type[Any], name: str) -> Any:
    """The function of this package that a member of this name overrides; None if there is none."""
    homes = [home for home in cls.__mro__ if _is_ours(home) and name in vars(home)]
    member = vars(homes[0])[name] if homes else None
    return getattr(member, "fget", None) or getattr(member, "func", member)


def _check_of(declaration: Any) -> Callable[[object], str]:
    """A function that says what is wrong with a result, as far as the declaration tells; "": all
    right."""
    hint = _hint(declaration)
    if hint in (None, Any, NoneType, bool, str) or NoneType in get_args(hint):
        # text and truth may be left out where there is nothing to say
        return lambda result: ""
    if hint is int:
        return lambda result: _difference(result, Integral, "a whole number")
    if isinstance(hint, type) and _is_ours(hint):
        return lambda result: _difference(result, hint, f"a value of {hint.__qualname__}")
    origin = get_origin(hint) or hint
    if origin in _SEVERAL or (isinstance(origin, type) and issubclass(origin, tuple)):
        written = declaration.__annotations__["return"]
        return lambda result: _unlike_several(result, hint, written)
    return lambda result: _difference(result, object, "")


def _hint(declaration: Any) -> Any:
    """What a function declares to give; None where it declares nothing."""
    if not isinstance(declaration, FunctionType):
        return None
    try:
        return get_type_hints(declaration).get("return")
    except NameError:
        # names that are imported for type checkers alone
        written = str(declaration.__annotations__.get("return", "None"))
        return None if "None" in written else object


def _difference(result: object, wanted: type[Any], words: str) -> str:
    if result is None:
        return "nothing; is a `return` missing?"
    return "" if isinstance(result, wanted) else f"{_brief(result)}; it must give {words}"


def _unlike_several(result: object, hint: Any, written: object) -> str:
    """What is wrong with a result that is to be several values.

    hint: the type that is declared; written: the same as the code has it
    """
    if result is None:
        return _difference(result, object, "")
    inner = get_args(hint)
    is_fixed = get_origin(hint) is tuple and ... not in inner
    if _are_several(result, len(inner) if is_fixed else None):
        return ""
    if is_fixed:
        names = str(written).removeprefix("tuple[").removesuffix("]")
        return f"{_brief(result)}; it must give {len(inner)} values: {names}"
    if not inner:
        return f"{_brief(result)}; it must give a {hint.__name__}, or a tuple"
    return f"{_brief(result)}; it must give several values, such as a tuple"


def _are_several(result: Any, count: int | None) -> bool:
    try:
        iter(result)
    except TypeError:
        return False
    return count is None or not hasattr(result, "__len__") or len(result) == count


def _brief(result: object) -> str:
    shape = getattr(result, "shape", None)
    if shape is None:
        return f"{result!r:.60}"
    return f"{type(result).__name__} of shape {tuple(shape)}"


def _is_ours(cls: type[Any]) -> bool:
    return cls.__module__.partition(".")[0] == OURS


def _is_theirs(cls: type[Any], author: Author) -> bool:
    first = cls.__module__.partition(".")[0]
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    in_file = file is not None and not is_installed(file)
    # a notebook has no file
    return first in author.packages or (first != OURS and (in_file or first == "__main__"))

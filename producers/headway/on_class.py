"""Calls that work on a class as well as on its instances: there on the one instance of the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class on_class_or_instance(Generic[P, R]):  # noqa: N801 - used as a decorator
    """A method that works on the class too, where it is called on what its `default()` gives."""

    def __init__(self, method: Callable[Concatenate[Any, P], R]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, instance: Any, owner: Any) -> Callable[P, R]:
        return self._method.__get__(owner.default() if instance is None else instance)  # type: ignore[no-any-return]

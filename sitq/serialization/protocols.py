"""What a serializer is: an object with two methods, and with three more one that knows calls."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


@runtime_checkable
class Serializer(Protocol):
    """Turns a value into bytes and back. Any object with these two methods serves, such as the `pickle` module."""

    def dumps(self, value: Any, /) -> bytes: ...

    def loads(self, data: bytes, /) -> Any: ...


@runtime_checkable
class CallSerializer(Serializer, Protocol):
    """What the doors work with: all five methods. `call_serializer` makes one of any serializer."""

    def dumps_call(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], /) -> bytes: ...

    def dumps_many(self, func: Callable[..., Any], calls: Iterable[Sequence[Any]], /) -> Iterator[bytes]:
        """Make the payloads of many calls of one function, each given by its positional arguments."""
        ...

    def loads_call(self, payload: bytes, /) -> Call: ...

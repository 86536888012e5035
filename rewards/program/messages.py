"""Protocol buffer messages declared as plain tables, as expressions need them."""

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    timestamp_pb2,
)

_Field = descriptor_pb2.FieldDescriptorProto
TEXT, NUMBER = _Field.TYPE_STRING, _Field.TYPE_INT64
TIME = ".google.protobuf.Timestamp"

Kind = Any
"""TEXT, NUMBER, a message by its full name; in a list where there are several; a dict
of one key's kind to one value's kind for a map."""


def pool(
    package: str, messages: Mapping[str, Mapping[str, tuple[int, Kind]]]
) -> descriptor_pool.DescriptorPool:
    """These messages: for each its fields, each with its number and its kind."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.proto",
        package=package,
        syntax="proto3",
        dependency=["google/protobuf/timestamp.proto"],
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            if isinstance(kind, dict):
                kind = [_entry(package, message, field, kind)]
            _declare(message, field, number, kind)
    made = descriptor_pool.DescriptorPool()
    made.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    made.Add(file)
    return made


def classes(pool: descriptor_pool.DescriptorPool, names: Iterable[str]) -> list[Any]:
    """The Python class of each message, by its full name."""
    return [
        message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
        for name in names
    ]


def _entry(package: str, message: Any, field: str, kinds: dict[Kind, Kind]) -> str:
    """The message that holds one key and value of a map; its name is prescribed."""
    name = f"{field.title()}Entry"
    entry = message.nested_type.add(name=name)
    entry.options.map_entry = True
    ((key, value),) = kinds.items()
    _declare(entry, "key", 1, key)
    _declare(entry, "value", 2, value)
    return f".{package}.{message.name}.{name}"


def _declare(message: Any, name: str, number: int, kind: Kind) -> None:
    several = isinstance(kind, list)
    kind = kind[0] if several else kind
    label = _Field.LABEL_REPEATED if several else _Field.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    if isinstance(kind, str):
        field.type, field.type_name = _Field.TYPE_MESSAGE, kind
    else:
        field.type = kind

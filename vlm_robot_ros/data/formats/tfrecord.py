"""TFRecord files of tf.train.Example messages, read without TensorFlow."""

import struct
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

from vlm_robot_ros.data.dataset import DataError
from vlm_robot_ros.file_limits import FileLimitError, check_count, check_size

_GROWTH = 8
"""Bytes of memory for one of a record at most: an integer takes one there."""
_HEAD, _FOOT = 12, 4
"""Bytes before a record (its length and a checksum of that) and behind it (a checksum)."""


def record_offsets(path: Path) -> list[tuple[int, int]]:
    """Return where each record of a file begins, and how long it is [bytes].

    Raises:
        DataError: the file is missing, or ends within a record.
    """
    found: list[tuple[int, int]] = []
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            place = 0
            while place < size:
                file.seek(place)
                head = file.read(_HEAD)
                length = struct.unpack("<Q", head[:8])[0] if len(head) == _HEAD else size
                if place + _HEAD + length + _FOOT > size:
                    raise DataError(f"'{path}' ends within record {len(found)}; copy it again")
                found.append((place + _HEAD, length))
                place += _HEAD + length + _FOOT
    except OSError as error:
        raise DataError(f"'{path}' cannot be read: {error}") from error
    return found


def read_example(path: Path, place: int, length: int) -> dict[str, list[Any]]:
    """Return the lists of a record, by name: of bytes, floats or integers.

    Raises:
        DataError: it is no tf.train.Example, or unpacks to more than the size limit.
    """
    what = f"'{path}': the record at byte {place}"
    try:
        check_size(length * _GROWTH, what)
    except FileLimitError as error:
        raise DataError(str(error)) from error
    with path.open("rb") as file:
        file.seek(place)
        content = file.read(length)
    example: Any = _EXAMPLE()
    try:
        example.ParseFromString(content)
    except message.DecodeError as error:
        raise DataError(f"'{path}': the record at byte {place} is corrupt: {error}") from error
    features = example.features.feature
    try:
        lists = [(kind, each) for each in features.values() if (kind := each.WhichOneof("kind"))]
        check_count(sum(len(getattr(each, kind).value) for kind, each in lists), what)
    except FileLimitError as error:
        raise DataError(str(error)) from error
    return {
        name: list(getattr(features[name], kind).value)
        for name in features
        if (kind := features[name].WhichOneof("kind"))
    }


def _example_class() -> type[message.Message]:
    """Build the message type: TensorFlow's example.proto and feature.proto."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="vlm_robot_ros/example.proto", syntax="proto3")

    def add(
        owner: Any, name: str, number: int, kind: Any, of: str = "", many: bool = False
    ) -> Any:
        label = field.LABEL_REPEATED if many else field.LABEL_OPTIONAL
        return owner.field.add(
            name=name, number=number, type=kind, type_name=of or None, label=label
        )

    kinds = {"Bytes": field.TYPE_BYTES, "Float": field.TYPE_FLOAT, "Int64": field.TYPE_INT64}
    feature = descriptor_pb2.DescriptorProto(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (kind, code) in enumerate(kinds.items(), 1):
        add(file.message_type.add(name=f"{kind}List"), "value", 1, code, many=True)
        one = add(feature, f"{kind.lower()}_list", number, field.TYPE_MESSAGE, f".{kind}List")
        one.oneof_index = 0
    file.message_type.append(feature)
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, field.TYPE_STRING)
    add(entry, "value", 2, field.TYPE_MESSAGE, ".Feature")
    add(features, "feature", 1, field.TYPE_MESSAGE, ".Features.FeatureEntry", many=True)
    example = file.message_type.add(name="Example")
    add(example, "features", 1, field.TYPE_MESSAGE, ".Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Example"))


_EXAMPLE = _example_class()

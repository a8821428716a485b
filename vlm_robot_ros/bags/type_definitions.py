"""How a bag's messages are decoded: by its own definitions, or by known ones where it has none."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from vlm_robot_ros.bags.storage import Channel

PACKAGE = "vlm_robot_ros"
_ROS_2 = [store for store in reversed(Stores) if store.value.startswith("ros2_")]
"""The newest distribution first."""
_HASH = "RIHS01_"


class UnknownTypeError(ValueError):
    """A message type of which neither the bag nor this package has a definition."""


class VersionError(ValueError):
    """A known message type of which the version in the bag cannot be told."""


class MessageTypes:
    """The message types of one bag."""

    def __init__(self, distro: str = "") -> None:
        """Take the ROS 2 distribution of the recorder; empty if the bag does not say."""
        self._distro = distro
        self._stores: dict[Channel, Typestore] = {}

    def store(self, channel: Channel, samples: Callable[[], Iterable[bytes]]) -> Typestore:
        """Return the definitions of a channel's type, and of the types that it is made of.

        Args:
            channel: The channel.
            samples: Returns some of its messages, serialised, to tell versions of a type apart.

        Raises:
            UnknownTypeError: the type is unknown.
            VersionError: the version of the type cannot be told.
        """
        if channel not in self._stores:
            self._stores[channel] = self._find(channel, samples)
        return self._stores[channel]

    def _find(self, channel: Channel, samples: Callable[[], Iterable[bytes]]) -> Typestore:
        kind = channel.kind
        if channel.encoding != "cdr" or not kind:
            said = f"encoding {channel.encoding or 'unknown'}, type {kind or 'unknown'}"
            raise UnknownTypeError(f"{said}; valid: cdr with a type")
        if channel.definition and (store := _typestore_of_bag(channel)):
            return store
        known = (
            package_message_versions(kind) if kind.startswith(f"{PACKAGE}/") else _standard(kind)
        )
        if not known:
            raise UnknownTypeError(f"{kind}, which the bag does not define")
        if channel.type_hash.startswith(_HASH):
            if channel.type_hash in known:
                return known[channel.type_hash]
            raise VersionError(
                f"{kind} with the type hash {channel.type_hash}; known: {', '.join(known)}. "
                "Record the bag again with message definitions, or read it with the version of "
                "this package that recorded it"
            )
        if len(known) == 1:
            return next(iter(known.values()))
        store = self._of_distro(kind)
        return store or _matching_typestore(kind, known, samples())

    def _of_distro(self, kind: str) -> Typestore | None:
        """Return the definitions of the recorder's distribution, if it is known and has them."""
        name = f"ros2_{self._distro}"
        if kind.startswith(f"{PACKAGE}/") or name not in {store.value for store in _ROS_2}:
            return None
        store = get_typestore(Stores(name))
        return store if kind in store.fielddefs else None


@cache
def package_message_versions(kind: str) -> dict[str, Typestore]:
    """Return all versions of one of this package's message types, by RIHS01 hash, oldest first.

    `message_versions/NAME.1.msg` is the first version of NAME. When a message changes, its new
    version is added there, and the old ones stay, so that old bags can be read. A message inside
    another one is taken in its newest version.
    """
    _, group, name = kind.split("/")
    base = name
    if group == "srv":
        base = next((name.removesuffix(end) for end in _SERVICE if name.endswith(end)), name)
    folder = resources.files("vlm_robot_ros.bags") / "message_versions"
    files = [file for file in folder.iterdir() if file.name.startswith(f"{base}.")]
    found = {}
    for file in sorted(files, key=lambda file: int(file.name.split(".")[1])):
        if file.name.endswith(f".{group}"):
            store = get_typestore(Stores.LATEST)
            store.register(_package_types(file.read_text(), group, base))
            if kind in store.fielddefs:
                found[type_hash(store, kind)] = store
    return found


_OWN_FIELD = re.compile(r"^([A-Z]\w*)(?:\[[^\]]*\])? +\w+", re.MULTILINE)
"""Fields of this package's own types: names without a package."""
_SERVICE = ("_Request", "_Response", "_Event")


def _newest_types(name: str) -> dict[str, Any]:
    """Return the types of the newest version of one of this package's messages."""
    folder = resources.files("vlm_robot_ros.bags") / "message_versions"
    files = [file for file in folder.iterdir() if file.name.startswith(f"{name}.")]
    newest = max(files, key=lambda file: int(file.name.split(".")[1]))
    return _package_types(newest.read_text(), "msg", name)


def _package_types(text: str, group: str, name: str) -> dict[str, Any]:
    if group == "msg":
        types: dict[str, Any] = dict(get_types_from_msg(text, f"{PACKAGE}/msg/{name}"))
        for inner in _OWN_FIELD.findall(text):
            types |= _newest_types(inner)
        return types
    request, response = text.split("---")
    kind = f"{PACKAGE}/srv/{name}"
    event = (
        "service_msgs/ServiceEventInfo info\n"
        f"{kind}_Request[<=1] request\n{kind}_Response[<=1] response\n"
    )
    texts = dict(zip(_SERVICE, (request, response, event), strict=True))
    found: dict[str, Any] = {}
    for end, part in texts.items():
        found |= get_types_from_msg(part, kind + end)
    return _renamed(found)


def _renamed(found: Any) -> Any:
    """Return types by the names that ROS has for those of services and actions.

    rosbags calls all types `package/.../msg/Name`.
    """
    if isinstance(found, str):
        return found.replace("/srv/msg/", "/srv/").replace("/action/msg/", "/action/")
    if isinstance(found, dict):
        return {_renamed(key): _renamed(value) for key, value in found.items()}
    if isinstance(found, (list, tuple)):
        return type(found)(_renamed(each) for each in found)
    return found


def _typestore_of_bag(channel: Channel) -> Typestore | None:
    """Return the definitions in a bag; None if they cannot be used."""
    try:
        if channel.definition_format == "ros2idl":
            found = _renamed(_types_of_idl(channel.definition))
        else:
            found = _renamed(dict(get_types_from_msg(channel.definition, channel.kind)))
        store = get_typestore(Stores.EMPTY)
        store.register({k: v for k, v in found.items() if k not in store.fielddefs})
        # Some recorders leave out the types that a message is made of.
        for lacking in _missing_types(store, channel.kind):
            latest = get_typestore(Stores.LATEST)
            store.register({lacking: latest.fielddefs[lacking]})
        store.get_msgdef(channel.kind)
    except Exception:  # whatever the text makes the parsers raise
        return None
    return store


def _types_of_idl(text: str) -> dict[str, Any]:
    """Return the types of a definition in IDL: one after the other, some of them as messages."""
    found: dict[str, Any] = {}
    for part in text.split("=" * 80 + "\n"):
        head, _, body = part.partition("\n")
        form, _, name = head.partition(": ")
        if form == "MSG":
            found |= get_types_from_msg(body, name)
        elif part.strip():
            found |= get_types_from_idl(body if form == "IDL" else part)
    return found


def _missing_types(store: Typestore, kind: str) -> Iterator[str]:
    """Return the types that a type is made of and that are not in a store, as it is filled."""
    waiting, seen = [kind], set()
    while waiting:
        name = waiting.pop()
        if name not in store.fielddefs:
            yield name
        seen.add(name)
        waiting += [each for each in _names_in(store.fielddefs[name][1]) if each not in seen]


def _names_in(fields: Any) -> Iterator[str]:
    """Return the names of types in the fields of another, as rosbags has them."""
    if isinstance(fields, str) and "/" in fields:
        yield fields
    elif isinstance(fields, (list, tuple)):
        for each in fields:
            yield from _names_in(each)


def type_hash(store: Typestore, kind: str) -> str:
    """Return the RIHS01 hash of a type, as ROS 2 has it; empty where rosbags knows none.

    To ROS 2 a `char` is a `uint8`; the hashes of rosbags tell them apart.
    """
    plain, waiting = get_typestore(Stores.EMPTY), [kind]
    while waiting:
        name = waiting.pop()
        constants, fields = store.fielddefs[name]
        plain.fielddefs[name] = constants, _char_as_uint8(fields)
        waiting += [each for each in _names_in(fields) if each not in plain.fielddefs]
    try:
        return plain.hash_rihs01(kind)
    except KeyError:  # wide strings
        return ""


def _char_as_uint8(fields: Any) -> Any:
    if isinstance(fields, (list, tuple)):
        if len(fields) == 2 and fields[0] == "char":
            return ("uint8", fields[1])
        return type(fields)(_char_as_uint8(each) for each in fields)
    return fields


@cache
def _standard(kind: str) -> dict[str, Typestore]:
    """Return the versions of a type in all distributions of ROS 2, by RIHS01 hash."""
    found: dict[str, Typestore] = {}
    for name in _ROS_2:
        store = get_typestore(name)
        if kind in store.fielddefs:
            found.setdefault(type_hash(store, kind), store)
    return found


def _matching_typestore(
    kind: str, known: dict[str, Typestore], samples: Iterable[bytes]
) -> Typestore:
    """Return the one version of a type that all samples can be of."""
    left = dict(known)
    for data in samples:
        left = {name: store for name, store in left.items() if _matches(store, kind, data)}
        if not left:
            break
    if len(left) == 1:
        return next(iter(left.values()))
    raise VersionError(
        f"{kind} without a definition or a type hash; {len(left)} of the {len(known)} known "
        "versions fit its messages, so its version cannot be told. Record the bag again with "
        "message definitions (MCAP, or ROS 2 Iron and later)"
    )


def _matches(store: Typestore, kind: str, data: bytes) -> bool:
    try:
        store.deserialize_cdr(data, kind)
    except Exception:  # what the bytes make it raise
        return False
    return True

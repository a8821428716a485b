"""What can become of messages on their way: functions from one to those that arrive."""

import copy

import numpy as np


def changed(**fields):
    """Return a way that changes fields of every message."""

    def way(message):
        other = copy.copy(message)
        for name, value in fields.items():
            setattr(other, name, value(message) if callable(value) else value)
        return [other]

    return way


def stamped(shift):
    """Return a way that shifts stamps by seconds."""

    def way(message):
        other = copy.deepcopy(message)
        time = other.clock if hasattr(other, "clock") else other.header.stamp
        nanoseconds = max(0, time.sec * 10**9 + time.nanosec + int(shift * 1e9))
        time.sec, time.nanosec = divmod(nanoseconds, 10**9)
        return [other]

    return way


def negative(message):
    """Return times before the beginning of all time."""
    other = copy.deepcopy(message)
    (other.clock if hasattr(other, "clock") else other.header.stamp).sec = -5
    return [other]


def gone(message):
    return []


def frozen(*fields):
    """Return a way that goes on with these fields of the first message."""
    first = []

    def way(message):
        first[:] = first or [message]
        return changed(**{name: getattr(first[0], name) for name in fields})(message)

    return way


def without_the_first(message):
    return changed(name=message.name[1:], position=message.position[1:])(message)


def of_another_arm(message):
    return changed(name=[f"ur_{name}" for name in message.name])(message)


def position(number, value):
    def put(message):
        positions = list(message.position)
        positions[number] = value
        return positions

    return put


def lossy(part, seed):
    """Return a way that loses a part of the messages."""
    rng = np.random.default_rng(seed)
    return lambda message: [] if rng.random() < part else [message]


def twice(message):
    return [message, message]


def out_of_order():
    """Return a way that lets every second message be overtaken by the next."""
    kept = []

    def way(message):
        kept.append(message)
        return [kept.pop(), kept.pop()] if len(kept) == 2 else []

    return way


def turned(message):
    other = copy.copy(message)
    other.name, other.position = message.name[::-1], message.position[::-1]
    other.velocity = message.velocity[::-1]
    return [other]


def more_joints(message):
    other = copy.copy(message)
    other.name = ["torso", *message.name, "left_wheel"]
    other.position = [float("nan"), *message.position, 1e300]
    return [other]


def in_bgr(message):
    swapped = np.frombuffer(message.data, np.uint8).reshape(-1, 3)[:, ::-1]
    return changed(encoding="bgr8", data=swapped.tobytes())(message)


def padded(message):
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, -1)
    wide = np.pad(rows, ((0, 0), (0, 5)))
    return changed(step=wide.shape[1], data=wide.tobytes())(message)

"""Arrays go from one process to another through memory that both have."""

import mmap
import os
import pickle
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any


class SharedArrayWriter:
    """Memory in which one process lays arrays down and the other finds them."""

    def __init__(self) -> None:
        self._memory: mmap.mmap | None = None

    def send(self, pipe: "Connection[Any, Any]", what: object) -> None:
        """Hand anything over; its arrays are copied into the memory."""
        arrays: list[pickle.PickleBuffer] = []
        head = pickle.dumps(what, protocol=5, buffer_callback=arrays.append)
        raw = [array.raw() for array in arrays]
        sizes = [array.nbytes for array in raw]
        file = None
        if self._memory is None or sum(sizes) > len(self._memory):
            file = os.memfd_create("policy")  # unlike /dev/shm it has no limit of its own
            os.fchmod(file, 0o600)  # 0777 otherwise, for who may look into /proc/<pid>/fd
            os.truncate(file, 2 * sum(sizes) + 1)
            self._memory = mmap.mmap(file, 0)
        at = 0
        for array in raw:
            self._memory[at : at + array.nbytes] = array
            at += array.nbytes
        try:
            pipe.send((head, sizes, file is not None))
            if file is not None:
                send_handle(pipe, file, 0)
        finally:
            if file is not None:
                os.close(file)


class SharedArrayReader:
    """Takes what is handed over a desk of the other process."""

    _memory: mmap.mmap

    def receive(self, pipe: "Connection[Any, Any]") -> Any:
        """Wait for it; its arrays are copies."""
        head, sizes, grows = pipe.recv()
        if grows:
            file = recv_handle(pipe)
            self._memory = mmap.mmap(file, 0)
            os.close(file)
        arrays, at, memory = [], 0, memoryview(self._memory)
        for size in sizes:
            arrays.append(bytearray(memory[at : at + size]))
            at += size
        return pickle.loads(head, buffers=arrays)

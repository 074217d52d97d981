"""One worker process: takes a frame's task, limits itself, answers, and knows nothing else.

Started as `python -m hilum.workers.worker SOCKET SHARED MEMORY SECONDS`, with two inherited file descriptors: a socket
for heads, and a file in memory for what is too long for them. It has no environment, no database and no peer.
"""

import json
import os
import pickle
import resource
import socket
import sys
import warnings
from dataclasses import replace
from struct import Struct

from hilum.core.kernel.errors import HilumError
from hilum.wire.dicom.frame_work import FrameTask, work_on

ASKED = Struct("<QQ")
"""How long the pickled task is, and the encoded frame behind it."""
ANSWERED = Struct("<?QQ")
"""Whether it could be done, how long the description is (JSON), and the content behind it."""


def main(socket_number: int, shared: int, most_memory: int, most_seconds: int) -> None:
    """Work until the socket is closed."""
    warnings.simplefilter("ignore")
    _limit(most_memory)
    with socket.socket(fileno=socket_number) as heads:
        heads.sendall(b"+")
        while len(head := heads.recv(ASKED.size, socket.MSG_WAITALL)) == ASKED.size:
            _allow_cpu_seconds(most_seconds)
            heads.sendall(_answer(shared, *ASKED.unpack(head)))


def _limit(most_memory: int) -> None:
    """Bound address space and what can be written; leave no core file, which would hold pixels."""
    resource.setrlimit(resource.RLIMIT_AS, (most_memory, most_memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_memory, most_memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _allow_cpu_seconds(seconds: int) -> None:
    """Let the kernel end this process when a task takes longer: its limit counts from the process's start."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _answer(shared: int, task_length: int, frame_length: int) -> bytes:
    """Do one task and put what was made in the shared file; say what failed where it failed."""
    try:
        answer = work_on(_task(shared, task_length, frame_length))
    except HilumError as error:
        return _put(shared, {"what": error.what, "peer_said": error.peer_said}, b"", done=False)
    except MemoryError:
        return _put(shared, {"what": "the frame needs more memory than a worker may take"}, b"", done=False)
    description = {
        "photometric_interpretation": answer.photometric_interpretation,
        "bits_allocated": answer.bits_allocated,
        "bits_stored": answer.bits_stored,
        "pixel_representation": answer.pixel_representation,
        "is_lossy": answer.is_lossy,
        "keeps_words": answer.keeps_words,
    }
    return _put(shared, description, answer.content, done=True)


def _task(shared: int, task_length: int, frame_length: int) -> FrameTask:
    task: FrameTask = pickle.loads(os.pread(shared, task_length, 0))  # noqa: S301  our own server wrote it
    return replace(task, frame=replace(task.frame, encoded=os.pread(shared, frame_length, task_length)))


def _put(shared: int, description: dict[str, object], content: bytes | memoryview, *, done: bool) -> bytes:
    said = json.dumps(description).encode("utf-8")
    put(shared, said, content)
    return ANSWERED.pack(done, len(said), len(content))


def put(shared: int, *parts: bytes | memoryview) -> None:
    """Write one part behind the other."""
    offset = 0
    for part in parts:
        left = memoryview(part)
        while left:
            written = os.pwrite(shared, left, offset)
            offset, left = offset + written, left[written:]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))

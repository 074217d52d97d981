"""What an operating system's refusal means."""

import errno

from hilum.core.kernel.errors import Busy

_NEXT_STEPS = {
    errno.ENOSPC: "free space on the disk of the object store; service returns by itself",
    errno.EDQUOT: "raise the quota of the object store; service returns by itself",
    errno.EFBIG: "raise the file size limit of the process or file system",
    errno.EIO: "look at the disk: the kernel's log says more",
    errno.EROFS: "mount the object store writable",
    errno.EMFILE: "raise the limit of open files",
    errno.EACCES: "let the server's account write to the object store",
    errno.ENOENT: "the folder of the object store is gone: mount or make it",
}


def busy(error: OSError) -> Busy:
    """Return the error in core's words; the path stays out of it."""
    return Busy(
        "the object store cannot do this now",
        peer_said=error.strerror or type(error).__name__,
        next_step=_NEXT_STEPS.get(error.errno or 0, "look at the disk of the object store"),
    )

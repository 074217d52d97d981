"""C-MOVE of a study of 500 CT of 0.5 MB by DCMTK's movescu, to DCMTK's storescp.

Every server holds the same study and sends it to the same kind of receiver, one after the other, in rounds; the median of
the rounds is printed, and its ratio to Hilum's.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import pydicom

from benchmarks import peers
from benchmarks.c_store import make_study, send

IMAGES = 500
ROUNDS = 5
SINK = "SINK"
_ENVIRONMENT = {"TCP_NODELAY": "1"}


def move(port: int, study_instance_uid: str) -> float:
    """Move a study to the sink and return the seconds that it took."""
    keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={study_instance_uid}"]
    started = time.monotonic()
    subprocess.run(
        ["movescu", "-S", "-aem", SINK, *keys, "127.0.0.1", str(port)],
        env={**os.environ, **_ENVIRONMENT}, check=True, capture_output=True,
    )  # fmt: skip
    return time.monotonic() - started


def measure(study: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every server in every round; what did not arrive ends the run."""
    uid = str(pydicom.dcmread(next(study.iterdir()), specific_tags=["StudyInstanceUID"]).StudyInstanceUID)
    servers = {"Hilum": peers.hilum}
    if peers.installed("Orthanc"):
        servers["Orthanc"] = peers.orthanc
    seconds: dict[str, list[float]] = {name: [] for name in servers}
    with ExitStack() as stack:
        ports = {}
        sink = peers.free_port()
        for name, server in servers.items():
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            running = stack.enter_context(server(folder, _ENVIRONMENT, {SINK: sink}))
            send(study, running.dicom_port, _ENVIRONMENT)
            ports[name] = running.dicom_port
        for _ in range(rounds):
            for name, port in ports.items():
                seconds[name].append(_moved(port, sink, uid))
    return seconds


def _moved(port: int, sink: int, study_instance_uid: str) -> float:
    with (
        tempfile.TemporaryDirectory() as folder,
        peers.dcmtk(Path(folder), _ENVIRONMENT, port=sink),
    ):
        took = move(port, study_instance_uid)
        arrived = len(list((Path(folder) / "storescp").iterdir()))
    if arrived != IMAGES:
        raise SystemExit(f"{arrived} of {IMAGES} images arrived")
    return took


def main() -> None:
    """Measure, and print medians, rates and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        make_study(study, IMAGES)
        seconds = measure(study, rounds)
    print(f"\nC-MOVE of {IMAGES} images\n{'server':<22}{'seconds':>9}{'images/s':>10}{'Hilum is':>12}")
    ours = statistics.median(seconds["Hilum"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        ratio = "" if name == "Hilum" else f"{median / ours:.2f}x"
        print(f"{name:<22}{median:>9.2f}{IMAGES / median:>10.0f}{ratio:>12}")


if __name__ == "__main__":
    main()

"""C-STORE from DCMTK's storescu: 800 CT of 0.5 MB on one association, then the first QIDO.

Run it with `make bench`. Every server gets the same files from the same client, one after the other, in rounds; the
median of the rounds is printed, and its ratio to Hilum's.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from benchmarks import peers

IMAGES = 800
ROUNDS = 3


def make_study(folder: Path, images: int) -> None:
    """Write one series of CT images of 512 x 512 x 16 bit, derived from pydicom's CT_small."""
    folder.mkdir()
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    pixels = (np.random.default_rng(1).normal(0, 60, (512, 512)) + 1000).astype(np.int16)
    image.Rows = image.Columns = 512
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
    for number in range(images):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.InstanceNumber = number + 1
        image.PixelData = np.roll(pixels, number).tobytes()
        image.save_as(folder / f"{number:05d}.dcm")


def send(folder: Path, port: int, environment: dict[str, str]) -> float:
    """Send a folder on one association and return the seconds that it took."""
    command = ["storescu", "+sd", "+r", "127.0.0.1", str(port), str(folder)]
    started = time.monotonic()
    subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True)
    return time.monotonic() - started


def first_qido(url: str) -> tuple[float, int]:
    """Return the milliseconds of the first QIDO after the last C-STORE, and how many instances it reports."""
    started = time.monotonic()
    with urlopen(url, timeout=10) as answer:  # noqa: S310  # our own loopback URL
        studies = json.load(answer)
    took = (time.monotonic() - started) * 1000
    return took, sum(study["00201208"]["Value"][0] for study in studies)


def measure(environment: dict[str, str], study: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every server in every round."""
    servers = {"Hilum": peers.hilum, "DCMTK storescp": peers.dcmtk}
    if peers.installed("Orthanc"):
        servers["Orthanc"] = peers.orthanc
    if environment:
        servers["pynetdicom storescp"] = peers.pynetdicom
    seconds: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            with tempfile.TemporaryDirectory() as folder, server(Path(folder), environment) as running:
                seconds[name].append(send(study, running.dicom_port, environment))
                if running.qido_url:
                    latency, found = first_qido(running.qido_url)
                    ready = running.seconds_to_ready
                    print(
                        f"  {name}: ready after {ready:.2f} s, first QIDO {latency:.1f} ms, {found} instances"
                    )
    return seconds


def report(title: str, seconds: dict[str, list[float]]) -> None:
    """Print medians, rates and ratios."""
    print(f"\n{title}\n{'server':<22}{'seconds':>9}{'images/s':>10}{'Hilum is':>12}")
    ours = statistics.median(seconds["Hilum"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        ratio = "" if name == "Hilum" else f"{median / ours:.1f}x"
        print(f"{name:<22}{median:>9.2f}{IMAGES / median:>10.0f}{ratio:>12}")


def main() -> None:
    """Measure with and without TCP_NODELAY in the environment of client and server."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        make_study(study, IMAGES)
        report("TCP_NODELAY=1", measure({"TCP_NODELAY": "1"}, study, rounds))
        report("stock client", measure({}, study, 1))


if __name__ == "__main__":
    main()

"""Store requests that lie, break off or never end cost a bounded amount and leave nothing behind."""

import os
import socket
import time
from collections.abc import Iterator
from io import BytesIO
from urllib.parse import urlsplit

import httpx
import pytest

from .conftest import LONGEST_INSTANCE, RELATED, Archive, made_up, part10, related, store


def _post(http: httpx.Client, body: bytes | Iterator[bytes], content_type: str = RELATED) -> httpx.Response:
    return http.post("/studies", content=body, headers={"Content-Type": content_type})


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("multipart/related; type=application/dicom", 400),
        ('multipart/related; type="application/dicom"; boundary=""', 400),
        (f'multipart/related; type="application/dicom"; boundary={"b" * 71}', 400),
        ('multipart/related; type="application/dicom"; boundary="b<"', 400),
        ('multipart/related; type="application/pdf"; boundary=b', 415),
        ("multipart/form-data; boundary=b", 415),
        ("application/xml", 415),
        ("nonsense", 400),
    ],
)
def test_a_content_type_that_is_not_read_is_refused(
    content_type: str, status: int, http: httpx.Client
) -> None:
    answer = _post(http, related(part10(made_up())), content_type)

    assert answer.status_code == status
    assert answer.json()["next_step"]


def test_a_request_without_content_type_is_415(http: httpx.Client) -> None:
    answer = http.post("/studies", content=b"x")

    assert answer.status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"x" * 100_000,
        b"--b0undary--\r\n",
        b"--b0undary",
        b"--b0undary\r\n",
        b"--b0undary\r\nContent-Type: application/dicom\r\n",
        b"--b0undary\r\nthis is no header\r\n\r\nx\r\n--b0undary--",
        b"--b0undary\r\n" + b"X: y\r\n" * 10_000 + b"\r\nx\r\n--b0undary--",
        b"--b0undary\r\nX: " + b"y" * 100_000 + b"\r\n\r\nx\r\n--b0undary--",
        b"--b0undary\r\n" + b"X:y\r\n" * 100 + b"\r\nx\r\n--b0undary--",
    ],
    ids=range(11),
)
def test_a_body_that_is_malformed_is_400(body: bytes, http: httpx.Client, archive: Archive) -> None:
    answer = _post(http, body)

    assert answer.status_code == 400
    assert archive.blobs() == []


def test_what_came_whole_before_the_break_is_kept_and_may_be_sent_again(http: httpx.Client) -> None:
    first, second = part10(made_up()), part10(made_up())
    body = related(first, second)

    broken = _post(http, body[: -len(second) // 2])
    again = _post(http, body)

    assert broken.status_code == 400
    assert "send it again" in broken.json()["next_step"]
    assert again.status_code == 200
    assert len(http.get("/instances").json()) == 2


def test_a_client_that_leaves_in_the_middle_leaves_nothing(archive: Archive, http: httpx.Client) -> None:
    address = urlsplit(archive.url)
    head = f"POST /dicom-web/studies HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: {RELATED}\r\n"
    body = related(part10(made_up(PatientComments="x", PixelData=bytes(2 << 20), Rows=1024, Columns=2048)))

    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) - 1000])
    for _ in range(600):
        if not archive.blobs():
            break
        time.sleep(0.05)

    assert archive.blobs() == []
    assert http.get("/instances").json() == []


def test_lengths_that_a_part_claims_are_not_believed(http: httpx.Client) -> None:
    head = b"Content-Type: application/dicom\r\nContent-Length: 3000000000\r\n"

    answer = _post(http, related(part10(made_up()), head=head))

    assert answer.status_code == 200


def test_a_pixel_length_of_three_gigabytes_that_are_not_there_is_refused(
    http: httpx.Client, archive: Archive
) -> None:
    file = part10(made_up())
    place = file.rindex(b"\xe0\x7f\x10\x00")
    lying = file[: place + 8] + (3_000_000_000).to_bytes(4, "little") + file[place + 12 :]

    answer = store(http, lying)

    assert answer.status_code == 409
    assert "truncated" in answer.json()["00081198"]["Value"][0]["00000902"]["Value"][0]
    assert archive.blobs() == []


def test_an_instance_that_is_too_long_fails_alone(http: httpx.Client, archive: Archive) -> None:
    good = part10(made_up())
    huge = part10(made_up(PixelData=bytes(LONGEST_INSTANCE)))

    answer = store(http, huge, good)

    assert answer.status_code == 202
    (failed,) = answer.json()["00081198"]["Value"]
    assert f"longer than {LONGEST_INSTANCE} octets" in failed["00000902"]["Value"][0]
    assert len(archive.blobs()) == 1


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"DICM",
        bytes(132),
        bytes(128) + b"DICM",
        os.urandom(5000),
        b"\x02\x00\x00\x00UL\x04\x00\xff\xff\xff\xff" + bytes(100),
        bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI\xff\xff" + b"1" * 70_000,
        part10(made_up())[:300],
        part10(made_up(SOPInstanceUID="../../../etc/passwd")),
        part10(made_up(SOPInstanceUID="1" * 300)),
        part10(made_up(SOPClassUID="")),
        part10(made_up(StudyInstanceUID="1.2/3")),
    ],
    ids=range(12),
)
def test_what_is_no_instance_is_its_own_failure(part: bytes, http: httpx.Client, archive: Archive) -> None:
    answer = store(http, part, part10(made_up()))

    assert answer.status_code == 202, answer.text
    failed = [
        *answer.json().get("00081198", {}).get("Value", []),
        *answer.json().get("0008119A", {}).get("Value", []),
    ]
    assert [one["00081197"]["Value"] for one in failed] == [[0xC000]]
    assert len(archive.blobs()) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Type: text/plain\r\n",
        b"Content-Type: application/dicom\r\nContent-Transfer-Encoding: base64\r\n",
    ],
)
def test_a_part_that_says_it_is_something_else_is_not_stored(head: bytes, http: httpx.Client) -> None:
    answer = _post(http, related(part10(made_up()), head=head))

    assert answer.status_code == 409
    assert answer.json()["0008119A"]["Value"][0]["00081197"]["Value"] == [0xC000]


def test_boundaries_inside_the_pixels_do_not_cut_them(http: httpx.Client) -> None:
    image = made_up(Rows=1, Columns=60)
    image.PixelData = b"\r\n--b0undaryX\r\n--b0undar\r\n\r\n--b0undary-x\r\n--".ljust(60, b"\r")

    answer = store(http, part10(image))

    assert answer.status_code == 200, answer.text


def test_a_thousand_instances_go_in_one_request(http: httpx.Client, archive: Archive) -> None:
    parts = [part10(made_up(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4")) for _ in range(1000)]

    answer = store(http, *parts, timeout=120)

    assert answer.status_code == 200
    assert len(answer.json()["00081199"]["Value"]) == 1000
    assert archive.hub.totals(archive.operator)["instances"] == 1000


def test_a_disk_that_is_full_is_503_with_retry_after(archive: Archive, http: httpx.Client) -> None:
    spools = archive.folder / "objects" / "spool"
    spools.rmdir()
    try:
        refused = store(http, part10(made_up()))
    finally:
        spools.mkdir()
    accepted = store(http, part10(made_up()))

    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert accepted.status_code == 200


def test_without_the_right_to_store_no_octet_is_kept(archive: Archive, http: httpx.Client) -> None:
    token = archive.hub.create_token(archive.operator, "reader", ("archive.query",), None)

    answer = http.post(
        "/studies",
        content=BytesIO(related(part10(made_up()))),
        headers={"Content-Type": RELATED, "Authorization": f"Bearer {token}"},
    )

    assert answer.status_code == 403
    assert archive.blobs() == []


@pytest.mark.parametrize("path", ["/studies", "/studies/1.2/metadata", "/studies/1.2"])
def test_what_a_token_does_not_allow_is_403(path: str, archive: Archive, http: httpx.Client) -> None:
    token = archive.hub.create_token(archive.operator, "sender", ("archive.store",), None)

    answer = http.get(path, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 403

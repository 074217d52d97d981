"""The reader of parts: any cut of the body gives the same parts, and no body makes it fail otherwise than Invalid."""

import contextlib
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from hilum.core.kernel.errors import Invalid
from hilum.doors.dicomweb.multipart_body import MultipartBody

BOUNDARY = "b"
_PIECES = st.sampled_from(
    [b"\r\n", b"--b", b"--", b"-", b"\r", b"\n", b"b", b"x", b"\r\n--b", b"\r\n--bb", b"\0"]
)
_CONTENT = (
    st.lists(_PIECES, max_size=12)
    .map(b"".join)
    .filter(lambda content: b"\r\n--b" not in b"\r\n" + content + b"\r\n")
)


class Collected:
    """Keeps the parts."""

    def __init__(self) -> None:
        self.parts: list[tuple[dict[str, str], bytes]] = []
        self.ended = 0

    def begin(self, headers: Mapping[str, str]) -> None:
        assert self.ended == len(self.parts)
        self.parts.append((dict(headers), b""))

    def write(self, chunk: bytes | memoryview) -> None:
        headers, content = self.parts[-1]
        self.parts[-1] = (headers, content + bytes(chunk))

    def end(self) -> None:
        self.ended += 1


def _fed(body: bytes, cuts: list[int]) -> Collected:
    collected = Collected()
    reader = MultipartBody(BOUNDARY, collected)
    for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        reader.feed(body[start:end])
    reader.finish()
    return collected


def _cuts(body: bytes) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, len(body)), max_size=8).map(sorted)


@given(
    st.data(), st.lists(_CONTENT, min_size=1, max_size=4), st.sampled_from([b"", b"\r\n", b"preamble\r\n"])
)
def test_any_cut_gives_the_same_parts(data: st.DataObject, contents: list[bytes], preamble: bytes) -> None:
    body = preamble + b"".join(b"--b \r\nX-Name: y\r\n\r\n" + content + b"\r\n" for content in contents)
    body += b"--b--\r\nepilogue"

    collected = _fed(body, data.draw(_cuts(body)))

    assert collected.parts == [({"x-name": "y"}, content) for content in contents]
    assert collected.ended == len(contents)


@given(st.data(), st.lists(_PIECES, max_size=40).map(b"".join))
def test_any_bytes_are_parts_or_invalid(data: st.DataObject, body: bytes) -> None:
    with contextlib.suppress(Invalid):
        _fed(body, data.draw(_cuts(body)))


def test_a_part_may_have_no_headers() -> None:
    collected = _fed(b"--b\r\n\r\ncontent\r\n--b--", [])

    assert collected.parts == [({}, b"content")]


def test_bytes_that_only_begin_like_a_boundary_are_content() -> None:
    content = b"\r\n--bx\r\n--b\t x\r\n"

    collected = _fed(b"--b\r\n\r\n" + content + b"\r\n--b--", [])

    assert collected.parts == [({}, content)]

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.wire.dicom.character_sets import UNDECLARED, character_set_of, codec_of
from hilum.wire.dicom.header import read_header
from hilum.wire.dicom.person_name import ComponentGroup, parse_person_name

from .conftest import BUNDLED


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chrArab.dcm", "قباني^لنزار"),
        ("chrFren.dcm", "Buc^Jérôme"),
        ("chrGerm.dcm", "Äneas^Rüdiger"),
        ("chrGreek.dcm", "Διονυσιος"),
        ("chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("chrH32.dcm", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("chrHbrw.dcm", "שרון^דבורה"),
        ("chrI2.dcm", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("chrRuss.dcm", "Люкceмбypг"),
        ("chrX1.dcm", "Wang^XiaoDong=王^小東="),
        ("chrX2.dcm", "Wang^XiaoDong=王^小东="),
        ("chrKoreanMulti.dcm", "김희중"),
        ("chrJapMulti.dcm", "やまだ^たろう"),
        ("chrJapMultiExplicitIR6.dcm", "やまだ^たろう"),
    ],
)
def test_the_names_of_the_standards_annexes_are_read(name: str, expected: str) -> None:
    header = read_header((BUNDLED / "charset_files" / name).read_bytes())

    assert header.patient_name == expected


@pytest.mark.parametrize(
    "spelling", ["ISO_IR 100", "ISO IR 100", "ISO-IR 100", "iso_ir_100", "ISO 2022 IR 100", "ISO_IR_100 "]
)
def test_the_spellings_of_the_field_name_the_same_set(spelling: str) -> None:
    assert codec_of(spelling) == "latin_1"


def test_every_defined_term_of_pydicom_is_known() -> None:
    terms = [term for term in pydicom.charset.python_encoding if term]

    assert [term for term in terms if not codec_of(term)] == []


def test_a_second_octet_that_looks_like_a_backslash_does_not_split_a_character() -> None:
    name = "丂^乗"  # in GBK, characters whose second octet may be any of 40-FE
    character_set = character_set_of(b"GBK")

    assert character_set.decode(name.encode("gbk"), name=True) == name
    assert character_set.decode("誠\\二".encode("gbk")) == "誠\\二"


def test_a_delimiter_ends_a_code_extension() -> None:
    character_set = character_set_of(b"ISO 2022 IR 100\\ISO 2022 IR 126")
    value = b"\x1b-F\xc4^\xc4"  # Delta in Greek; behind the delimiter Latin-1 is in force again

    assert character_set.decode(value, name=True) == "Δ^Ä"
    assert character_set.decode(value) == "Δ^Δ"


def test_text_that_no_set_announces_is_utf_8_if_it_can_be_and_else_latin_1() -> None:
    assert UNDECLARED.decode("Jérôme".encode()) == "Jérôme"
    assert UNDECLARED.decode("Jérôme".encode("latin-1")) == "Jérôme"
    assert character_set_of(b"NO SUCH SET").decode(b"abc\xe9") == "abcé"


@given(
    st.binary(max_size=60),
    st.sampled_from(
        [b"", b"ISO_IR 192", b"GB18030", b"\\ISO 2022 IR 87", b"ISO 2022 IR 13", b"\\ISO 2022 IR 149", b"x"]
    ),
    st.booleans(),
)
def test_decoding_never_fails(value: bytes, terms: bytes, name: bool) -> None:
    assert isinstance(character_set_of(terms).decode(value, name=name), str)


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40))
def test_utf_8_is_read_as_it_was_written(text: str) -> None:
    assert character_set_of(b"ISO_IR 192").decode(text.encode()) == text


def test_a_person_name_has_three_groups_of_five_components() -> None:
    name = parse_person_name("Yamada^Tarou^^Dr.=山田^太郎=やまだ^たろう")

    assert name.alphabetic == ComponentGroup("Yamada", "Tarou", "", "Dr.")
    assert name.ideographic.family == "山田"
    assert name.phonetic.given == "たろう"
    assert str(name) == "Yamada^Tarou^^Dr.=山田^太郎=やまだ^たろう"


@pytest.mark.parametrize("value", ["", "A", "A^B^C^D^E", "=B^C", "A==C", "^^^^E"])
def test_a_person_name_is_written_as_it_was_read(value: str) -> None:
    assert str(parse_person_name(value)) == value

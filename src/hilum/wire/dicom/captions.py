"""Words burned into a rendered image: who it shows, and how it was made (PS3.18 8.3.5.1.1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import BinaryIO

from PIL import Image, ImageDraw, ImageFont

from hilum.core.kernel.errors import Invalid
from hilum.core.patients.model import UNIDENTIFIED, PatientRecord
from hilum.wire.dicom.attributes import attribute_texts

PATIENT, TECHNIQUE = "patient", "technique"
_ASKED = MappingProxyType(
    {
        PATIENT: ("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
        TECHNIQUE: (
            "Modality",
            "SeriesDescription",
            "KVP",
            "XRayTubeCurrent",
            "RepetitionTime",
            "EchoTime",
            "SliceThickness",
        ),
    }
)
_WORDING = MappingProxyType(
    {
        "KVP": "{} kV",
        "XRayTubeCurrent": "{} mA",
        "RepetitionTime": "TR {} ms",
        "EchoTime": "TE {} ms",
        "SliceThickness": "{} mm",
    }
)
_LONGEST_LINE = 64
_SMALLEST, _SHARE_OF_SIDE = 9, 28


@dataclass(frozen=True, slots=True)
class Captions:
    """Lines of text: about the patient at the top, about the technique at the bottom."""

    patient: tuple[str, ...] = ()
    technique: tuple[str, ...] = ()


NO_CAPTIONS = Captions()


def parse_annotation(text: str) -> tuple[str, ...]:
    """Read `annotation=patient,technique`; raises Invalid for other keywords."""
    keywords = tuple(dict.fromkeys(one.strip() for one in text.split(",")))
    if not set(keywords) <= {PATIENT, TECHNIQUE}:
        raise Invalid("annotation is neither patient nor technique, nor both separated by a comma")
    return keywords


def captions_of(file: BinaryIO, keywords: Iterable[str], patient: PatientRecord | None) -> Captions:
    """Return what is to be read on an image; `patient` stands before what the object says, where it is given."""
    keywords = tuple(keywords)
    if not keywords:
        return NO_CAPTIONS
    texts = attribute_texts(file, [name for keyword in keywords for name in _ASKED[keyword]])
    if patient is not None:
        texts |= _shown(patient)
    lines = {keyword: _lines(texts, _ASKED[keyword]) for keyword in keywords}
    return Captions(lines.get(PATIENT, ()), lines.get(TECHNIQUE, ()))


def burned_in(picture: Image.Image, captions: Captions) -> Image.Image:
    """Return the picture with its captions: light letters with a dark edge, readable on any ground."""
    if not captions.patient and not captions.technique:
        return picture
    drawn = picture.copy()
    draw = ImageDraw.Draw(drawn)
    size = max(_SMALLEST, min(picture.size) // _SHARE_OF_SIDE)
    font = ImageFont.load_default(size)
    light, dark = (255, 0) if picture.mode == "L" else ((255, 255, 255), (0, 0, 0))
    height = size + size // 4
    bottom = picture.height - height * len(captions.technique) - size // 2
    for top, lines in ((size // 4, captions.patient), (bottom, captions.technique)):
        for number, line in enumerate(lines):
            place = (size // 2, top + number * height)
            draw.text(place, line, fill=light, font=font, stroke_width=1, stroke_fill=dark)
    return drawn


def _shown(patient: PatientRecord) -> dict[str, str]:
    known = patient.demographics
    identified = patient.identifier.issuer != UNIDENTIFIED
    texts = {
        "PatientName": known.name,
        "PatientID": patient.identifier.value if identified else "",
        "PatientBirthDate": known.birth_date,
        "PatientSex": known.sex,
    }
    return {name: text for name, text in texts.items() if text}


def _lines(texts: dict[str, str], names: Iterable[str]) -> tuple[str, ...]:
    said = [(name, " ".join(texts.get(name, "").split("\\")[0].split())) for name in names]
    return tuple(_line(name, text)[:_LONGEST_LINE] for name, text in said if text)


def _line(name: str, text: str) -> str:
    """Return one line; of a person name its first group, which the built-in letters can write."""
    if name == "PatientName":
        return text.split("=", maxsplit=1)[0].replace("^", " ").strip() or text
    if name == "PatientBirthDate" and len(text) == 8:
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return _WORDING.get(name, "{}").format(text)

"""The transfer syntaxes and how each encodes a data set and a frame (PS3.6 Table A-1; PS3.5 section 10, Annex A)."""

from dataclasses import dataclass
from types import MappingProxyType

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
ENCAPSULATED_UNCOMPRESSED = "1.2.840.10008.1.2.1.98"
DEFLATED_IMAGE_FRAME = "1.2.840.10008.1.2.8.1"
RLE_LOSSLESS = "1.2.840.10008.1.2.5"

OCTET_STREAM = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One row of the table; `frame_media_type` is that of one frame, or of the whole video (PS3.18 8.7.3.3)."""

    uid: str
    name: str
    frame_media_type: str = OCTET_STREAM
    encapsulated: bool = True
    implicit_vr: bool = False
    big_endian: bool = False
    deflated: bool = False
    lossy: bool = False
    retired: bool = False

    @property
    def is_video(self) -> bool:
        """Say whether all frames are one stream, which no frame can be cut out of."""
        return self.frame_media_type.startswith("video/")

    @property
    def compressed(self) -> bool:
        """Say whether pixels need a codec before they can be shown."""
        return self.encapsulated and self.uid != ENCAPSULATED_UNCOMPRESSED


_JPEG, _JLS, _JP2, _JPX = "image/jpeg", "image/jls", "image/jp2", "image/jpx"
_JPHC, _JXL, _RLE = "image/jphc", "image/jxl", "image/dicom-rle"
_MPEG2, _MP4 = "video/mpeg", "video/mp4"
_JPEG_LOSSY_RETIRED = (
    ("52", "JPEG Extended (Process 3 and 5)"),
    ("53", "JPEG Spectral Selection, Non-Hierarchical (Process 6 and 8)"),
    ("54", "JPEG Spectral Selection, Non-Hierarchical (Process 7 and 9)"),
    ("55", "JPEG Full Progression, Non-Hierarchical (Process 10 and 12)"),
    ("56", "JPEG Full Progression, Non-Hierarchical (Process 11 and 13)"),
    ("59", "JPEG Extended, Hierarchical (Process 16 and 18)"),
    ("60", "JPEG Extended, Hierarchical (Process 17 and 19)"),
    ("61", "JPEG Spectral Selection, Hierarchical (Process 20 and 22)"),
    ("62", "JPEG Spectral Selection, Hierarchical (Process 21 and 23)"),
    ("63", "JPEG Full Progression, Hierarchical (Process 24 and 26)"),
    ("64", "JPEG Full Progression, Hierarchical (Process 25 and 27)"),
)
_JPEG_LOSSLESS_RETIRED = (
    ("58", "JPEG Lossless, Non-Hierarchical (Process 15)"),
    ("65", "JPEG Lossless, Hierarchical (Process 28)"),
    ("66", "JPEG Lossless, Hierarchical (Process 29)"),
)
_VIDEO = (
    ("100", "MPEG2 Main Profile / Main Level", _MPEG2),
    ("101", "MPEG2 Main Profile / High Level", _MPEG2),
    ("102", "MPEG-4 AVC/H.264 High Profile / Level 4.1", _MP4),
    ("103", "MPEG-4 AVC/H.264 BD-compatible High Profile / Level 4.1", _MP4),
    ("104", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 2D Video", _MP4),
    ("105", "MPEG-4 AVC/H.264 High Profile / Level 4.2 For 3D Video", _MP4),
    ("106", "MPEG-4 AVC/H.264 Stereo High Profile / Level 4.2", _MP4),
    ("107", "HEVC/H.265 Main Profile / Level 5.1", _MP4),
    ("108", "HEVC/H.265 Main 10 Profile / Level 5.1", _MP4),
)
_4 = "1.2.840.10008.1.2.4."

_ROWS = (
    TransferSyntax(
        IMPLICIT_VR_LITTLE_ENDIAN, "Implicit VR Little Endian", encapsulated=False, implicit_vr=True
    ),
    TransferSyntax(EXPLICIT_VR_LITTLE_ENDIAN, "Explicit VR Little Endian", encapsulated=False),
    TransferSyntax(
        ENCAPSULATED_UNCOMPRESSED,
        "Encapsulated Uncompressed Explicit VR Little Endian",
    ),
    TransferSyntax(
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        "Deflated Explicit VR Little Endian",
        encapsulated=False,
        deflated=True,
    ),
    TransferSyntax(
        EXPLICIT_VR_BIG_ENDIAN, "Explicit VR Big Endian", encapsulated=False, big_endian=True, retired=True
    ),
    TransferSyntax(_4 + "50", "JPEG Baseline (Process 1)", _JPEG, lossy=True),
    TransferSyntax(_4 + "51", "JPEG Extended (Process 2 and 4)", _JPEG, lossy=True),
    *(TransferSyntax(_4 + end, name, _JPEG, lossy=True, retired=True) for end, name in _JPEG_LOSSY_RETIRED),
    TransferSyntax(_4 + "57", "JPEG Lossless, Non-Hierarchical (Process 14)", _JPEG),
    *(TransferSyntax(_4 + end, name, _JPEG, retired=True) for end, name in _JPEG_LOSSLESS_RETIRED),
    TransferSyntax(
        _4 + "70",
        "JPEG Lossless, Non-Hierarchical, First-Order Prediction (Process 14 [Selection Value 1])",
        _JPEG,
    ),
    TransferSyntax(_4 + "80", "JPEG-LS Lossless Image Compression", _JLS),
    TransferSyntax(_4 + "81", "JPEG-LS Lossy (Near-Lossless) Image Compression", _JLS, lossy=True),
    TransferSyntax(_4 + "90", "JPEG 2000 Image Compression (Lossless Only)", _JP2),
    TransferSyntax(_4 + "91", "JPEG 2000 Image Compression", _JP2, lossy=True),
    TransferSyntax(_4 + "92", "JPEG 2000 Part 2 Multi-component Image Compression (Lossless Only)", _JPX),
    TransferSyntax(_4 + "93", "JPEG 2000 Part 2 Multi-component Image Compression", _JPX, lossy=True),
    TransferSyntax(_4 + "94", "JPIP Referenced", encapsulated=False),
    TransferSyntax(_4 + "95", "JPIP Referenced Deflate", encapsulated=False, deflated=True),
    *(TransferSyntax(_4 + end, name, media, lossy=True) for end, name, media in _VIDEO),
    *(
        TransferSyntax(f"{_4}{end}.1", f"Fragmentable {name}", media, lossy=True)
        for end, name, media in _VIDEO[:7]  # HEVC has no fragmentable form
    ),
    TransferSyntax(_4 + "110", "JPEG XL Lossless", _JXL),
    TransferSyntax(_4 + "111", "JPEG XL JPEG Recompression", _JXL, lossy=True),
    TransferSyntax(_4 + "112", "JPEG XL", _JXL, lossy=True),
    TransferSyntax(_4 + "201", "High-Throughput JPEG 2000 Image Compression (Lossless Only)", _JPHC),
    TransferSyntax(
        _4 + "202", "High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only)", _JPHC
    ),
    TransferSyntax(_4 + "203", "High-Throughput JPEG 2000 Image Compression", _JPHC, lossy=True),
    TransferSyntax(_4 + "204", "JPIP HTJ2K Referenced", encapsulated=False),
    TransferSyntax(_4 + "205", "JPIP HTJ2K Referenced Deflate", encapsulated=False, deflated=True),
    TransferSyntax(RLE_LOSSLESS, "RLE Lossless", _RLE),
    TransferSyntax(DEFLATED_IMAGE_FRAME, "Deflated Image Frame Compression", "application/x-deflate"),
)

TRANSFER_SYNTAXES = MappingProxyType({row.uid: row for row in _ROWS})


def transfer_syntax(uid: str) -> TransferSyntax:
    """Return the row of this UID; an unknown (private, future) one is read as PS3.5 A.4 wants all encapsulated."""
    return TRANSFER_SYNTAXES.get(uid) or TransferSyntax(uid, uid)

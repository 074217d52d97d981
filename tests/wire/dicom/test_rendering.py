import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hilum.core.kernel.errors import HilumError, Invalid
from hilum.wire.dicom.frame_work import render_frame, work_on
from hilum.wire.dicom.grayscale import Window
from hilum.wire.dicom.rendering import (
    PNG,
    RenderingOptions,
    Viewport,
    parse_quality,
    parse_viewport,
    parse_window,
)

from .conftest import Bundled, Encode, bundled_files

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def render(encoded: bytes, number: int = 1, options: RenderingOptions | None = None) -> bytes:
    return render_frame(encoded, number, options or RenderingOptions(), work_on)


def gray(instance: Dataset, stored: np.ndarray, **attributes: object) -> Dataset:
    """Give an instance 16-bit gray pixels."""
    instance.Rows, instance.Columns = stored.shape[-2:]
    instance.NumberOfFrames = stored.shape[0] if stored.ndim == 3 else 1
    instance.SamplesPerPixel, instance.PhotometricInterpretation = 1, "MONOCHROME2"
    instance.BitsAllocated = instance.BitsStored = 16
    instance.HighBit, instance.PixelRepresentation = 15, int(stored.dtype.kind == "i")
    instance.PixelData = stored.tobytes()
    instance["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(instance, keyword, value)
    return instance


def shades(encoded: bytes, number: int = 1, **options: object) -> np.ndarray:
    """Return what a PNG shows."""
    rendered = render(encoded, number, RenderingOptions(media_type=PNG, **options))
    return np.asarray(Image.open(BytesIO(rendered)))


@pytest.mark.parametrize("path", bundled_files(), ids=lambda path: path.name)
def test_every_bundled_file_is_rendered_or_refused_with_a_reason(path: Path) -> None:
    try:
        rendered = render(path.read_bytes())
    except HilumError:
        return

    picture = Image.open(BytesIO(rendered))
    picture.load()
    assert (picture.format, picture.mode) in {("JPEG", "L"), ("JPEG", "RGB")}


@pytest.mark.needs("dcmtk")
@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm", "SC_rgb_rle.dcm", "rtdose_1frame.dcm",
     "examples_palette.dcm", "image_dfl.dcm", "examples_rgb_color.dcm", "SC_rgb_jpeg_dcmtk.dcm", "SC_rgb_jpeg_gdcm.dcm"],
)  # fmt: skip
def test_a_rendered_frame_is_the_picture_that_dcmtk_makes(tmp_path: Path, name: str) -> None:
    path = next(path for path in bundled_files() if path.name == name)
    window = ["--use-window", "1"] if "WindowCenter" in pydicom.dcmread(path) else ["--min-max-window"]
    codec = "dcmj2pnm" if name.endswith(("_jpeg_dcmtk.dcm", "_gdcm.dcm")) else "dcm2pnm"
    subprocess.run([codec, "--write-png", *window, path, tmp_path / "theirs.png"], check=True)
    theirs = np.asarray(Image.open(tmp_path / "theirs.png").convert("RGB"), int)

    ours = Image.open(BytesIO(render(path.read_bytes(), 1, RenderingOptions(media_type=PNG))))

    difference = np.abs(np.asarray(ours.convert("RGB"), int) - theirs)
    assert np.percentile(difference, 99) <= 3


def test_the_window_asked_for_is_that_of_the_standard(instance: Dataset, encode: Encode) -> None:
    encoded = encode(
        gray(
            instance,
            np.array([[-200, 40, 239], [-160, 0, 240]], np.int16),
            RescaleIntercept=0,
            RescaleSlope=1,
        )
    )

    linear = shades(encoded, window=Window(40, 400, "LINEAR"))
    exact = shades(encoded, window=Window(40, 400, "LINEAR_EXACT"))
    sigmoid = shades(encoded, window=Window(40, 400, "SIGMOID"))

    np.testing.assert_allclose(linear, [[0, 128, 255], [0, 102, 255]], atol=1)
    np.testing.assert_allclose(exact, [[0, 128, 254], [0, 102, 255]], atol=1)
    np.testing.assert_allclose(sigmoid, [[21, 128, 224], [30, 102, 225]], atol=2)


def test_slope_and_intercept_come_before_the_window_of_the_header(instance: Dataset, encode: Encode) -> None:
    stored = np.array([[0, 1000, 2000]], np.uint16)
    described = gray(
        instance, stored, RescaleSlope=1, RescaleIntercept=-1000, WindowCenter=[0, 50], WindowWidth=[2000, 9]
    )

    np.testing.assert_allclose(shades(encode(described)), [[0, 128, 255]], atol=1)


def test_without_a_window_minimum_is_black_and_maximum_white_and_padding_does_not_count(
    instance: Dataset, encode: Encode
) -> None:
    stored = np.array([[-2000, 100, 200]], np.int16)

    assert shades(encode(gray(instance, stored, PixelPaddingValue=-2000))).tolist() == [[0, 0, 255]]


def test_monochrome1_is_inverted(instance: Dataset, encode: Encode) -> None:
    described = gray(instance, np.array([[0, 100]], np.uint16))
    described.PhotometricInterpretation = "MONOCHROME1"

    assert shades(encode(described)).tolist() == [[255, 0]]


def test_voi_and_modality_look_up_tables_are_applied(instance: Dataset, encode: Encode) -> None:
    modality, voi = Dataset(), Dataset()
    modality.LUTDescriptor, modality.LUTData, modality.ModalityLUTType = [3, 10, 16], [100, 200, 300], "US"
    voi.LUTDescriptor, voi.LUTData = [3, 199, 8], [0, 128, 255]
    described = gray(instance, np.array([[9, 10, 11, 12, 99]], np.uint16))
    described.ModalityLUTSequence, described.VOILUTSequence = Sequence([modality]), Sequence([voi])
    voi["LUTData"].VR = modality["LUTData"].VR = "US"

    assert shades(encode(described)).tolist() == [[0, 0, 128, 255, 255]]


def test_each_frame_of_an_enhanced_image_has_its_own_window(instance: Dataset, encode: Encode) -> None:
    def group(center: int) -> Dataset:
        item, voi = Dataset(), Dataset()
        voi.WindowCenter, voi.WindowWidth, voi.VOILUTFunction = center, 100, "LINEAR_EXACT"
        item.FrameVOILUTSequence = Sequence([voi])
        return item

    described = gray(instance, np.full((2, 1, 1), 100, np.uint16))
    described.PerFrameFunctionalGroupsSequence = Sequence([group(100), group(50)])

    encoded = encode(described)

    assert shades(encoded, 1).tolist() == [[128]]
    assert shades(encoded, 2).tolist() == [[255]]


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize("bits", [8, 16])
def test_colour_is_shown_by_pixel_and_by_plane(
    instance: Dataset, encode: Encode, planar: int, bits: int
) -> None:
    colors = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [10, 20, 30]]], np.uint16) << (bits - 8)
    described = gray(instance, np.zeros((2, 2), np.uint16))
    described.SamplesPerPixel, described.PhotometricInterpretation, described.PlanarConfiguration = (
        3,
        "RGB",
        planar,
    )
    described.BitsAllocated = described.BitsStored = bits
    arranged = colors.transpose(2, 0, 1) if planar else colors
    described.PixelData = arranged.astype(f"<u{bits // 8}").tobytes()

    assert shades(encode(described)).tolist() == (colors >> (bits - 8)).tolist()


def test_the_viewport_fits_cuts_and_mirrors(instance: Dataset, encode: Encode) -> None:
    encoded = encode(gray(instance, np.tile(np.arange(100, dtype=np.uint16), (50, 1))))

    whole = shades(encoded, viewport=Viewport(40, 40))
    right_half = shades(encoded, viewport=Viewport(50, 50, 50, 0, 50, 50))
    mirrored = shades(encoded, viewport=Viewport(100, 50, 0, 0, -100, 50))

    assert whole.shape == (20, 40)
    assert right_half.shape == (50, 50)
    assert right_half[0, 0] > 120
    assert mirrored[0, 0] == 255
    with pytest.raises(Invalid, match="outside"):
        shades(encoded, viewport=Viewport(40, 40, 500, 0, 10, 10))


def test_the_query_parameters_are_read_as_the_standard_writes_them() -> None:
    assert parse_window("40,400,linear") == Window(40, 400, "LINEAR")
    assert parse_window("-600.5,1e3,sigmoid") == Window(-600.5, 1000, "SIGMOID")
    assert parse_window("40,400") == Window(40, 400, "LINEAR")
    assert parse_viewport("512,256") == Viewport(512, 256)
    assert parse_viewport("512,256,,,-100,50") == Viewport(512, 256, 0, 0, -100, 50)
    assert parse_quality("100") == 100


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *((parse_window, text) for text in ["", "40", "40,0,linear", "40,-1,sigmoid", "a,b,linear", "40,400,cubic", "nan,400,linear", "40,400,linear,x", "40,0.5,linear"]),
        *((parse_viewport, text) for text in ["", "512", "0,0", "99999,1", "512,x", "1,2,3,4,5,6,7", ",", "nan,512", "1e9,1"]),
        *((parse_quality, text) for text in ["", "0", "101", "-1", "ten", "1.5", "٣"]),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be_meant_are_refused(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


def test_quality_makes_a_jpeg_smaller(bundled: Bundled) -> None:
    encoded = bundled("CT_small.dcm")

    low = render(encoded, 1, RenderingOptions(quality=10))
    high = render(encoded, 1, RenderingOptions(quality=100))

    assert len(low) < len(high) / 2


def test_another_media_type_is_refused(bundled: Bundled) -> None:
    with pytest.raises(Invalid):
        render(bundled("CT_small.dcm"), 1, RenderingOptions(media_type="image/tiff"))


@pytest.mark.parametrize(
    ("photometric", "shape", "first"),
    [("MONOCHROME2", "INVERSE", 255), ("MONOCHROME1", "INVERSE", 255), ("MONOCHROME1", "IDENTITY", 0),
     ("MONOCHROME2", "IDENTITY", 0)],
)  # fmt: skip
def test_the_presentation_lut_shape_says_what_the_photometric_interpretation_repeats(
    photometric: str, shape: str, first: int, instance: Dataset, encode: Encode
) -> None:
    stored = np.array([[0, 100]], "<u2")
    encoded = encode(
        gray(instance, stored, PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    )

    assert shades(encoded).tolist() == [[first, 255 - first]]


def test_a_range_of_padding_does_not_count(instance: Dataset, encode: Encode) -> None:
    stored = np.array([[-2000, -1990, 0, 100]], "<i2")
    data_set = gray(instance, stored)
    data_set.add_new("PixelPaddingValue", "SS", -2000)
    data_set.add_new("PixelPaddingRangeLimit", "SS", -1990)

    assert shades(encode(data_set)).tolist() == [[0, 0, 0, 255]]


def test_overlays_and_moved_values_do_not_show_through(instance: Dataset, encode: Encode) -> None:
    values = np.array([[0, 2000, 4095]], "<u2")
    with_overlay = gray(
        instance, values | np.array([[1 << 14, 0, 1 << 15]], "<u2"), BitsStored=12, HighBit=11
    )
    plain = shades(encode(with_overlay)).tolist()
    moved = shades(encode(gray(instance, values << 4, BitsStored=12, HighBit=15))).tolist()

    assert plain == moved == [[0, 125, 255]]


def test_a_voi_table_of_ct_begins_below_zero(instance: Dataset, encode: Encode) -> None:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [3, 0x10000 - 1000, 8])
    table.add_new("LUTData", "US", [10, 20, 30])
    stored = np.array([[24, 25, 26]], "<u2")

    encoded = encode(
        gray(instance, stored, RescaleSlope=1, RescaleIntercept=-1024, VOILUTSequence=Sequence([table]))
    )

    assert shades(encoded).tolist() == [[10, 20, 30]]

"""The objects of a real day, small: what a diagnostic viewer must open."""

import io
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from highdicom.sr import (
    CodedConcept,
    ComprehensiveSR,
    FindingSite,
    ImageRegion,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    PersonObserverIdentifyingAttributes,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    TrackingIdentifier,
)
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sr.codedict import codes
from pydicom.uid import (
    CTImageStorage,
    EncapsulatedPDFStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    TwelveLeadECGWaveformStorage,
    UltrasoundMultiFrameImageStorage,
    VLWholeSlideMicroscopyImageStorage,
    generate_uid,
)

SLICES = 24
SIDE = 96
PATIENT = "Roentgen^Anna"


@dataclass(frozen=True)
class Objects:
    """One study a kind of object; the CT's study holds its SEG and SR too."""

    ct: list[Dataset]
    segmentation: Dataset
    measurements: Dataset
    compressed: Dataset
    cine: Dataset
    electrocardiogram: Dataset
    document: Dataset
    slide: list[Dataset]

    def all(self) -> list[Dataset]:
        single = [
            self.segmentation,
            self.measurements,
            self.compressed,
            self.cine,
            self.electrocardiogram,
            self.document,
        ]
        return [*self.ct, *single, *self.slide]


def real_day() -> Objects:
    ct = computed_tomography()
    return Objects(
        ct=ct,
        segmentation=segmentation_of(ct),
        measurements=measurements_of(ct),
        compressed=compressed(),
        cine=cine(),
        electrocardiogram=electrocardiogram(),
        document=document(),
        slide=slide(),
    )


def write(dataset: Dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def _new(
    sop_class: str, modality: str, description: str, study: str = "", syntax: str = ExplicitVRLittleEndian
) -> Dataset:
    new = Dataset()
    new.SOPClassUID, new.SOPInstanceUID = sop_class, generate_uid()
    new.StudyInstanceUID, new.SeriesInstanceUID = study or generate_uid(), generate_uid()
    new.PatientName, new.PatientID, new.PatientBirthDate, new.PatientSex = PATIENT, "DAY-1", "19700101", "F"
    new.StudyDate, new.StudyTime, new.StudyID = "20261124", "081500", "1"
    new.StudyDescription = new.SeriesDescription = description
    new.AccessionNumber, new.ReferringPhysicianName = "DAY" + modality, ""
    new.Modality, new.SeriesNumber, new.InstanceNumber = modality, 1, 1
    new.Manufacturer = "Hilum tests"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = sop_class, new.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    new.file_meta = meta
    return new


def _pixels(new: Dataset, array: np.ndarray, *, bits: int, colour: bool = False) -> None:
    new.Rows, new.Columns = array.shape[-3:-1] if colour else array.shape[-2:]
    new.SamplesPerPixel = 3 if colour else 1
    new.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        new.PlanarConfiguration = 0
    new.BitsAllocated = new.BitsStored = bits
    new.HighBit, new.PixelRepresentation = bits - 1, 0
    new.PixelData = array.tobytes()


def computed_tomography() -> list[Dataset]:
    """A ball in a box: 24 slices of 96 x 96."""
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    first = _new(CTImageStorage, "CT", "CT of a ball")
    frame_of_reference = generate_uid()
    slices = []
    for number in range(SLICES):
        radius = 30 * np.sqrt(max(0.0, 1 - ((number - SLICES / 2) / (SLICES / 2)) ** 2))
        ball = (rows - SIDE / 2) ** 2 + (columns - SIDE / 2) ** 2 <= radius**2
        one = _new(CTImageStorage, "CT", "CT of a ball", first.StudyInstanceUID)
        one.SeriesInstanceUID = first.SeriesInstanceUID
        one.FrameOfReferenceUID, one.PositionReferenceIndicator = frame_of_reference, ""
        one.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        one.InstanceNumber = number + 1
        one.ImagePositionPatient = [0, 0, 2 * number]
        one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        one.PixelSpacing, one.SliceThickness = [1, 1], 2
        one.RescaleIntercept, one.RescaleSlope, one.RescaleType = -1024, 1, "HU"
        one.WindowCenter, one.WindowWidth = 0, 800
        _pixels(one, np.where(ball, 1224, 824).astype("<u2") + rows.astype("<u2"), bits=16)
        slices.append(one)
    return slices


def segmentation_of(ct: list[Dataset]) -> Dataset:
    stored = np.stack([np.frombuffer(one.PixelData, "<u2").reshape(SIDE, SIDE) for one in ct])
    mask = stored - np.arange(SIDE, dtype="<u2")[:, None] > 1000
    described = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="ball",
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Liver,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )
    made = hd.seg.Segmentation(
        source_images=[_reread(one) for one in ct],
        pixel_array=mask,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[described],
        series_instance_uid=generate_uid(),
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Hilum tests",
        manufacturer_model_name="ball",
        software_versions="1",
        device_serial_number="1",
    )
    made.SeriesDescription = "Segmentation of the ball"
    return made


def measurements_of(ct: list[Dataset]) -> Dataset:
    """TID 1500: one length across the ball."""
    middle = _reread(ct[SLICES // 2])
    region = ImageRegion(
        graphic_type=hd.sr.GraphicTypeValues.POLYLINE,
        graphic_data=np.array([[20.0, 48.0], [76.0, 48.0]]),
        source_image=hd.sr.SourceImageForRegion.from_source_image(middle),
    )
    group = PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=generate_uid(), identifier="Cornerstone3DTools@^0.1.0:Length"
        ),
        referenced_region=region,
        finding_type=codes.SCT.Mass,
        finding_sites=[FindingSite(codes.SCT.Liver)],
        measurements=[
            Measurement(name=codes.SCT.Length, value=56.0, unit=CodedConcept("mm", "UCUM", "millimeter"))
        ],
    )
    observer = ObserverContext(
        observer_type=codes.DCM.Person,
        observer_identifying_attributes=PersonObserverIdentifyingAttributes(name="Tester^Hilum"),
    )
    report = MeasurementReport(
        observation_context=ObservationContext(observer_person_context=observer),
        procedure_reported=codes.LN.CTUnspecifiedBodyRegion,
        imaging_measurements=[group],
    )
    made = ComprehensiveSR(
        evidence=[middle],
        content=report,
        series_instance_uid=generate_uid(),
        series_number=3,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="Hilum tests",
    )
    made.SeriesDescription = "Length of the ball"
    return made


def compressed() -> Dataset:
    """JPEG 2000, lossless, from pydicom's own samples."""
    read = pydicom.dcmread(str(get_testdata_file("MR_small_jp2klossless.dcm")))
    read.PatientName, read.PatientID = PATIENT, "DAY-1"
    read.StudyDescription = "MR in JPEG 2000"
    return read


def cine() -> Dataset:
    """Ultrasound: 8 frames of a moving bar, JPEG baseline."""
    new = _new(UltrasoundMultiFrameImageStorage, "US", "Ultrasound cine", syntax=JPEGBaseline8Bit)
    frames = []
    for number in range(8):
        picture = np.zeros((64, 96, 3), np.uint8)
        picture[:, number * 10 : number * 10 + 10] = (200, 180, 40)
        encoded = io.BytesIO()
        Image.fromarray(picture).save(encoded, "JPEG", quality=90)
        frames.append(encoded.getvalue())
    _pixels(new, np.zeros((64, 96, 3), np.uint8), bits=8, colour=True)
    new.PhotometricInterpretation = "YBR_FULL_422"
    new.NumberOfFrames, new.FrameTime, new.CineRate = 8, 40, 25
    new.FrameIncrementPointer = 0x00181063
    new.LossyImageCompression, new.ImageType = "01", ["ORIGINAL", "PRIMARY"]
    new.PixelData = encapsulate(frames)
    new["PixelData"].VR = "OB"
    return new


def electrocardiogram() -> Dataset:
    read = pydicom.dcmread(str(get_testdata_file("waveform_ecg.dcm")))
    read.SOPClassUID = TwelveLeadECGWaveformStorage
    read.PatientName, read.PatientID, read.StudyDescription = PATIENT, "DAY-1", "Twelve-lead ECG"
    return read


def document() -> Dataset:
    new = _new(EncapsulatedPDFStorage, "DOC", "A letter in PDF")
    body = (
        b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
        b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
        b"4 0 obj<</Length 44>>stream\nBT /F 24 Tf 40 100 Td (A letter in PDF) Tj ET\nendstream endobj\n"
        b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    )
    new.MIMETypeOfEncapsulatedDocument, new.DocumentTitle = "application/pdf", "A letter"
    new.BurnedInAnnotation, new.ConversionType = "YES", "WSD"
    new.EncapsulatedDocument = body + b"\n" * (len(body) % 2)
    return new


def slide() -> list[Dataset]:
    """A slide of two levels: 2 x 2 tiles, and an overview of one."""
    study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()
    return [
        _level(study, series, frame_of_reference, across=across, number=number, side_in_mm=1.0)
        for number, across in enumerate((2, 1), start=1)
    ]


def _level(
    study: str, series: str, frame_of_reference: str, *, across: int, number: int, side_in_mm: float
) -> Dataset:
    tile = 128
    new = _new(VLWholeSlideMicroscopyImageStorage, "SM", "A slide", study, JPEGBaseline8Bit)
    new.SeriesInstanceUID, new.InstanceNumber = series, number
    new.FrameOfReferenceUID, new.PositionReferenceIndicator = frame_of_reference, "SLIDE_CORNER"
    new.ImageType = [
        "ORIGINAL" if across == 2 else "DERIVED",
        "PRIMARY",
        "VOLUME",
        "NONE" if across == 2 else "RESAMPLED",
    ]
    new.ContainerIdentifier, new.IssuerOfTheContainerIdentifierSequence = "SLIDE-1", []
    new.ContainerTypeCodeSequence = [_code("433466003", "SCT", "Microscope slide")]
    new.SpecimenDescriptionSequence = [_specimen()]
    new.VolumetricProperties, new.DimensionOrganizationType = "VOLUME", "TILED_FULL"
    new.DimensionOrganizationSequence = [_dimension()]
    new.SpecimenLabelInImage, new.BurnedInAnnotation, new.FocusMethod = "NO", "NO", "AUTO"
    new.ExtendedDepthOfField, new.LossyImageCompression = "NO", "01"
    new.LossyImageCompressionMethod, new.LossyImageCompressionRatio = "ISO_10918_1", 10
    new.ImagedVolumeWidth = new.ImagedVolumeHeight = side_in_mm
    new.ImagedVolumeDepth = 0.001
    new.TotalPixelMatrixColumns = new.TotalPixelMatrixRows = tile * across
    new.TotalPixelMatrixFocalPlanes, new.NumberOfOpticalPaths = 1, 1
    new.TotalPixelMatrixOriginSequence = [_origin(side_in_mm)]
    new.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    new.OpticalPathSequence = [_optical_path()]
    new.AcquisitionDateTime, new.AcquisitionDuration = "20261124081500", 1
    new.ContentDate, new.ContentTime = "20261124", "081500"
    shared, measures = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [side_in_mm / (tile * across)] * 2, 0.001
    shared.PixelMeasuresSequence = [measures]
    frame_type = Dataset()
    frame_type.FrameType = new.ImageType
    shared.WholeSlideMicroscopyImageFrameTypeSequence = [frame_type]
    new.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for index in range(across * across):
        picture = np.full((tile, tile, 3), (230, 120 + 30 * index, 200), np.uint8)
        picture[40:80, 40:80] = (90, 20, 120)
        encoded = io.BytesIO()
        Image.fromarray(picture).save(encoded, "JPEG", quality=90)
        frames.append(encoded.getvalue())
    _pixels(new, np.zeros((tile, tile, 3), np.uint8), bits=8, colour=True)
    new.PhotometricInterpretation, new.NumberOfFrames = "YBR_FULL_422", len(frames)
    new.PixelData = encapsulate(frames)
    new["PixelData"].VR = "OB"
    return new


def _specimen() -> Dataset:
    specimen = Dataset()
    specimen.SpecimenIdentifier, specimen.SpecimenUID = "SPECIMEN-1", generate_uid()
    specimen.IssuerOfTheSpecimenIdentifierSequence = []
    specimen.SpecimenPreparationSequence = []
    return specimen


def _dimension() -> Dataset:
    dimension = Dataset()
    dimension.DimensionOrganizationUID = generate_uid()
    return dimension


def _origin(side_in_mm: float) -> Dataset:
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 10 * side_in_mm
    return origin


def _optical_path() -> Dataset:
    path = Dataset()
    path.OpticalPathIdentifier = "1"
    path.IlluminationTypeCodeSequence = [_code("111744", "DCM", "Brightfield illumination")]
    path.IlluminationColorCodeSequence = [_code("414298005", "SCT", "Full Spectrum")]
    profile = Path(str(get_testdata_file("crayons.icc")))
    path.ICCProfile = profile.read_bytes()
    return path


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _reread(dataset: Dataset) -> Dataset:
    """Highdicom asks for what a file has."""
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return pydicom.dcmread(io.BytesIO(file.getvalue()))

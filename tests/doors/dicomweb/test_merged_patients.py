"""A merge is seen at once in what is searched and retrieved; an unmerge takes it back."""

from io import BytesIO

import httpx
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from hilum.core.kernel.identifiers import Identifier
from hilum.core.patients.model import Demographics, PatientRecord, PatientStatement

from .conftest import Archive, bundled, data_set_of, made_up, part10, parts_of, store

SURVIVOR = PatientStatement((Identifier("P1", "HOSP"),), Demographics("Doe^Jane", "19700101", "F"))
RETIRED = PatientStatement((Identifier("P9", "HOSP"),), Demographics("Do^Jane"))
AS_STORED = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@pytest.fixture
def image(http: httpx.Client) -> Dataset:
    """Store an image of the patient who will be merged into another."""
    sent = made_up(PatientID="P9", IssuerOfPatientID="HOSP", PatientName="Do^Jane")
    assert store(http, part10(sent)).status_code == 200
    return sent


@pytest.fixture
def merged(archive: Archive, image: Dataset) -> PatientRecord:
    """Merge the patient of the image into another one."""
    del image
    return archive.hub.merge_patients(archive.operator, SURVIVOR, RETIRED)


def _path(data_set: Dataset) -> str:
    return (
        f"/studies/{data_set.StudyInstanceUID}/series/{data_set.SeriesInstanceUID}"
        f"/instances/{data_set.SOPInstanceUID}"
    )


def _object(http: httpx.Client, path: str) -> Dataset:
    ((_, content),) = parts_of(http.get(path, headers=AS_STORED))
    return pydicom.dcmread(BytesIO(content))


@pytest.mark.usefixtures("merged")
def test_objects_show_the_survivor_and_keep_what_was_received(http: httpx.Client, image: Dataset) -> None:
    back = _object(http, _path(image))

    assert (back.PatientID, back.PatientName, back.PatientSex) == ("P1", "Doe^Jane", "F")
    original = back.OriginalAttributesSequence[0].ModifiedAttributesSequence[0]
    assert (original.PatientID, original.PatientName) == ("P9", "Do^Jane")
    assert back.PixelData == image.PixelData


@pytest.mark.usefixtures("merged")
def test_metadata_show_the_survivor_and_keep_what_was_received(http: httpx.Client, image: Dataset) -> None:
    (metadata,) = http.get(f"/studies/{image.StudyInstanceUID}/metadata").json()

    assert metadata["00100020"]["Value"] == ["P1"]
    assert metadata["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]
    modified = metadata["04000561"]["Value"][0]["04000550"]["Value"][0]
    assert modified["00100020"]["Value"] == ["P9"]


@pytest.mark.usefixtures("merged")
@pytest.mark.parametrize("patient_id", ["P1", "P9"])
def test_searches_find_the_study_by_either_number(
    patient_id: str, http: httpx.Client, image: Dataset
) -> None:
    (study,) = http.get("/studies", params={"PatientID": patient_id}).json()

    assert study["0020000D"]["Value"] == [image.StudyInstanceUID]
    assert study["00100020"]["Value"] == ["P1"]


def test_a_merge_makes_entity_tags_stale(archive: Archive, http: httpx.Client, image: Dataset) -> None:
    before = http.get(_path(image) + "/metadata").headers["etag"]
    archive.hub.merge_patients(archive.operator, SURVIVOR, RETIRED)

    after = http.get(_path(image) + "/metadata", headers={"If-None-Match": before})

    assert after.status_code == 200


def test_an_unmerge_gives_the_bytes_back(
    archive: Archive, http: httpx.Client, image: Dataset, merged: PatientRecord
) -> None:
    _, linked = archive.hub.read_patient(archive.operator, merged.public_id)
    retired = next(one for one in linked if one.identifier.value == "P9")
    archive.hub.unmerge_patient(archive.operator, retired.public_id)

    back = _object(http, _path(image))

    assert (back.PatientID, back.PatientName) == ("P9", "Do^Jane")


def test_decoded_objects_show_the_survivor_too(archive: Archive, http: httpx.Client) -> None:
    sent = pydicom.dcmread(BytesIO(bundled("MR_small_RLE.dcm")))
    store(http, bundled("MR_small_RLE.dcm"))
    archive.hub.merge_patients(
        archive.operator, SURVIVOR, PatientStatement((Identifier(sent.PatientID),), Demographics())
    )

    answer = http.get(_path(sent), headers={"Accept": 'multipart/related; type="application/dicom"'})

    ((_, content),) = parts_of(answer)
    back = pydicom.dcmread(BytesIO(content))
    assert back.PatientID == "P1"
    assert np.array_equal(back.pixel_array, sent.pixel_array)


def test_nobody_is_changed_without_a_merge(http: httpx.Client, image: Dataset) -> None:
    ((_, content),) = parts_of(http.get(_path(image), headers=AS_STORED))

    assert data_set_of(content) == data_set_of(part10(image))

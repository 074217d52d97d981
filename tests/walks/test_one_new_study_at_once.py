"""Thirty-two associations store instances of one new study at once: they meet in one patient, one study, one series."""

import threading
from pathlib import Path
from random import Random

import pytest
from hospital import modality
from hospital.everybody import Hospital
from hospital.modality import Study
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from pynetdicom import AE

from hilum.core.patients.model import PatientQuery

pytestmark = pytest.mark.needs("dcmtk")

ASSOCIATIONS = 32


def test_thirty_two_associations_make_one_patient_one_study_one_series(
    hospital: Hospital, tmp_path: Path
) -> None:
    study = Study("P1", "Doe^Anna", "", "", modality.new_uid())
    files = modality.make_series(tmp_path / "ct", study, ASSOCIATIONS, chance=Random(1))
    together = threading.Barrier(ASSOCIATIONS)
    statuses: list[int] = []

    def store(file: Path) -> None:
        entity = AE(modality.CT_AE_TITLE)
        entity.acse_timeout = entity.dimse_timeout = 60
        entity.add_requested_context(CTImageStorage)
        association = entity.associate("127.0.0.1", hospital.server.dicom, ae_title="HILUM")
        together.wait(60)
        statuses.append(association.send_c_store(dcmread(file)).Status)
        association.release()

    threads = [threading.Thread(target=store, args=(file,)) for file in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    shown = [("P1", study.study_instance_uid, ASSOCIATIONS)]
    assert statuses == [0x0000] * ASSOCIATIONS
    assert hospital.seen_by("P1") == {"C-FIND": shown, "QIDO-RS": shown, "FHIR": shown}
    assert hospital.server.ask(lambda hub, caller: hub.find_patients(caller, PatientQuery()))[1] == 1
    totals = hospital.server.ask(lambda hub, caller: hub.totals(caller))
    counted = (totals["studies"], totals["series"], totals["instances"], totals["conflicts"])
    assert counted == (1, 1, ASSOCIATIONS, 0)
    (found,) = modality.find_study(hospital.server.dicom, tmp_path / "find", "PatientID=P1")
    assert int(found.NumberOfStudyRelatedSeries) == 1
    instances = hospital.dicomweb.search_for_instances(study.study_instance_uid)
    assert {one["00080018"]["Value"][0] for one in instances} == {modality.uid_of(file) for file in files}

"""What can go wrong on each walk: repetition, silence, refusal; nothing doubles, nothing is lost, order is kept."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hospital import ehr as messages
from hospital import modality
from hospital.ehr import Answer, Order, Person, says
from hospital.everybody import Hospital
from hospital.modality import CommitmentClient, PerformedStep, Study
from hospital.server import eventually, free_ports

from hilum.core.access.model import Peer, PeerKind

pytestmark = pytest.mark.needs("dcmtk")

ANN = Person("4712", given_name="Ann")
ANNA = Person("4711")


def _study(order: Order, person: Person = ANN) -> Study:
    name = f"{person.family_name}^{person.given_name}"
    return Study(person.number, name, person.issuer, order.accession_number, order.study_instance_uid,
                 person.birth_date, person.sex)  # fmt: skip


def _images(hospital: Hospital, order: Order, count: int = 4) -> list[Path]:
    return modality.make_series(hospital.folder / order.number, _study(order), count)


def _uids(files: Sequence[Path]) -> list[str]:
    return [modality.uid_of(file) for file in files]


def test_every_message_and_image_twice_is_once(hospital: Hospital) -> None:
    hospital.route()
    port, order = hospital.server.dicom, Order("1", modality.new_uid())
    day = [messages.registration(ANN), messages.order_orm(ANN, order), messages.report(ANN, order, "Normal."),
           messages.registration(ANNA), messages.merge(ANNA, ANN)]  # fmt: skip
    files = _images(hospital, order)
    hospital.tell(*day[:2])
    (item,) = modality.worklist(port, hospital.folder / "worklist", order.accession_number)
    step = PerformedStep(port, item)
    step.create()
    modality.storescu(port, files)
    step.complete(files)
    CommitmentClient(port).ask(files)
    hospital.tell(*day[2:])
    eventually(
        lambda: set(hospital.states("pacs2") + hospital.states("ehr")) == {"sent"}, "not all is delivered"
    )
    before = hospital.totals()

    again = hospital.tell(*day)
    anew = hospital.tell(messages.registration(ANN), messages.order_orm(ANN, order),
                         messages.report(ANN, order, "Normal."), messages.merge(ANNA, ANN))  # fmt: skip
    begun, ended = step.create(), step.complete(files)
    stored = modality.storescu(port, files)
    committed = CommitmentClient(port).ask(files)

    assert [*again, *anew] == ["AA"] * 9
    assert begun == 0x0111, "the step exists (PS3.7 10.1.5.1.6)"
    assert ended == 0x0110, "the step is over (PS3.4 F.7.2.2.2)"
    assert set(stored.values()) == {"Success"}
    assert committed.committed == set(_uids(files))
    assert hospital.totals() == before
    assert hospital.second_pacs.arrivals == _uids(files)
    assert hospital.ehr.impressions() == ["Normal."]
    assert [number for number, *_ in hospital.seen_by("4712")["C-FIND"]] == ["4711"]


def test_a_merge_the_other_way_round_turns_it_round(hospital: Hospital) -> None:
    order = Order("1", modality.new_uid())
    modality.storescu(hospital.server.dicom, _images(hospital, order))
    hospital.tell(messages.registration(ANN), messages.registration(ANNA), messages.merge(ANNA, ANN))

    answers = hospital.tell(messages.merge(ANN, ANNA))

    shown = [("4712", order.study_instance_uid, 4)]
    assert answers == ["AA"]
    assert hospital.seen_by("4711") == {"C-FIND": shown, "QIDO-RS": shown, "FHIR": shown}


def test_images_that_come_before_their_order_and_after_a_merge_are_the_survivors(hospital: Hospital) -> None:
    early, late = Order("1", modality.new_uid()), Order("2", modality.new_uid())
    modality.storescu(hospital.server.dicom, _images(hospital, early))

    hospital.tell(messages.registration(ANN), messages.order_orm(ANN, early), messages.registration(ANNA),
                  messages.merge(ANNA, ANN))  # fmt: skip
    modality.storescu(hospital.server.dicom, _images(hospital, late, 2))

    shown = sorted([("4711", early.study_instance_uid, 4), ("4711", late.study_instance_uid, 2)])
    seen = hospital.seen_by("4711")
    assert {door: sorted(studies) for door, studies in seen.items()} == dict.fromkeys(seen, shown)


def test_while_the_second_pacs_is_down_deliveries_wait_and_then_go_in_their_order(hospital: Hospital) -> None:
    hospital.route()
    hospital.second_pacs.stop()
    files = _images(hospital, Order("1", modality.new_uid()))
    modality.storescu(hospital.server.dicom, files[:2])
    eventually(lambda: hospital.states("pacs2") == ["waiting"] * 2, "they do not wait")
    waiting = hospital.server.hilum("deliveries", "list", "--state", "waiting", "--json")

    modality.storescu(hospital.server.dicom, files[2:])
    hospital.second_pacs.start()

    eventually(lambda: hospital.states("pacs2") == ["sent"] * 4, "they do not go")
    assert "refused" in waiting, "the reason is told"
    assert hospital.second_pacs.arrivals == _uids(files)


def test_what_the_second_pacs_rejects_is_dead_until_it_is_replayed_and_holds_nothing_up(
    hospital: Hospital,
) -> None:
    hospital.route()
    files = _images(hospital, Order("1", modality.new_uid()))
    unwanted = modality.uid_of(files[1])
    hospital.second_pacs.judge = lambda uid: 0xC000 if uid == unwanted else 0x0000
    modality.storescu(hospital.server.dicom, files)
    eventually(
        lambda: hospital.states("pacs2") == ["sent", "dead", "sent", "sent"], "the others did not go on"
    )

    hospital.second_pacs.judge = lambda _uid: 0x0000
    hospital.server.hilum("deliveries", "replay", "--dead")

    eventually(lambda: hospital.states("pacs2") == ["sent"] * 4, "the replay did not arrive")
    assert hospital.second_pacs.arrivals == [*_uids(files), unwanted]


def test_a_second_pacs_that_is_full_is_asked_again_and_order_is_kept(hospital: Hospital) -> None:
    hospital.route()
    files = _images(hospital, Order("1", modality.new_uid()))
    refusals = iter([0x0000, 0xA700, 0xA700])
    hospital.second_pacs.judge = lambda _uid: next(refusals, 0x0000)

    modality.storescu(hospital.server.dicom, files)

    eventually(lambda: hospital.states("pacs2") == ["sent"] * 4, "not all arrived")
    first, second, *others = _uids(files)
    assert hospital.second_pacs.arrivals == [first, second, second, second, *others]


@pytest.mark.parametrize(
    "answers",
    [[messages.hangs_up, messages.talks_garbage], [says("AE")], [says("AE", "207")]],
    ids=["nothing-and-garbage", "AE", "AE-207"],
)
def test_a_report_that_was_not_taken_goes_again_under_its_name_before_the_next(
    hospital: Hospital, answers: list[Answer]
) -> None:
    hospital.route()
    hospital.ehr.answers = [*answers, says("AA")]
    first, second = Order("1", modality.new_uid()), Order("2", modality.new_uid())

    hospital.tell(messages.report(ANN, first, "First."), messages.report(ANN, second, "Second."))

    eventually(lambda: hospital.states("ehr") == ["sent", "sent"], "not all arrived")
    assert hospital.ehr.impressions() == [*["First."] * (len(answers) + 1), "Second."]
    assert len(set(hospital.ehr.control_ids())) == 2


@pytest.mark.parametrize("answer", [says("AR"), says("AE", "204")], ids=["AR", "AE-204"])
def test_a_report_that_was_rejected_for_good_is_dead_until_it_is_replayed(
    hospital: Hospital, answer: Answer
) -> None:
    hospital.route()
    hospital.ehr.answers = [answer, says("AA")]
    orders = Order("1", modality.new_uid()), Order("2", modality.new_uid())
    hospital.tell(*(messages.report(ANN, order, f"Report {order.number}.") for order in orders))
    eventually(lambda: hospital.states("ehr") == ["dead", "sent"], "the second did not go on")

    hospital.server.hilum("deliveries", "replay", "--dead")

    eventually(lambda: hospital.states("ehr") == ["sent", "sent"], "the replay did not arrive")
    assert hospital.ehr.impressions() == ["Report 1.", "Report 2.", "Report 1."]
    assert len(set(hospital.ehr.control_ids())) == 2


# pynetdicom's reactor raises in its own thread when our report crosses its abort on the wire.
@pytest.mark.filterwarnings("default::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_ct_that_leaves_before_the_commitment_report_gets_it_on_a_new_association(
    hospital: Hospital,
) -> None:
    (listen,) = free_ports(1)
    hospital.server.add_peers(
        Peer("ct", PeerKind.DICOM, "127.0.0.1", listen, modality.CT_AE_TITLE, roles=("modality",))
    )
    files = _images(hospital, Order("1", modality.new_uid()))
    modality.storescu(hospital.server.dicom, files)
    client = CommitmentClient(hospital.server.dicom, listen)

    report = client.ask(files, stay=False)

    client.close()
    assert (report.event_type, report.committed) == (1, set(_uids(files)))

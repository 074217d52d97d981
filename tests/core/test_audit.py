"""The trail: every change is in it, and no patient is."""

from typing import Any

from hilum.core.access.model import Peer, PeerKind
from hilum.core.kernel.identifiers import Identifier
from hilum.core.orders.model import OrderAction, OrderMessage, OrderRequest

SECRETS = ("Doe", "19700101", "PATIENT-77", "HIGH STREET")


def a_day(house: Any) -> None:
    """Do a little of everything with a patient."""
    said = house.says("PATIENT-77^^^HOSP", name="Doe^Jane", birth_date="19700101", address="HIGH STREET")
    hub, operator = house.hub, house.operator
    hub.register_patient(operator, said)
    request = OrderRequest(OrderAction.PLACE, placer_order_number=Identifier("P1"))
    hub.place_orders(operator, OrderMessage(said, (request,)))
    header = house.header("PATIENT-77", patient_name="Doe^Jane", patient_birth_date="19510505")
    house.store(header, b"first")
    house.store(header, b"second")
    house.merge("99^^^HOSP", "PATIENT-77^^^HOSP")
    house.studies("PATIENT-77")
    hub.read_study(operator, header.study_instance_uid)
    hub.put_peer(operator, Peer("pacs", PeerKind.MLLP))


def test_every_change_has_its_entry(house: Any) -> None:
    a_day(house)

    assert set(house.actions()) >= {
        "patients.register",
        "orders.place",
        "archive.store",
        "archive.conflict",
        "patients.merge",
        "peers.put",
    }


def test_an_entry_says_who_where_and_in_which_trace(house: Any) -> None:
    house.register("12^^^HOSP")

    (entry,) = house.trail()

    assert (entry.caller, entry.caller_kind, entry.trace) == ("operator", "local", "a-trace")
    assert entry.entity == f"Patient/{house.record('12^^^HOSP').public_id}"
    assert entry.occurred is not None


def test_no_entry_and_no_event_holds_a_patient(house: Any) -> None:
    a_day(house)

    kept = repr(house.trail()) + repr(house.news())

    assert [secret for secret in SECRETS if secret in kept] == []

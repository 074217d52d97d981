"""Our state table is Table 9-10 as pynetdicom typed it."""

from pynetdicom.fsm import ACTIONS, TRANSITION_TABLE

from hilum.wire.dicom.upper_layer.pdus import PDUType
from hilum.wire.dicom.upper_layer.states import TIMERS, TRANSITIONS, Direction, Role, State

R, S = Direction.RECEIVED, Direction.SENT
EVENTS = {
    (R, PDUType.ASSOCIATE_AC): "Evt3",
    (R, PDUType.ASSOCIATE_RJ): "Evt4",
    (R, PDUType.ASSOCIATE_RQ): "Evt6",
    (S, PDUType.ASSOCIATE_AC): "Evt7",
    (S, PDUType.ASSOCIATE_RJ): "Evt8",
    (S, PDUType.P_DATA_TF): "Evt9",
    (R, PDUType.P_DATA_TF): "Evt10",
    (S, PDUType.RELEASE_RQ): "Evt11",
    (R, PDUType.RELEASE_RQ): "Evt12",
    (R, PDUType.RELEASE_RP): "Evt13",
    (S, PDUType.RELEASE_RP): "Evt14",
    (S, PDUType.ABORT): "Evt15",
    (R, PDUType.ABORT): "Evt16",
}
# The states in which a transport stands open, apart from Sta4 (our request waits) and Sta13 (nothing is heard).
OPEN = [state for state in State if state not in {State.CLOSED, State.READY_TO_REQUEST, State.AWAITING_CLOSE}]
COLLISION = {Role.REQUESTOR: "Sta9", Role.ACCEPTOR: "Sta10"}
# Not AE-6's own Sta3 or Sta13, but Sta3: whether the provider accepts is `refuse`, which the local response follows.
ACCEPTABLE = {"AE-6": "Sta3"}
ERRORS = {"AA-1", "AA-8"}


def theirs(role: Role, event: str, state: State) -> tuple[str | None, str | None]:
    action = TRANSITION_TABLE.get((event, f"Sta{state.value}"))
    if action == "AR-8":
        return action, COLLISION[role]
    return action, ACCEPTABLE.get(action) or (ACTIONS[action][2] if action else None)


def test_every_cell_of_a_state_with_an_open_transport_has_the_next_state_of_table_9_10() -> None:
    for role in Role:
        for (direction, pdu_type), event in EVENTS.items():
            for state in OPEN:
                ours = TRANSITIONS[role].get((direction, pdu_type, state))
                action, following = theirs(role, event, state)

                if ours is None:
                    assert action is None or (action in ERRORS and direction is R), (role, event, state)
                elif (event, state) != (
                    "Evt15",
                    State.AWAITING_ASSOCIATE_REQUEST,
                ):  # our answer to Evt19 there
                    assert following == f"Sta{ours.value}", (role, event, state)


def test_every_state_has_a_timer() -> None:
    assert set(TIMERS) == set(State)

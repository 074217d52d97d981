"""Routing rules as YAML."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core.kernel.errors import Invalid
from hilum.core.routing.model import Rule
from hilum.wire.routes import rules_of, text_of

EXAMPLE = """\
rules:
  - name: ct-to-second-pacs
    when:
      event: instance-stored
      source: [CT01, "MR*"]
      modality: CT
      tags: {BodyPartExamined: "CHEST*"}
    to: [second-pacs, third]
  - name: reports
    when: {event: report-filed, status: [final, amended]}
    to: ehr
"""


def test_rules_are_read_in_their_order() -> None:
    rules = rules_of(EXAMPLE)

    assert rules == [
        Rule(
            name="ct-to-second-pacs",
            event="instance-stored",
            to=("second-pacs", "third"),
            source=("CT01", "MR*"),
            modality=("CT",),
            tags={"BodyPartExamined": "CHEST*"},
        ),
        Rule(name="reports", event="report-filed", to=("ehr",), status=("final", "amended")),
    ]


def test_a_word_that_yaml_takes_for_a_truth_value_stays_a_word() -> None:
    rules = rules_of("rules: [{name: no, when: {source: NO}, to: [on]}]")

    assert (rules[0].name, rules[0].source, rules[0].to) == ("no", ("NO",), ("on",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "rules:\n- name: a\n  too: [x]\n",
            "f.yaml:3: unknown key 'too' in a rule; next: the nearest known key is 'to'",
        ),
        ("rules:\n- name: a\n", "f.yaml:2: a rule needs the key 'to'"),
        ("rules:\n- name: a\n  to: []\n", "f.yaml:3: 'to' must name at least one"),
        ("rules:\n- name: a\n  to: x\n- name: a\n  to: x\n", "f.yaml:4: two rules have the name 'a'"),
        ("rules:\n- name: a\n  name: b\n  to: x\n", "f.yaml:3: 'name' stands twice in a rule"),
        ("rules:\n- name: a\n  to: x\n  when: {event: born}\n", "f.yaml:4: no such event 'born'"),
        (
            "rules:\n- name: a\n  to: x\n  when:\n    status: final\n",
            "f.yaml:5: 'status' is no condition of instance-stored",
        ),
        (
            "rules:\n- name: a\n  to: x\n  when:\n    tags:\n      BodyPart: X\n",
            "f.yaml:6: unknown key 'BodyPart' in tags",
        ),
        ("rules: {a: b}\n", "f.yaml:1: 'rules' must be a list"),
        ("- a\n", "f.yaml:1: the file must be a mapping"),
        ("rules: [\n", "f.yaml:2: not readable as YAML"),
        ("rules: &a [*a]\n", "f.yaml:1: aliases"),
        ("[" * 100, "f.yaml:1: nested deeper"),
        ("a: \x00", "f.yaml:1: not readable as YAML"),
    ],
)
def test_a_mistake_names_the_line_and_the_key(text: str, said: str) -> None:
    with pytest.raises(Invalid) as raised:
        rules_of(text, "f.yaml")

    assert said in str(raised.value)


def test_an_empty_file_has_no_rules() -> None:
    assert rules_of("# nothing yet\n") == []


_words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
_lists = st.lists(_words, max_size=3).map(tuple)
_stored = st.builds(
    Rule,
    name=_words,
    event=st.just("instance-stored"),
    to=st.lists(_words, min_size=1, max_size=3).map(tuple),
    source=_lists,
    modality=_lists,
    tags=st.none() | st.dictionaries(st.sampled_from(["PatientID", "BodyPartExamined"]), _words, min_size=1),
)


@given(st.lists(_stored, max_size=4, unique_by=lambda rule: rule.name))
def test_rules_that_are_written_can_be_read(rules: list[Rule]) -> None:
    assert rules_of(text_of(rules)) == rules


@given(st.text(max_size=200))
def test_any_text_is_rules_or_invalid(text: str) -> None:
    with contextlib.suppress(Invalid):
        rules_of(text)

"""Routing rules as YAML: text <-> core rules, with errors that name the line and the key.

rules:
  - name: ct-to-second-pacs
    when:
      event: instance-stored        # or study-available, report-filed, procedure-step-reported
      source: [CT01]                # calling AE titles or peer names; * and ? are wild
      modality: [CT, MR]
      tags: {BodyPartExamined: "CHEST*"}
    to: [second-pacs]
"""

import difflib
from collections.abc import Iterable
from typing import Any

import yaml
from pydicom.datadict import keyword_dict

from hilum.core.kernel.errors import Invalid
from hilum.core.routing.model import Rule
from hilum.core.routing.rules import INSTANCE_STORED, PROCEDURE_STEP_REPORTED, REPORT_FILED, STUDY_AVAILABLE

LONGEST_FILE = 1 << 20
DEEPEST_NESTING = 8
MOST_RULES = 1000

_EVENTS = {
    INSTANCE_STORED: ("event", "source", "modality", "tags"),
    STUDY_AVAILABLE: ("event", "source", "modality"),
    REPORT_FILED: ("event", "source", "status"),
    PROCEDURE_STEP_REPORTED: ("event", "source", "modality", "status"),
}
"""Which conditions each event knows."""

_Members = dict[str, tuple[yaml.Node, yaml.Node]]


def rules_of(text: str, name: str = "rules") -> list[Rule]:
    """Return the rules of a file in their order; raises Invalid as `NAME:LINE: KEY ...`."""
    _demand_bounds(text, name)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise _not_yaml(error, name) from error
    if root is None:
        return []
    members = _members(root, name, "the file", ("rules",), ("rules",))
    nodes = _sequence(members["rules"][1], name, "rules")
    if len(nodes) > MOST_RULES:
        raise _invalid(name, root, f"more than {MOST_RULES} rules")
    rules = [_rule(node, name) for node in nodes]
    _demand_distinct_names(rules, nodes, name)
    return rules


def text_of(rules: Iterable[Rule]) -> str:
    """Return the YAML that `rules_of` reads."""
    listed = [{"name": rule.name, "when": _conditions(rule), "to": list(rule.to)} for rule in rules]
    return yaml.safe_dump({"rules": listed}, sort_keys=False, allow_unicode=True)


def _conditions(rule: Rule) -> dict[str, object]:
    conditions: dict[str, object] = {"event": rule.event}
    for key in ("source", "modality", "status"):
        if patterns := getattr(rule, key):
            conditions[key] = list(patterns)
    if rule.tags:
        conditions["tags"] = dict(rule.tags)
    return conditions


def _demand_bounds(text: str, name: str) -> None:
    """Read the events of the file first, without building anything: no aliases, no deep nesting."""
    if len(text) > LONGEST_FILE:
        raise Invalid(f"{name}: longer than {LONGEST_FILE} characters", next_step="split or shorten the file")
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _at(name, event.start_mark, "aliases (*name) are not read")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST_NESTING:
                raise _at(name, event.start_mark, f"nested deeper than {DEEPEST_NESTING} levels")
    except yaml.YAMLError as error:
        raise _not_yaml(error, name) from error


def _rule(node: yaml.Node, name: str) -> Rule:
    members = _members(node, name, "a rule", ("name", "when", "to"), ("name", "to"))
    title = _text(members["name"][1], name, "name")
    conditions, event = _when(members, name)
    return Rule(
        name=title,
        event=event,
        to=_texts(members["to"][1], name, "to"),
        source=_patterns(conditions, "source", name),
        modality=_patterns(conditions, "modality", name),
        status=_patterns(conditions, "status", name),
        tags=_tags(conditions["tags"][1], name) if "tags" in conditions else None,
    )


def _when(members: _Members, name: str) -> tuple[_Members, str]:
    if "when" not in members:
        return {}, INSTANCE_STORED
    node = members["when"][1]
    every = tuple(dict.fromkeys(key for keys in _EVENTS.values() for key in keys))
    conditions = _members(node, name, "when", every, ())
    event = _text(conditions["event"][1], name, "event") if "event" in conditions else INSTANCE_STORED
    if event not in _EVENTS:
        raise _invalid(
            name, conditions["event"][1], f"no such event '{event[:60]}'", f"choose of: {', '.join(_EVENTS)}"
        )
    for key, (where, _) in conditions.items():
        if key not in _EVENTS[event]:
            raise _invalid(
                name, where, f"'{key}' is no condition of {event}", f"choose of: {', '.join(_EVENTS[event])}"
            )
    return conditions, event


def _tags(node: yaml.Node, name: str) -> dict[str, str]:
    keywords = frozenset(keyword_dict)
    members = _members(node, name, "tags", keywords, ())
    return {keyword: _text(pattern, name, keyword) for keyword, (_, pattern) in members.items()}


def _patterns(conditions: _Members, key: str, name: str) -> tuple[str, ...]:
    return _texts(conditions[key][1], name, key) if key in conditions else ()


def _members(
    node: yaml.Node, name: str, what: str, allowed: Iterable[str], required: tuple[str, ...]
) -> _Members:
    """Return the members of a mapping by key; unknown, repeated and missing keys are errors."""
    if not isinstance(node, yaml.MappingNode):
        raise _invalid(name, node, f"{what} must be a mapping")
    known = frozenset(allowed)
    members: _Members = {}
    for key_node, value in node.value:
        key = _text(key_node, name, "a key")
        if key not in known:
            nearest = difflib.get_close_matches(key, known, n=1, cutoff=0.0)
            raise _invalid(
                name,
                key_node,
                f"unknown key '{key[:60]}' in {what}",
                f"the nearest known key is '{nearest[0]}'",
            )
        if key in members:
            raise _invalid(name, key_node, f"'{key}' stands twice in {what}")
        members[key] = (key_node, value)
    for key in required:
        if key not in members:
            raise _invalid(name, node, f"{what} needs the key '{key}'")
    return members


def _sequence(node: yaml.Node, name: str, key: str) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        raise _invalid(name, node, f"'{key}' must be a list")
    return list(node.value)


def _texts(node: yaml.Node, name: str, key: str) -> tuple[str, ...]:
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    if not nodes:
        raise _invalid(name, node, f"'{key}' must name at least one")
    return tuple(_text(member, name, key) for member in nodes)


def _text(node: yaml.Node, name: str, key: str) -> str:
    """Return a scalar as it is written: `NO` is a text here, never false."""
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise _invalid(name, node, f"'{key}' must be a text")
    return str(node.value)


def _demand_distinct_names(rules: list[Rule], nodes: list[yaml.Node], name: str) -> None:
    seen: set[str] = set()
    for rule, node in zip(rules, nodes, strict=True):
        if rule.name in seen:
            raise _invalid(name, node, f"two rules have the name '{rule.name[:60]}'")
        seen.add(rule.name)


def _not_yaml(error: yaml.YAMLError, name: str) -> Invalid:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "not text that YAML allows"
    return _at(name, mark, f"not readable as YAML: {problem}")


def _invalid(name: str, node: yaml.Node, what: str, next_step: str = "mend the line") -> Invalid:
    return _at(name, node.start_mark, what, next_step)


def _at(name: str, mark: Any, what: str, next_step: str = "mend the line") -> Invalid:  # noqa: ANN401  # two Marks
    line = mark.line + 1 if mark else 1
    return Invalid(f"{name}:{line}: {what}", next_step=next_step)

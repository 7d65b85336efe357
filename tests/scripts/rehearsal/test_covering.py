"""The examples that are rehearsed for every change have all that the others have."""

from __future__ import annotations

from pathlib import Path

from scripts.rehearsal.covering import covering, features
from scripts.rehearsal.e2e import COVERING


def test_they_cover_every_address_and_attribute_of_all_examples(examples: dict[str, Path]) -> None:
    found = {name: features(out) for name, out in examples.items()}
    every = frozenset().union(*found.values())
    assert len(every) > 1000
    missing = every - frozenset().union(*(found[name] for name in COVERING))
    assert not missing, f"add an example to COVERING, or what it has to one of these; a cover is {covering(found)}"


def test_none_of_them_could_be_left_out(examples: dict[str, Path]) -> None:
    found = {name: features(out) for name, out in examples.items()}
    for name in COVERING:
        others = frozenset().union(*(found[other] for other in COVERING if other != name))
        assert found[name] - others, f"{name} adds nothing"


def test_a_resource_an_attribute_and_a_variable_count(tmp_path: Path) -> None:
    folder = tmp_path / "stacks" / "omero"
    folder.mkdir(parents=True)
    container = r"[{\"name\": \"web\", \"environment\": [{\"name\": \"A\", \"value\": \"1\"}], \"secrets\": []}]"
    block = f'{{"//": {{"x": 1}}, "rule": [{{"port": 1}}], "container_definitions": "{container}"}}'
    (folder / "cdk.tf.json").write_text(f'{{"resource": {{"aws_thing": {{"one": {block}}}}}}}')
    assert features(tmp_path) >= {
        ("omero", "aws_thing", "one"),
        ("aws_thing", "rule", "port"),
        ("aws_thing", "container", "web", "environment", "A"),
    }
    assert not [feature for feature in features(tmp_path) if "//" in feature]


def test_what_covers_is_found_greedily() -> None:
    has = {"a": frozenset({("1",), ("2",)}), "b": frozenset({("2",), ("3",)}), "c": frozenset({("3",)})}
    assert covering(has) == ("a", "b")

"""Tags: what botocore's models say of the services that get them, and what a workspace refuses at load."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest
from botocore.loaders import Loader

from settings import SettingsError
from settings import tags as settings_tags
from settings.load import parse

# Services that make what gets the provider's default tags or the scripts' own. Transfer Family and Storage Gateway too.
SERVICES = (
    *("acm", "appstream", "autoscaling", "backup", "cloudwatch", "datasync", "dynamodb", "ec2", "ecs", "efs"),
    *("elasticache", "elbv2", "events", "iam", "kms", "lambda", "logs", "rds", "route53", "s3", "secretsmanager"),
    *("servicediscovery", "sns", "sqs", "ssm", "storagegateway", "transfer"),
)
YAML = 'account_id: "111122223333"\nregion: eu-central-1\naccess: {cidrs: [192.0.2.0/24]}\n'
OURS = r"[\p{L}\p{Z}\p{N}_.:/=+\-@]"


def _shapes(service: str) -> dict[str, Any]:
    return dict(Loader().load_service_model(service, "service-2")["shapes"])


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_is_stricter_than_the_settings(service: str) -> None:
    """Its own pattern for keys and values is ours, or wider; DataSync's is told apart."""
    for name, shape in _shapes(service).items():
        if shape["type"] != "string" or not re.fullmatch(
            r"[tT]ag(Map)?(Key|Value)(String|Type)?|tag(Key|Value)Type", name
        ):
            continue
        is_key = "Key" in name
        most = settings_tags.KEY_CHARACTERS if is_key else settings_tags.VALUE_CHARACTERS
        assert shape.get("max", most) >= most, name
        assert shape.get("min", 0) <= (1 if is_key else 0), name
        pattern = shape.get("pattern")
        if service == "datasync":
            ours = settings_tags.DATASYNC_KEY if is_key else settings_tags.DATASYNC_VALUE
            assert pattern in (f"^{ours}$", f"^{ours.removesuffix('*')}+$"), name
        else:
            assert pattern is None or OURS in pattern or "\\u0020-\\uD7FF" in pattern, (name, pattern)


def test_the_characters_are_those_of_the_pattern() -> None:
    for code in range(0x3000):
        character = chr(code)
        expected = unicodedata.category(character)[0] in "LZN" or character in "_.:/=+-@"
        assert settings_tags._allowed(character) is expected


def _faults(tags: str, more: str = "") -> str:
    with pytest.raises(SettingsError) as refused:
        parse(f"{YAML}tags: {tags}\n{more}", "lab", "lab.yaml")
    return "\n".join(refused.value.faults)


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("{workspace: a}", r"tags\.workspace: the tag workspace is set by this program as Workspace, and IAM takes"),
        ("{STACK: a}", "set by this program as Stack"),
        ("{name: a}", "set by this program as Name"),
        ("{AWS:created: a}", "begins with aws:, which AWS keeps to itself"),
        ("{Owner: a, owner: b}", "the tags Owner and owner differ in upper and lower case only"),
        ("{'cost,centre': a}", "the tag 'cost,centre' is not one that AWS takes; give letters, digits, spaces and _"),
        ("{Owner: 'a&b'}", "the value of a tag 'a&b' is not one that AWS takes"),
        ("{'': a}", "1 to 128 characters in all"),
        (f"{{{'k' * 129}: a}}", "1 to 128 characters in all"),
        (f"{{Owner: {'v' * 257}}}", "up to 256 characters in all"),
    ],
)
def test_refuses_what_aws_would_refuse_half_way(tags: str, said: str) -> None:
    assert re.search(said, _faults(tags)), _faults(tags)


def test_takes_what_aws_takes() -> None:
    found = parse(f"{YAML}tags: {{Kostenstelle Süd: 'é 1/2 @ =+-', {'k' * 128}: ''}}\n", "lab", "lab.yaml")
    assert found.tags["Kostenstelle Süd"] == "é 1/2 @ =+-"


def test_datasync_knows_english_alone() -> None:
    said = _faults("{Kostenstelle Süd: a, mail@x: b, Owner: c@d}", "datasync: {}\n")
    assert said.count("is refused by DataSync") == 2
    assert "Owner" not in said

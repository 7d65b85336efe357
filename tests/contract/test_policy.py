"""Policies are typed, and refuse what is too wide."""

from __future__ import annotations

import json

import pytest

from contract.policy import Statement, deny_insecure_transport, document, trust


def test_renders_single_values_without_a_list() -> None:
    (statement,) = json.loads(document(Statement(sid="Read", actions=("s3:GetObject",), resources=("a", "b"))))[
        "Statement"
    ]
    assert statement == {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": ["a", "b"]}


def test_refuses_every_action() -> None:
    with pytest.raises(ValueError, match="allows every action"):
        Statement(sid="All", actions=("*",), resources=("a",))


def test_refuses_every_resource_without_a_reason() -> None:
    with pytest.raises(ValueError, match="name them or say why"):
        Statement(sid="All", actions=("s3:GetObject",), resources=("*",))
    given = Statement(sid="All", actions=("a:List",), resources=("*",), any_resource_because="it takes no other")
    assert "because" not in json.dumps(given.render())


@pytest.mark.parametrize("sid", ["", "with space", "with-hyphen"])
def test_refuses_an_id_that_iam_refuses(sid: str) -> None:
    with pytest.raises(ValueError, match="letters and digits"):
        Statement(sid=sid, actions=("s3:GetObject",), resources=("a",))


def test_refuses_two_statements_of_one_id() -> None:
    read = Statement(sid="Read", actions=("s3:GetObject",), resources=("a",))
    with pytest.raises(ValueError, match="ids of their own"):
        document(read, read)


def test_trust_is_for_this_accounts_resources() -> None:
    (statement,) = json.loads(trust("ecs-tasks.amazonaws.com", account_id="111122223333", source_arn="arn:x"))[
        "Statement"
    ]
    assert statement["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:x"},
    }


def test_insecure_transport_is_denied_to_everyone() -> None:
    rendered = deny_insecure_transport("arn:b").render()
    assert (rendered["Effect"], rendered["Principal"]) == ("Deny", "*")

"""Events that make the worker look, as AWS's guides show them, put on a bus with the very rule that is deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from local_aws.testing.ecs import Client
from local_aws.testing.fixtures import aws, client, files_root, stand_ins
from tests.conftest import Stacks, of_type

__all__ = ["aws", "client", "files_root", "stand_ins"]

SHARE = "arn:aws:storagegateway:eu-central-1:111122223333:share/share-F123D451"
GATEWAY = "arn:aws:storagegateway:eu-central-1:111122223333:gateway/sgw-712345DA"
WAYS_IN: dict[str, Any] = {
    "sftp": {"cidrs": ["192.0.2.0/24"]},
    "datasync": {},
    "arrivals": {},
    "topology": "rw-http-s3fg",
}
Fits = Callable[..., bool]


@pytest.fixture
def fits(client: Client, synthesise: Callable[..., Stacks]) -> Iterator[Callable[[dict[str, Any]], Fits]]:
    """Whether an event reaches the queue by the rule of a workspace with these settings."""
    sqs, events, made = client("sqs"), client("events"), []

    def of(settings: dict[str, Any]) -> Fits:
        rule = of_type(synthesise(**settings)["omero"], "aws_cloudwatch_event_rule")["importer_hints"]
        # What Terraform knows later: a file system between slashes, and a share.
        pattern = re.sub(r"/\$\{[^}]*\}/", "/fs-1/", rule["event_pattern"])
        pattern = re.sub(r"\$\{[^}]*\}", SHARE, pattern)
        name = f"h-{uuid4().hex[:10]}"
        queue = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        events.put_rule(Name=name, EventPattern=pattern)
        events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
        made.append(name)

        def fits(source: str, kind: str, detail: dict[str, Any], *resources: str) -> bool:
            event = {"Source": source, "DetailType": kind, "Detail": json.dumps(detail), "Resources": list(resources)}
            assert not events.put_events(Entries=[event])["FailedEntryCount"]
            return "Messages" in sqs.receive_message(QueueUrl=queue)

        return fits

    yield of
    for name in made:
        events.remove_targets(Rule=name, Ids=["queue"])
        events.delete_rule(Name=name)


def _refreshed(fits: Fits, share: str) -> bool:
    detail = {"event-type": "refresh-complete", "notification-id": "1c14106b", "folderList": ["/"]}
    return fits("aws.storagegateway", "Storage Gateway Refresh Cache Event", detail, share, GATEWAY)


def _uploaded(fits: Fits, bucket: str) -> bool:
    detail = {"event-type": "object-upload-complete", "object-key": "a.svs", "prefix": "", "bucket-name": bucket}
    return fits("aws.storagegateway", "Storage Gateway Object Upload Event", detail, SHARE, GATEWAY)


def test_uploads_renames_executions_and_refreshes_are_hints(fits: Callable[[dict[str, Any]], Fits]) -> None:
    of = fits({**WAYS_IN, "file_gateway": {}})
    transfer = "SFTP Server File {} {}".format
    home = "/fs-1/OMERO/SFTP/alice"
    assert of("aws.transfer", transfer("Upload", "Completed"), {"file-path": f"{home}/a.svs"})
    assert of("aws.transfer", transfer("Rename", "Completed"), {"renamed-file-path": f"{home}/a.svs"})
    assert not of("aws.transfer", transfer("Upload", "Failed"), {"file-path": f"{home}/a.svs"})
    assert not of("aws.transfer", transfer("Download", "Completed"), {"file-path": f"{home}/a.svs"})
    assert not of("aws.transfer", transfer("Upload", "Completed"), {"file-path": "/fs-12/OMERO/SFTP/alice/a.svs"})
    for state in ("SUCCESS", "ERROR"):
        assert of("aws.datasync", "DataSync Task Execution State Change", {"State": state})
    assert not of("aws.datasync", "DataSync Task Execution State Change", {"State": "TRANSFERRING"})
    assert _refreshed(of, SHARE)
    assert not _refreshed(of, SHARE + "2")
    assert not of("aws.s3", "Object Created", {"bucket": {"name": "lab-slides"}}), "servers do not see it yet"


def test_a_gateway_of_others_tells_of_its_uploads_and_refreshes(fits: Callable[[dict[str, Any]], Fits]) -> None:
    share = {"address": "10.192.20.15", "bucket": "lab-slides"}
    of = fits({"topology": "rw-http-s3fg", "share": share, "arrivals": {}})
    assert _refreshed(of, SHARE + "2"), "its ARN is not known"
    assert _uploaded(of, "lab-slides")
    assert not _uploaded(of, "lab-slides-2")
    assert not of("aws.datasync", "DataSync Task Execution State Change", {"State": "SUCCESS"})

"""A worker sends one message for all that has ended, by its own role, through SNS; and says how it is."""

from __future__ import annotations

import json
import re
from typing import Any

from containers.importer.entries import FAILED, IMPORTED
from local_aws.testing.ecs import until
from local_aws.testing.rights import document, statement
from tests.scripts.ingest.imports.imports_help import Importing


def test_what_arrives_is_told_in_one_message_that_adds_up(importing: Importing) -> None:
    sqs, sns, kms = (importing.programs.client(each) for each in ("sqs", "sns", "kms"))
    key = kms.create_key()["KeyMetadata"]["Arn"]
    topic = sns.create_topic(Name=importing.bucket, Attributes={"KmsMasterKeyId": key})["TopicArn"]
    queue = sqs.create_queue(QueueName=importing.bucket)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    role = importing.programs.ecs.role.rpartition("/")[2]
    # The role of these tests may use every key.
    allowed = document(statement("sns:Publish", on=topic))
    importing.programs.client("iam").put_role_policy(RoleName=role, PolicyName="reports", PolicyDocument=allowed)
    importing.server.add_user("alice", password="secret")
    importing.server.add_user("bob", password="secret")
    good = [importing.image(f"{name}/{number}.tif") for name in ("alice", "bob") for number in range(3)]
    bad, empty = importing.image("alice/bad.tif"), importing.image("bob/empty.tif", b"")
    importing.server.fault("fail", "bad.tif", message="the tile at 3,4 is broken")
    importing.watch(
        {"user": "{folder}", "target": "Dataset:name:{folder}"},
        workspace="lab",
        reports_topic=topic,
        web_url="https://omero.example.org",
    )
    wanted = {**dict.fromkeys(good, IMPORTED), bad: FAILED, empty: FAILED}
    until(lambda: importing.states() == wanted, seconds=60)
    (message,) = until(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), seconds=60)
    said: dict[str, Any] = json.loads(message["Body"])
    assert said["Subject"] == "OMERO lab: 6 imported, 2 failed"
    text = said["Message"]
    assert "imported: 6\nfailed: 2\nstill arriving: 0\n" in text
    links = dict(
        re.findall(
            r"- 3 of (\w+), dataset \w+: https://omero\.example\.org/webclient/\?show=(dataset-\d+)$", text, re.M
        )
    )
    assert set(links) == {"alice", "bob"}
    assert len(set(links.values())) == 2
    assert re.search(r"^- /OMERO/in/alice/bad\.tif: .*the tile at 3,4 is broken", text, re.M)
    assert re.search(r"^- /OMERO/in/bob/empty\.tif: .*empty", text, re.M)
    assert "Messages" not in sqs.receive_message(QueueUrl=queue), "one"
    lines = [line for line in importing.log().splitlines() if line.startswith('{"arrivals"')]
    assert set(json.loads(lines[0])["arrivals"]) == {"oldest_seconds", "waiting", "arriving", "failed", "imported"}

"""What has to be true before Terraform runs: settings, credentials, account, state. Changes nothing."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.exceptions import ClientError

from scripts import aws, backend
from scripts.errors import Refused
from settings import SettingsError, Workspace, load
from settings.access import Tls


def check(workspace_name: str | None = None) -> Workspace:
    """The workspace (by default `TF_WORKSPACE`, or demo), once `cdktf` can be let loose on it.

    Raises:
        Refused: the settings have faults (one a line); there are no credentials, or another account's; the
            state bucket or the lock table is missing or elsewhere; the hosted zone is not there, or not the name's;
            the bucket of DataSync is not there, another account's, elsewhere, or tells EventBridge nothing.
        aws.ERRORS: AWS did not answer, or denied a question.
    """
    try:
        workspace = load(workspace_name)
    except SettingsError as error:
        raise Refused("\n".join(error.faults)) from None
    try:
        _look(workspace)
    except aws.ERRORS as error:
        if not aws.refused(error):
            raise
        raise Refused(aws.sentence(error)) from error
    return workspace


def _look(workspace: Workspace) -> None:
    place = backend.place(workspace)
    if workspace.tls:
        _look_at_hosted_zone(place.session, workspace.tls)
    if workspace.datasync and workspace.datasync.bucket:
        _look_at_landing_bucket(
            aws.session(workspace), workspace, workspace.datasync.bucket, workspace.datasync.start_on_arrival
        )
    bucket, table = backend.found(place)
    missing = [
        *([] if bucket else [f"state bucket {place.bucket}"]),
        *([] if table else [f"lock table {place.table}"]),
    ]
    if missing:
        raise Refused(
            f"workspace {workspace.name} has no {' and no '.join(missing)} in {place.region}; "
            f"run `TF_WORKSPACE={workspace.name} pipenv run state ensure` first."
        )


def _look_at_hosted_zone(session: boto3.Session, tls: Tls) -> None:
    """The certificate is proved in the zone: a wrong one would keep a deployment waiting for 75 minutes."""
    route53 = session.client("route53")
    try:
        zone = route53.get_hosted_zone(Id=tls.hosted_zone_id)["HostedZone"]
    except route53.exceptions.NoSuchHostedZone:
        raise Refused(
            f"tls.hosted_zone_id {tls.hosted_zone_id} is no hosted zone of this account; "
            "`aws route53 list-hosted-zones` shows those there are."
        ) from None
    zone_name = zone["Name"].rstrip(".")
    if tls.domain_name != zone_name and not tls.domain_name.endswith(f".{zone_name}"):
        raise Refused(
            f"tls.domain_name {tls.domain_name} is not in the hosted zone {tls.hosted_zone_id}, which is {zone_name}; "
            f"choose a name that ends in .{zone_name}, or the zone of {tls.domain_name}."
        )
    if zone.get("Config", {}).get("PrivateZone") and tls.certificate_arn is None:
        raise Refused(
            f"tls.hosted_zone_id {tls.hosted_zone_id} is a private zone, in which ACM cannot prove a certificate; "
            "give the public zone of the name, or the certificate_arn of one that exists."
        )


def _look_at_landing_bucket(session: boto3.Session, workspace: Workspace, name: str, announces: bool) -> None:
    """A bucket that is there already: of this account and region, and if need be it tells EventBridge."""
    s3 = session.client("s3")
    owner = workspace.account_id
    try:
        head: dict[str, Any] = s3.head_bucket(Bucket=name, ExpectedBucketOwner=owner)  # type: ignore[assignment]
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        # AWS sends a request for a bucket of another region away, without a look at its owner.
        found = error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")
        if status == 301:
            raise Refused(_elsewhere(name, str(found), workspace.region)) from None
        if status == 404:
            raise Refused(
                f"datasync.bucket {name} does not exist; make it, or leave datasync.bucket out to have one made."
            ) from None
        if status == 403:
            raise Refused(
                f"datasync.bucket {name} is owned by another account than {owner}, or its policy keeps these "
                "credentials out; give a bucket of this account, or leave datasync.bucket out to have one made."
            ) from None
        raise
    region = head.get("BucketRegion") or head["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    if region and region != workspace.region:
        raise Refused(_elsewhere(name, region, workspace.region))
    if not announces:
        return
    configuration = s3.get_bucket_notification_configuration(Bucket=name, ExpectedBucketOwner=owner)
    if "EventBridgeConfiguration" not in configuration:
        raise Refused(
            f"datasync.bucket {name} does not send its events to EventBridge, so nothing would start when an object "
            "arrives; switch that on in the bucket's properties, or set datasync.start_on_arrival: false."
        )


def _elsewhere(name: str, found: str, wanted: str) -> str:
    return (
        f"datasync.bucket {name} is in the region {found}, and the workspace in {wanted}; give a bucket of {wanted}, "
        "or leave datasync.bucket out to have one made."
    )

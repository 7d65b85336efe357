"""What has to be true before Terraform runs: settings, credentials, account, state. Changes nothing."""

from __future__ import annotations

import boto3

from scripts import aws, backend
from scripts.errors import Refused
from settings import SettingsError, Workspace, load
from settings.access import Tls


def check(workspace_name: str | None = None) -> Workspace:
    """The workspace (by default `TF_WORKSPACE`, or demo), once `cdktf` can be let loose on it.

    Raises:
        Refused: the settings have faults (one a line); there are no credentials, or another account's; the
            state bucket or the lock table is missing or elsewhere; the hosted zone is not there, or not the name's;
            the File Gateway's bucket is not there, somebody else's, or in another region.
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
    if workspace.file_gateway and workspace.file_gateway.bucket:
        _look_at_bucket(place.session, workspace, workspace.file_gateway.bucket)
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


def _look_at_bucket(session: boto3.Session, workspace: Workspace, bucket: str) -> None:
    """A bucket of somebody else's would show the servers what nobody here put there."""
    s3 = session.client("s3", region_name=workspace.region)
    where = f"file_gateway.bucket {bucket}"
    try:
        answer = s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=workspace.account_id)
    except s3.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        region = error.response["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")
        if status == 404:
            raise Refused(f"{where} is not there; make it first, or leave it out to have one made.") from None
        if status == 403:
            raise Refused(
                f"{where} belongs to another account than {workspace.account_id}, or its policy keeps you out; name a "
                "bucket of this account, or leave it out to have one made."
            ) from None
        if status != 301:
            raise
    else:
        region = answer.get("BucketRegion")
    if region and region != workspace.region:
        raise Refused(
            f"{where} is in the region {region}, and the workspace in {workspace.region}, where nobody would hear of "
            f"its new objects; name a bucket in {workspace.region}, or leave it out to have one made."
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

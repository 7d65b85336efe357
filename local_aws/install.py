"""Puts the extension into moto. Idempotent: installing twice is installing once."""

from __future__ import annotations

import importlib
import os

SERVICES: tuple[str, ...] = (
    "ecs",
    "route53",
    "efs",
    "backup",
    "autoscaling",
    "ec2_autoscaling",
    "lifecycle_hooks",
    "rds",
    "rds_changes",
    "logs",
    "log_groups",
    "elbv2",
    "acm",
    "elasticache",
    "ec2",
    "security_groups",
    "kms",
    "secretsmanager",
    "servicediscovery",
    "s3",
    "dynamodb",
    "given_ids",
    "datasync",
    "storagegateway",
    "transfer",
    "appstream",
    "awslambda",
    "events",
    "sns",
    "sqs",
    "ssm",
    "ecr",
    "codebuild",
    "service_quotas",
)

ENVIRONMENT = {
    # Else attaching an AWS managed policy answers 404.
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # A region's name is checked as AWS does.
    "MOTO_ALLOW_NONEXISTENT_REGION": "false",
}

_installed: set[str] = set()


def install() -> None:
    """Extend moto with every module of `local_aws.services`, each by its `install()`."""
    os.environ.update(ENVIRONMENT)
    # moto asks boto3 for a session as it is imported: a profile of the user's has no business here.
    for profile in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        os.environ.pop(profile, None)
    if not _installed:
        importlib.import_module("local_aws.faults").install()
    if "usage" not in _installed:
        usage = importlib.import_module("local_aws.rights.usage")
        usage.install()
        application = importlib.import_module("local_aws.application")
        application.LocalAwsApplication.resources[usage.PATH] = usage.resource
        _installed.add("usage")
    for name in SERVICES:
        if name not in _installed:
            importlib.import_module(f"local_aws.services.{name}").install()
            _installed.add(name)

"""Functions of Lambda."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any
from uuid import uuid4

from local_aws.testing.ecs import Client
from local_aws.testing.rights import make_role, statement


def make(client: Client, code: str, module: str, **more: Any) -> str:
    name = f"f-{uuid4().hex[:8]}"
    # What functions of these tests do; a test of rights gives a Role of its own.
    allowed = statement("ec2:*", "kms:*", "logs:*", "s3:*", "sqs:*", "datasync:*")
    role = more.pop("Role", None) or make_role(client, allowed, service="lambda.amazonaws.com", name=name)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr(f"{module}.py", code)
    client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler=f"{module}.handler",
        Code={"ZipFile": archive.getvalue()},
        **{"Timeout": 20, **more},
    )
    return name


def invoke(client: Client, name: str, event: dict[str, Any]) -> tuple[Any, bool]:
    """Its answer, and whether it failed."""
    answer = client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    return json.loads(answer["Payload"].read()), "FunctionError" in answer

"""Secrets Manager: a deleted secret keeps its name until its recovery window ends.

moto 5.2.5 answers CreateSecret for such a name with ResourceExistsException, or with success where the token of the
request is one of the deleted secret's. AWS refuses it with InvalidRequestException; the words are those that
Terraform's provider looks for before it tries again (`internal/service/secretsmanager/secret.go`,
resourceSecretCreate). The name is free after RestoreSecret and another deletion with ForceDeleteWithoutRecovery, or
after that deletion alone (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html).
"""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import secretsmanager_backends
from moto.secretsmanager.responses import SecretsManagerResponse

from local_aws import actions, clock
from local_aws.services import given_ids

Json = dict[str, Any]

IN_ITS_WINDOW = "You can't create this secret because a secret with this name is already scheduled for deletion."


def install() -> None:
    """Refuse names in their recovery window, and free them at its end."""
    actions.wrap(SecretsManagerResponse, "backend", {"CreateSecret": create_secret})
    clock.every_request(tick)


def create_secret(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    deleted = {secret.name for secret in backend.secrets.values() if getattr(secret, "deleted_date", None)}
    if asked["Name"] in deleted:
        raise InvalidRequestException(IN_ITS_WINDOW)
    answer = moto()
    if wanted := given_ids.wanted(asked.get("Tags")):
        # What AWS adds to a name is random.
        secret = backend.secrets[asked["Name"]]
        secret.arn = answer["ARN"] = f"{secret.arn.rpartition(':')[0]}:{wanted}"
    return answer


def tick(now: float) -> None:
    for regions in list(secretsmanager_backends.values()):
        for backend in list(regions.values()):
            for secret in list(backend.secrets.values()):
                ends = getattr(secret, "deleted_date", None)
                if ends and ends <= now:
                    backend.secrets.pop(secret.name)

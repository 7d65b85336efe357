"""A secret that Terraform makes and nobody sees: not in state, plan or synthesised files.

An ephemeral resource draws the value while Terraform applies, and a write-only argument hands it to
Secrets Manager. Whoever needs it later reads it from there: containers by its ARN, another resource
by `read_while_applying`. It is never drawn twice for one version, so a value that is in use stays.

A secret that somebody deletes is created again with another value. What was given the old one has to be given the new
one: `version` is different then, which is all that Terraform looks at in a write-only argument.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdktf import Fn, TerraformResourceLifecycle, TerraformStack, Token
from cdktf_cdktf_provider_aws.secretsmanager_secret import SecretsmanagerSecret
from cdktf_cdktf_provider_aws.secretsmanager_secret_version import SecretsmanagerSecretVersion
from constructs import Construct

from modules.addresses import MAIN
from modules.audit import skip

# Of the hexadecimal digits of a hash: below 2^31, so that it fits into an integer everywhere.
VERSION_DIGITS = 7
# Letters and digits only: no character that a shell, a URL or RDS would mind. 40 of 62 are 238 bits.
LENGTH = 40


@dataclass(frozen=True, kw_only=True)
class GeneratedSecretProps:
    """A higher `version` draws a new value. `why_no_rotation` is for the audit's reader.

    `name` is what the secret's name begins with. Terraform ends it with a number that is never the same, because
    Secrets Manager keeps a deleted secret's name for its recovery window (API reference, DeleteSecret).
    """

    name: str
    description: str
    key_arn: str
    retain: bool
    why_no_rotation: str
    version: int = 1


class GeneratedSecret(Construct):
    """`arn` is the secret's, once it holds a value; `version` is a number that differs from value to value."""

    def __init__(self, scope: Construct, id_: str, props: GeneratedSecretProps) -> None:
        super().__init__(scope, id_)
        secret = SecretsmanagerSecret(
            self,
            MAIN,
            name_prefix=f"{props.name}-",
            description=props.description,
            kms_key_id=props.key_arn,
            recovery_window_in_days=30 if props.retain else 0,
            # A secret that has another kind of name keeps it: another name is another secret.
            lifecycle=TerraformResourceLifecycle(prevent_destroy=props.retain, ignore_changes=["name", "name_prefix"]),
        )
        skip(secret, CKV2_AWS_57=props.why_no_rotation)
        stack = TerraformStack.of(self)
        drawn = self._ephemeral_id("drawn")
        stack.add_override(
            f"ephemeral.aws_secretsmanager_random_password.{drawn}",
            {"password_length": LENGTH, "exclude_punctuation": True},
        )
        self._version = SecretsmanagerSecretVersion(
            self,
            "version",
            secret_id=secret.id,
            secret_string_wo=f"${{ephemeral.aws_secretsmanager_random_password.{drawn}.random_password}}",
            secret_string_wo_version=props.version,
        )
        # The version's own attribute, so that its users wait until there is a value.
        self.arn = self._version.arn
        digest = Fn.sha256(self._version.version_id)
        self.version = Token.as_number(Fn.parseint(Fn.substr(digest, 0, VERSION_DIGITS), 16))

    def read_while_applying(self) -> str:
        """The stored value, as an ephemeral expression that only write-only arguments accept."""
        read = self._ephemeral_id("read")
        TerraformStack.of(self).add_override(
            f"ephemeral.aws_secretsmanager_secret_version.{read}", {"secret_id": self._version.secret_id}
        )
        return f"${{ephemeral.aws_secretsmanager_secret_version.{read}.secret_string}}"

    def _ephemeral_id(self, role: str) -> str:
        return f"{self.node.id}_{role}"

"""Section `omero.mail`: how OMERO.server sends mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from settings.fields import Cidr, Distinct, DomainName, Email, Fault, SecretArn, Settings, network_of, rule
from settings.properties import written

TLS_PORTS = (465, 2465)
"""Of SMTP over TLS from the beginning; 2465 is one more of SES."""


class Mail(Settings):
    """A server for outgoing mail: Amazon SES, or any other that speaks SMTP over TLS. OMERO sends forgotten passwords
    and what administrators write to users."""

    host: DomainName
    """The mail server's name; SES's is `email-smtp.REGION.amazonaws.com`."""
    port: Literal[25, 465, 587, 2465, 2587] = 465
    """The mail server's port. On 465 and 2465, mail and password are encrypted from the beginning; on the others only
    if the mail server offers it (STARTTLS), which OMERO cannot insist on. AWS lets nothing out on 25 unless asked."""
    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=20), Distinct(network_of)] = ("0.0.0.0/0",)
    """Address ranges of the mail server: OMERO.server may connect there on its port. Left out, anywhere, because SES's
    addresses change."""
    sender: Email
    """The address that mail comes from; SES must have verified it or its domain."""
    username: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """The user of the mail server; left out, it asks for none."""
    password_arn: SecretArn | None = None
    """ARN of the secret with that user's password, encrypted with the data key."""

    @rule
    def _logs_in(self) -> Iterator[Fault]:
        if self.username and self.password_arn is None:
            yield "password_arn", f"{self.username} needs a password; give the ARN of the secret that holds it"
        if self.password_arn and self.username is None:
            yield "username", "is missing; give the user whose password that is"

    def properties(self) -> Mapping[str, str]:
        """OMERO.server's. It passes these of JavaMail's on and no others (services.xml of ome/omero-server)."""
        at_once = self.port in TLS_PORTS
        return {
            "omero.mail.config": "true",
            "omero.mail.from": self.sender,
            "omero.mail.host": self.host,
            "omero.mail.port": str(self.port),
            "omero.mail.smtp.auth": written(self.username is not None),
            "omero.mail.smtp.connectiontimeout": "10000",
            "omero.mail.smtp.starttls.enable": "false" if at_once else "true",
            "omero.mail.smtp.timeout": "10000",
            **({"omero.mail.smtp.socketFactory.class": "javax.net.ssl.SSLSocketFactory"} if at_once else {}),
            "omero.mail.transport.protocol": "smtp",
            **({"omero.mail.username": self.username} if self.username else {}),
        }

    def secrets(self) -> Mapping[str, str]:
        """ARNs of secrets, by OMERO.server's property."""
        return {"omero.mail.password": self.password_arn} if self.password_arn else {}

"""What signs people in to OMERO.web by its load balancer: an app of OMERO.web, as parts of a container's definition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from modules.account import Account

# The cookies and headers of the balancer's sessions are longer than gunicorn's default of 8,190 bytes.
LONG_HEADERS = "--limit-request-field_size 32768"

APPENDED = {"omero.web.apps": "containers.sign_in"}
"""Properties of OMERO.web that are lists, and what has to be added to each."""
PROPERTIES = {"omero.web.login_view": "sign_in"}
"""Properties of OMERO.web that the app needs: its log-in page is OMERO.web's."""


def keys_url(account: Account) -> str:
    """Where the public keys of a region's balancers are (Application Load Balancers guide, "User claims encoding and
    signature verification"); China's are not documented."""
    if account.partition == "aws-us-gov":
        return f"https://s3-{account.region}.amazonaws.com/aws-elb-public-keys-prod-{account.region}"
    return f"https://public-keys.auth.elb.{account.region}.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class SignInProps:
    """`signer` is the ARN of the balancer, whose public keys are below `keys_url`.

    `user_claim` names the claim that is the OMERO user's name. `account` is an administrator with Sudo, whose password
    the secret `password_arn` holds. `new_user_group` is where unknown users are made; None refuses them. A session ends
    after `session_seconds`.
    """

    signer: str
    issuer: str
    client_id: str
    keys_url: str
    user_claim: str
    account: str
    password_arn: str
    new_user_group: str | None
    session_seconds: int

    def environment(self) -> Mapping[str, str]:
        """Variables of the container: what the app has to know."""
        told = {
            "signer": self.signer,
            "issuer": self.issuer,
            "client_id": self.client_id,
            "keys_url": self.keys_url,
            "user_claim": self.user_claim,
            "account": self.account,
            "new_user_group": self.new_user_group,
            "session_seconds": self.session_seconds,
        }
        return {"SIGN_IN": json.dumps(told)}

    def secrets(self) -> Mapping[str, str]:
        """ARNs of the secrets that become variables."""
        return {"SIGN_IN_PASSWORD": self.password_arn}

"""Actions that authenticate: what they need, what AWS fills in, and that a client secret never comes back.

Sources: API reference, Action ("[HTTPS listeners]", and what the order has to be) and AuthenticateOidcActionConfig (its
defaults); a rule with a secret and `UseExistingClientSecret` is refused in the words of ansible-collections/amazon.aws,
issue 1877. moto takes the action on any listener, fills in nothing, and gives the secret to whoever asks.
"""

from __future__ import annotations

import inspect
from typing import Any
from urllib.parse import urlsplit

from moto.elbv2.exceptions import InvalidLoadBalancerActionException
from moto.elbv2.models import ELBv2Backend

Json = dict[str, Any]

_AUTHENTICATES = ("authenticate-oidc", "authenticate-cognito")
_ENDS = ("forward", "redirect", "fixed-response")
_OIDC = {
    "SessionCookieName": "AWSELBAuthSessionCookie",
    "Scope": "openid",
    "SessionTimeout": 604_800,
    "OnUnauthenticatedRequest": "authenticate",
}
_URLS = ("Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint")
_LONGEST_SESSION = 604_800


def install() -> None:
    """Put it into moto's listeners and rules."""
    create_listener, modify_listener = ELBv2Backend.create_listener, ELBv2Backend.modify_listener
    create_rule, modify_rule = ELBv2Backend.create_rule, ELBv2Backend.modify_rule

    def creating_listener(self: Any, *given: Any, **named: Any) -> Any:
        asked = inspect.signature(create_listener).bind(self, *given, **named).arguments
        _authenticated(asked.get("actions") or [], asked["protocol"], known=set())
        return create_listener(self, *given, **named)

    def modifying_listener(self: Any, *given: Any, **named: Any) -> Any:
        asked = inspect.signature(modify_listener).bind(self, *given, **named).arguments
        (listener,) = self.describe_listeners(load_balancer_arn=None, listener_arns=[asked["arn"]])
        becomes = asked.get("protocol") or listener.protocol
        _authenticated(asked.get("actions") or [], becomes, known=_known(listener.default_actions))
        return modify_listener(self, *given, **named)

    def creating_rule(
        self: Any, listener_arn: str, conditions: list[Json], priority: Any, actions: list[Json], tags: Any = None
    ) -> Any:
        (listener,) = self.describe_listeners(None, [listener_arn])
        _authenticated(actions, listener.protocol, known=set())
        return create_rule(self, listener_arn, conditions, priority, actions, tags)

    def modifying_rule(self: Any, rule_arn: str, conditions: list[Json], actions: list[Json]) -> Any:
        (rule,) = self.describe_rules(listener_arn=None, rule_arns=[rule_arn])
        (listener,) = self.describe_listeners(None, [rule.listener_arn])
        _authenticated(actions, listener.protocol, known=_known(rule.actions))
        return modify_rule(self, rule_arn, conditions, actions)

    ELBv2Backend.create_listener, ELBv2Backend.modify_listener = creating_listener, modifying_listener
    ELBv2Backend.create_rule, ELBv2Backend.modify_rule = creating_rule, modifying_rule


def _known(actions: list[Any]) -> set[str]:
    """The client ids whose secrets a listener or a rule has already."""
    return {str((each.data.get("AuthenticateOidcConfig") or {}).get("ClientId")) for each in actions}


def _authenticated(actions: list[Json], protocol: str, *, known: set[str]) -> None:
    """Refuse actions that AWS refuses; fill in what it fills in, and drop the secret."""
    if not any(each.get("Type") in _AUTHENTICATES for each in actions):
        return
    if protocol != "HTTPS":
        raise InvalidLoadBalancerActionException("Authenticate actions are supported on HTTPS listeners only")
    ordered = sorted(actions, key=lambda each: int(each.get("Order", 0)))
    if ordered[-1].get("Type") not in _ENDS or sum(each.get("Type") in _ENDS for each in actions) != 1:
        raise InvalidLoadBalancerActionException(
            "A rule must have exactly one forward, redirect or fixed-response action, which is performed last"
        )
    for each in actions:
        if each.get("Type") == "authenticate-oidc":
            _oidc(each.setdefault("AuthenticateOidcConfig", {}), known)


def _oidc(config: Json, known: set[str]) -> None:
    secret, keeps = config.pop("ClientSecret", None), str(config.pop("UseExistingClientSecret", "")).lower() == "true"
    if secret and keeps:
        raise InvalidLoadBalancerActionException(
            "You cannot both specify a client secret and set UseExistingClientSecret to true"
        )
    if not secret and not (keeps and config.get("ClientId") in known):
        raise InvalidLoadBalancerActionException("A client secret must be specified")
    for name in _URLS:
        url = urlsplit(str(config.get(name) or ""))
        if url.scheme != "https" or not url.hostname:
            raise InvalidLoadBalancerActionException(f"{name} must be a full URL, including the HTTPS protocol")
    for name, value in _OIDC.items():
        config.setdefault(name, value)
    if not 1 <= int(config["SessionTimeout"]) <= _LONGEST_SESSION:
        raise InvalidLoadBalancerActionException(f"SessionTimeout must be from 1 to {_LONGEST_SESSION} seconds")

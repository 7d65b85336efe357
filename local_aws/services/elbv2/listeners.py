"""Listeners: what they may use, the attributes of their kind, and which target groups they are associated with.

Attributes: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_ListenerAttribute.html
"""

from __future__ import annotations

from typing import Any

from moto.acm.models import acm_backends
from moto.elbv2.exceptions import ELBClientError, ValidationError
from moto.elbv2.models import ELBv2Backend
from moto.elbv2.ssl_policies import SSL_POLICIES

_ENCRYPTED = ("HTTPS", "TLS")
_HEADERS = (
    "strict_transport_security",
    "access_control_allow_origin",
    "access_control_allow_methods",
    "access_control_allow_headers",
    "access_control_allow_credentials",
    "access_control_expose_headers",
    "access_control_max_age",
    "content_security_policy",
    "x_content_type_options",
    "x_frame_options",
)
_MUTUAL_TLS = (
    "x_amzn_mtls_clientcert_serial_number",
    "x_amzn_mtls_clientcert_issuer",
    "x_amzn_mtls_clientcert_subject",
    "x_amzn_mtls_clientcert_validity",
    "x_amzn_mtls_clientcert_leaf",
    "x_amzn_mtls_clientcert",
    "x_amzn_tls_version",
    "x_amzn_tls_cipher_suite",
)


def attributes_of(protocol: str) -> dict[str, str]:
    """The attributes that a listener of that protocol has, with their defaults."""
    if protocol == "TCP":
        return {"tcp.idle_timeout.seconds": "350"}
    if protocol not in ("HTTP", "HTTPS"):
        return {}
    attributes = {"routing.http.response.server.enabled": "true"}
    attributes |= {f"routing.http.response.{name}.header_value": "" for name in _HEADERS}
    if protocol == "HTTPS":
        attributes |= {f"routing.http.request.{name}.header_name": "" for name in _MUTUAL_TLS}
    return attributes


def associate(backend: Any) -> None:
    """Note in every target group which load balancers forward to it."""
    for group in backend.target_groups.values():
        group.load_balancer_arns = []
    for balancer in backend.load_balancers.values():
        for listener in balancer.listeners.values():
            for rule in listener.rules.values():
                for action in rule.actions:
                    for arn in backend._get_target_group_arns_from(action_data=action.data):
                        group = backend.target_groups.get(arn)
                        if group is not None and balancer.arn not in group.load_balancer_arns:
                            group.load_balancer_arns.append(balancer.arn)


def install() -> None:
    """Put the checks and the attributes into moto's listeners."""
    create, delete = ELBv2Backend.create_listener, ELBv2Backend.delete_listener
    modify, add = ELBv2Backend.modify_listener, ELBv2Backend.add_listener_certificates
    modify_attributes = ELBv2Backend.modify_listener_attributes

    def create_listener(
        self: Any,
        load_balancer_arn: str,
        protocol: str,
        port: Any,
        ssl_policy: str | None,
        certificate: str | None,
        actions: list[dict[str, Any]],
        alpn_policy: list[str] | None = None,
        tags: list[dict[str, str]] | None = None,
    ) -> Any:
        balancer = self.load_balancers.get(load_balancer_arn)
        if balancer is not None:
            if any(str(each.port) == str(port) for each in balancer.listeners.values()):
                raise ELBClientError(
                    "DuplicateListener",
                    f"A listener already exists on this port for this load balancer '{load_balancer_arn}'",
                )
            _check_groups(self, balancer, protocol, actions)
        _check_encryption(self, protocol, ssl_policy, [certificate] if certificate else [])
        policy = ssl_policy if protocol in _ENCRYPTED else None
        listener = create(self, load_balancer_arn, protocol, port, policy, certificate, actions, alpn_policy, tags)
        listener.attributes = attributes_of(listener.protocol)
        associate(self)
        return listener

    def modify_listener(
        self: Any,
        arn: str,
        port: Any = None,
        protocol: str | None = None,
        ssl_policy: str | None = None,
        certificates: list[dict[str, Any]] | None = None,
        actions: list[dict[str, Any]] | None = None,
    ) -> Any:
        listener = self.describe_listeners(load_balancer_arn=None, listener_arns=[arn])[0]
        balancer, becomes = self.load_balancers[listener.load_balancer_arn], protocol or listener.protocol
        arns = [each["CertificateArn"] for each in certificates or []] or listener.certificates[:1]
        _check_groups(self, balancer, becomes, actions or [])
        _check_encryption(self, becomes, ssl_policy, arns)
        others = listener.certificates[1:]
        changed = modify(self, arn, port, protocol, ssl_policy, certificates or [], actions or [])
        if becomes in _ENCRYPTED:
            # moto forgets the certificates beside the default one.
            changed.certificate, changed.certificates = arns[0], [arns[0], *others]
        changed.attributes = {**attributes_of(becomes), **_kept(changed.attributes, attributes_of(becomes))}
        associate(self)
        return changed

    def add_listener_certificates(self: Any, arn: str, certificates: list[dict[str, Any]]) -> Any:
        listener = self.describe_listeners(load_balancer_arn=None, listener_arns=[arn])[0]
        _check_encryption(self, listener.protocol, None, [each["CertificateArn"] for each in certificates])
        return add(self, arn, certificates)

    def delete_listener(self: Any, listener_arn: str) -> Any:
        listener = delete(self, listener_arn)
        associate(self)
        return listener

    def modify_listener_attributes(self: Any, listener_arn: str, attrs: list[dict[str, str]]) -> Any:
        listener = self.describe_listeners(load_balancer_arn=None, listener_arns=[listener_arn])[0]
        for attribute in attrs:
            if attribute["Key"] not in attributes_of(listener.protocol):
                raise ELBClientError(
                    "InvalidConfigurationRequest",
                    f"Listener attribute key '{attribute['Key']}' is not supported on listeners with protocol "
                    f"'{listener.protocol}'",
                )
        return modify_attributes(self, listener_arn, attrs)

    ELBv2Backend.create_listener = create_listener
    ELBv2Backend.modify_listener = modify_listener
    ELBv2Backend.add_listener_certificates = add_listener_certificates
    ELBv2Backend.delete_listener = delete_listener
    ELBv2Backend.modify_listener_attributes = modify_listener_attributes


def _kept(present: dict[str, str], known: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in present.items() if name in known}


def _check_encryption(backend: Any, protocol: str, policy: str | None, certificates: list[str]) -> None:
    """Raises for a security policy or certificates that a listener cannot have."""
    if protocol not in _ENCRYPTED:
        if certificates:
            raise ValidationError(f"Certificates cannot be specified for {protocol} listeners")
        return
    if policy is not None and policy not in SSL_POLICIES:
        raise ELBClientError("SSLPolicyNotFound", f"SSL policy '{policy}' not found")
    if not certificates:
        raise ValidationError(f"A certificate must be specified for {protocol} listeners")
    issued = acm_backends[backend.account_id][backend.region_name]
    for arn in certificates:
        if not backend._certificate_exists(certificate_arn=arn):
            raise ELBClientError("CertificateNotFound", f"Certificate '{arn}' not found")
        if ":acm:" in arn and issued.get_certificate(arn).status != "ISSUED":
            raise ELBClientError(
                "UnsupportedCertificate",
                f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a "
                "supported key size.",
            )


def _check_groups(backend: Any, balancer: Any, protocol: str, actions: list[dict[str, Any]]) -> None:
    """Raises for target groups of another kind, and for those that another load balancer has."""
    for action in actions:
        for arn in backend._get_target_group_arns_from(action_data=action):
            if (group := backend.target_groups.get(arn)) is None:
                continue  # moto's own error
            if (protocol in ("HTTP", "HTTPS")) != (group.protocol in ("HTTP", "HTTPS", None)):
                raise ELBClientError(
                    "IncompatibleProtocols",
                    f"The listener protocol '{protocol}' is not supported with a target group with the protocol "
                    f"'{group.protocol}'",
                )
            if group.load_balancer_arns and balancer.arn not in group.load_balancer_arns:
                raise ELBClientError(
                    "TargetGroupAssociationLimit",
                    "The following target groups cannot be associated with more than one load balancer: " + arn,
                )

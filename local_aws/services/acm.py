"""Certificate Manager: a certificate that is issued when its validation records exist, and not before.

moto 5.2.5 issues every certificate a minute after it was asked for, whatever DNS says; has one validation record's name
and value for all certificates, with the options in no order; keeps RSA_2048 where another key algorithm was asked for
(so that Terraform replaces the certificate at every plan), tells the validity and the time of issue of a certificate
that is pending, lists listeners instead of load balancers under InUseBy, and deletes a certificate that is in use.

AWS looks for each name's CNAME in DNS (https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html). The
record is the same for each certificate of one account that has the name, and for the name's wildcard. Here DNS is
the public hosted zones of Route 53: a zone counts for the names below its own. A certificate is issued
LOCAL_AWS_CERTIFICATE_SECONDS (1) after the last of its records is seen; AWS takes minutes.

Not modelled: validation by mail (such a certificate stays pending), the end of the validation after 72 hours, CAA
records, delegation of the zone, and renewal.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from moto.acm.models import AWSCertificateManagerBackend, CertBundle, acm_backends
from moto.acm.responses import AWSCertificateManagerResponse
from moto.core.exceptions import AWSError
from moto.elbv2.models import elbv2_backends
from moto.route53.models import route53_backends

from local_aws import actions, clock

Json = dict[str, Any]

DELAY = clock.seconds("LOCAL_AWS_CERTIFICATE_SECONDS", 1)
_ALGORITHMS = ("RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1")


class _ResourceInUse(AWSError):  # type: ignore[misc]
    TYPE = "ResourceInUseException"


class _Invalid(AWSError):  # type: ignore[misc]
    TYPE = "ValidationException"


def record(account: str, domain: str) -> Json:
    """The CNAME that validates `domain`, or its wildcard, for that account."""
    name = domain.removeprefix("*.")
    digest = hashlib.sha256(f"{account} {name}".encode()).hexdigest()
    return {
        "Name": f"_{digest[:32]}.{name}.",
        "Type": "CNAME",
        "Value": f"_{digest[32:]}.{digest[20:30]}.acm-validations.aws.",
    }


def _is_published(account: str, wanted: Json) -> bool:
    name, value = wanted["Name"].rstrip(".").lower(), wanted["Value"].rstrip(".").lower()
    for zone in route53_backends[account]["aws"].zones.values():
        if zone.private_zone or not f".{name}".endswith(f".{zone.name.rstrip('.').lower()}"):
            continue
        for found in zone.rrsets:
            if found.type == "CNAME" and found.name.rstrip(".").lower() == name:
                return value in [str(each).rstrip(".").lower() for each in found.records]
    return False


def _tick(now: float) -> None:
    for account, regions in list(acm_backends.items()):
        for backend in list(regions.values()):
            for bundle in list(backend._certificates.values()):
                if bundle.status == "PENDING_VALIDATION":
                    _validate(bundle, account, now)


def _validate(bundle: Any, account: str, now: float) -> None:
    if getattr(bundle, "_method", "DNS") != "DNS":
        return
    if not all(_is_published(account, record(account, name)) for name in bundle._names):
        bundle._seen = None
        return
    bundle._seen = bundle._seen or now
    if now >= bundle._seen + DELAY:
        bundle.status, bundle._issued = "ISSUED", now


def _users(backend: Any, arn: str) -> list[str]:
    balancers = elbv2_backends[backend.account_id][backend.region_name].load_balancers.values()
    return [
        balancer.arn
        for balancer in balancers
        if any(arn in listener.certificates for listener in balancer.listeners.values())
    ]


def request_certificate(backend: Any, asked: Json, moto: actions.Moto) -> Json:
    algorithm = asked.get("KeyAlgorithm") or "RSA_2048"
    if algorithm not in _ALGORITHMS:
        raise _Invalid(f"Value '{algorithm}' at 'keyAlgorithm' failed to satisfy constraint: one of {_ALGORITHMS}")
    before = set(backend._certificates)
    answer = moto()
    for arn in set(backend._certificates) - before:
        bundle = backend._certificates[arn]
        names = [asked["DomainName"], *(asked.get("SubjectAlternativeNames") or [])]
        bundle.sans = bundle._names = list(dict.fromkeys(name.lower() for name in names))
        bundle._algorithm = algorithm
        bundle._method = asked.get("ValidationMethod") or "EMAIL"
        bundle._seen = bundle._issued = None
    return answer


def describe_certificate(backend: Any, asked: Json) -> Json:
    bundle = backend.describe_certificate(asked["CertificateArn"])
    described = dict(bundle.describe()["Certificate"])
    described["InUseBy"] = _users(backend, bundle.arn)
    if not hasattr(bundle, "_names"):
        return {"Certificate": described}  # imported
    pending = bundle.status == "PENDING_VALIDATION"
    described["KeyAlgorithm"] = bundle._algorithm.replace("_", "-", 1) if "RSA" in bundle._algorithm else ""
    described["KeyAlgorithm"] = described["KeyAlgorithm"] or bundle._algorithm
    described["SignatureAlgorithm"] = "SHA256WITHRSA" if "RSA" in bundle._algorithm else "SHA256WITHECDSA"
    described["RenewalEligibility"] = "ELIGIBLE" if described["InUseBy"] else "INELIGIBLE"
    if pending:
        for name in ("NotBefore", "NotAfter", "IssuedAt", "Serial", "Issuer"):
            described.pop(name, None)
    elif bundle._issued is not None:
        described["IssuedAt"] = bundle._issued
    account = backend.account_id
    options = [
        {
            "DomainName": name,
            "ValidationDomain": name,
            "ValidationStatus": "SUCCESS" if bundle.status == "ISSUED" else "PENDING_VALIDATION",
            "ValidationMethod": bundle._method,
            **({"ResourceRecord": record(account, name)} if bundle._method == "DNS" else {}),
        }
        for name in bundle._names
    ]
    if bundle.type == "AMAZON_ISSUED":
        described["DomainValidationOptions"] = options
    return {"Certificate": described}


def install() -> None:
    """Put validation, key algorithms and uses into moto's Certificate Manager."""
    delete = AWSCertificateManagerBackend.delete_certificate

    def check(self: Any) -> None:
        if not hasattr(self, "_names"):
            return
        _validate(self, self.arn.split(":")[4], time.time()) if self.status == "PENDING_VALIDATION" else None

    def delete_certificate(self: Any, arn: str) -> None:
        if arn in self._certificates and _users(self, arn):
            raise _ResourceInUse(f"Certificate {arn} in account {self.account_id} is in use.")
        delete(self, arn)

    CertBundle.check = check
    AWSCertificateManagerBackend.delete_certificate = delete_certificate
    actions.add(AWSCertificateManagerResponse, "acm_backend", {"DescribeCertificate": describe_certificate})
    actions.wrap(AWSCertificateManagerResponse, "acm_backend", {"RequestCertificate": request_certificate})
    clock.every_request(_tick)

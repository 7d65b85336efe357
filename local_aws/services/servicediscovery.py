"""Cloud Map: namespaces of one VPC, their hosted zones, and what is in use.

moto 5.2.5 allows a VPC one private namespace (AWS: one of each name), calls its hosted zone `<name>-hz`, with a path
for an id, and keeps it when the namespace goes; it deletes a service with its instances, and a namespace with its
services, where AWS answers ResourceInUse. Operations are complete at once here; AWS takes up to a minute for a
namespace with a private zone.
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.route53.models import route53_backends
from moto.servicediscovery.exceptions import ConflictingDomainExists
from moto.servicediscovery.models import ServiceDiscoveryBackend as Backend


def _zones(backend: Any) -> dict[str, Any]:
    return route53_backends[backend.account_id][backend.partition].zones  # type: ignore[no-any-return]


def install() -> None:
    """Put all of it into moto's Cloud Map."""
    create, delete_service, delete_namespace = (
        Backend.create_private_dns_namespace,
        Backend.delete_service,
        Backend.delete_namespace,
    )

    def create_private_dns_namespace(self: Any, name: str, *arguments: Any, vpc: str, **named: Any) -> Any:
        if any((each.name, each.vpc) == (name, vpc) for each in self.namespaces.values()):
            raise ConflictingDomainExists(vpc)
        present, self.namespaces = self.namespaces, {}
        try:
            operation = create(self, name, *arguments, vpc=vpc, **named)
        finally:
            made = self.namespaces
            self.namespaces = {**present, **made}
        for namespace in made.values():
            zone = namespace.dns_properties["HostedZoneId"].removeprefix("/hostedzone/")
            namespace.dns_properties["HostedZoneId"] = zone
            _zones(self)[zone].name = f"{name}."
        return operation

    def delete_unused_service(self: Any, service_id: str) -> None:
        if self.get_service(service_id).instances:
            raise JsonRESTError(
                "ResourceInUse",
                "Service contains registered instances; delete the instances before deleting the service",
            )
        delete_service(self, service_id)

    def delete_unused_namespace(self: Any, namespace_id: str) -> Any:
        if any(service.namespace_id == namespace_id for service in self.services.values()):
            raise JsonRESTError(
                "ResourceInUse", "Namespace has associated services; delete the services before deleting the namespace"
            )
        zone = (self.get_namespace(namespace_id).dns_properties or {}).get("HostedZoneId", "")
        operation = delete_namespace(self, namespace_id)
        _zones(self).pop(str(zone), None)
        return operation

    Backend.create_private_dns_namespace = create_private_dns_namespace
    Backend.delete_service = delete_unused_service
    Backend.delete_namespace = delete_unused_namespace

"""Stack `frontend`: how people reach OMERO. Balancers, names, certificate, and the cache of web sessions.

It needs the network alone, so that it is made while the database is. Targets come and go with the stack `omero`.
"""

from __future__ import annotations

from collections.abc import Sequence

from constructs import Construct

from contract import names
from contract.omero import TRANSPORTS, WEB_PORT
from contract.outputs import Frontend
from modules.certificate import Certificate, CertificateProps
from modules.dns import alias
from modules.load_balancer import LoadBalancer, LoadBalancerProps, TlsProps
from modules.log_bucket import LogBucket, LogBucketProps
from modules.network_load_balancer import NetworkLoadBalancer, NetworkLoadBalancerProps
from modules.omero import WEB_HEALTH_CODES, WEB_HEALTH_PATH
from modules.sessions import Sessions, SessionsProps
from settings import Workspace
from settings.access import ServerAccess, Tls
from settings.omero import Sessions as SessionsSettings
from stacks.base import WorkspaceStack
from stacks.network import NetworkStack


class FrontendStack(WorkspaceStack):
    """`web` and `server` (or None) are the balancers; `transports` is what clients may speak to the server.

    `web_url` is where people open OMERO.web.

    `sessions` is the cache (or None) of OMERO.web's sessions.
    """

    def __init__(self, scope: Construct, workspace: Workspace, network: NetworkStack) -> None:
        super().__init__(scope, "frontend", workspace)
        self._network = network
        access, sessions = workspace.access, workspace.omero.web.sessions
        self.transports = _transports(access.server)
        self._access_log_bucket = self._log_bucket()
        self.web = self._balancer()
        self.server = self._server_balancer(access.server) if access.server else None
        self.sessions = self._sessions(sessions) if sessions else None
        tls = workspace.tls
        self.web_url = f"https://{tls.domain_name}" if tls else f"http://{self.web.dns_name}"
        self.publish(Frontend.web_balancer_dns_name, self.web.dns_name)
        self.publish(Frontend.web_balancer_security_group_id, self.web.security_group_id)
        self.publish(Frontend.web_listener_arn, self.web.listener_arn)
        self.publish(Frontend.web_target_group_arn, self.web.target_group_arn)
        if self.server:
            self.publish(Frontend.server_balancer_dns_name, self.server.dns_name)

    def _log_bucket(self) -> str:
        workspace = self.workspace
        bucket = LogBucket(
            self,
            "access_logs",
            LogBucketProps(
                name=names.bucket(workspace.name, "lb-logs", workspace.account_id, workspace.region),
                account=self.account,
                retention_days=workspace.omero.access_log_retention_days,
                retain=workspace.retain,
            ),
        )
        return bucket.name

    @property
    def _balancer_subnet_ids(self) -> Sequence[str]:
        vpc = self._network.vpc
        return vpc.private_subnet_ids if self.workspace.access.internal else vpc.public_subnet_ids

    def _balancer(self) -> LoadBalancer:
        workspace = self.workspace
        balancer = LoadBalancer(
            self,
            "balancer",
            LoadBalancerProps(
                name=names.physical("alb", workspace.name, "web"),
                target_group_name=names.physical("target_group", workspace.name, "web"),
                vpc_id=self._network.vpc.id,
                subnet_ids=self._balancer_subnet_ids,
                cidrs=workspace.access.cidrs,
                target_port=WEB_PORT,
                health_path=WEB_HEALTH_PATH,
                health_codes=WEB_HEALTH_CODES,
                access_log_bucket=self._access_log_bucket,
                internal=workspace.access.internal,
                retain=workspace.retain,
                tls=self._tls(workspace.tls) if workspace.tls else None,
                signs_in=workspace.sign_in is not None,
            ),
        )
        if workspace.tls:
            alias(
                self,
                "web_name",
                hosted_zone_id=workspace.tls.hosted_zone_id,
                name=workspace.tls.domain_name,
                target_dns_name=balancer.dns_name,
                target_zone_id=balancer.zone_id,
            )
        return balancer

    def _tls(self, settings: Tls) -> TlsProps:
        certificate_arn = settings.certificate_arn
        if certificate_arn is None:
            props = CertificateProps(domain_name=settings.domain_name, hosted_zone_id=settings.hosted_zone_id)
            certificate_arn = Certificate(self, "certificate", props).arn
        hsts_seconds = settings.hsts_days * 86_400 if settings.hsts_days else None
        return TlsProps(domain_name=settings.domain_name, certificate_arn=certificate_arn, hsts_seconds=hsts_seconds)

    def _server_balancer(self, settings: ServerAccess) -> NetworkLoadBalancer:
        return NetworkLoadBalancer(
            self,
            "server_balancer",
            NetworkLoadBalancerProps(
                name=names.physical("nlb", self.workspace.name, "server"),
                target_group_prefix=names.base(self.workspace.name),
                vpc_id=self._network.vpc.id,
                subnet_ids=self._balancer_subnet_ids,
                internal=self.workspace.access.internal,
                cidrs=settings.cidrs,
                ports={transport: TRANSPORTS[transport] for transport in self.transports},
                retain=self.workspace.retain,
            ),
        )

    def _sessions(self, settings: SessionsSettings) -> Sessions:
        return Sessions(
            self,
            "sessions",
            SessionsProps(
                name=names.physical("cache", self.workspace.name, "sessions"),
                description="Sessions of OMERO.web",
                vpc_id=self._network.vpc.id,
                subnet_ids=self._network.vpc.private_subnet_ids,
                # It encrypts no image and no metadata.
                key_arn=self.key("sessions of OMERO.web", retain=False).arn,
                node_type=settings.node_type,
                replicas=settings.replicas,
            ),
        )


def _transports(access: ServerAccess | None) -> Sequence[str]:
    """What clients may speak to the server, the preferred one first."""
    if access is None:
        return ("ssl",)
    wanted = {"ssl": True, "wss": access.websockets, "tcp": access.unencrypted}
    wanted["ws"] = access.websockets and access.unencrypted
    return tuple(transport for transport, is_wanted in wanted.items() if is_wanted)

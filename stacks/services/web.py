"""OMERO.web: equal tasks behind the balancer of the stack `frontend`."""

from __future__ import annotations

from collections.abc import Mapping

from modules.autoscaling import Autoscaling, AutoscalingProps
from modules.connections import Endpoint
from modules.container import Deployment
from modules.omero import web_container
from modules.service import Service
from modules.sign_in import SignInProps, keys_url
from modules.web_serving import requests_a_minute, workers
from settings.sign_in import SignIn
from stacks.services.context import ServiceContext, TaskSize


def web_service(context: ServiceContext, servers: Mapping[str, Endpoint]) -> Service:
    """The web service. `servers` are those that people may log in to, by the name that they see."""
    workspace, frontend = context.workspace, context.frontend
    settings, site = workspace.omero.web, workspace.omero.web_properties
    container = web_container(
        image=settings.image,
        servers=servers,
        secret_key_arn=context.data.web_secret_key.arn,
        workers=workers(settings.cpu),
        sessions=frontend.sessions,
        region=workspace.region,
        domain_name=workspace.tls.domain_name if workspace.tls else None,
        site=site.values,
        site_secrets=site.secrets,
        appended=site.appended,
        signed_in=workspace.sign_in is not None,
        sign_in=_single_sign_on(context, workspace.sign_in) if workspace.sign_in else None,
    )
    rolling = Deployment(
        count=settings.count,
        minimum_percent=100,
        maximum_percent=200,
        scaled=settings.max_count is not None,
    )
    size = TaskSize(cpu=settings.cpu, memory_mib=settings.memory_mib)
    task = context.task("web", container, size, statements=[frontend.sessions.statement] if frontend.sessions else ())
    web = context.service(task, "web", rolling, targets=frontend.web.targets)
    if settings.max_count is not None:
        Autoscaling(
            context.stack,
            "web_scaling",
            AutoscalingProps(
                cluster_name=context.cluster.name,
                service_name=web.name,
                minimum=settings.count,
                maximum=settings.max_count,
                requests_a_minute=requests_a_minute(settings.cpu),
                balancer=frontend.web.arn_suffix,
                target_group=frontend.web.target_group_arn_suffix,
            ),
        )
    return web


def _single_sign_on(context: ServiceContext, settings: SignIn) -> SignInProps | None:
    """What makes the balancer's sign-in OMERO's; None if OMERO's own follows."""
    if settings.single_sign_on is None:
        return None
    return SignInProps(
        signer=context.frontend.web.arn,
        issuer=settings.issuer,
        client_id=settings.client_id,
        keys_url=keys_url(context.stack.account),
        user_claim=settings.single_sign_on.user_claim,
        account=settings.single_sign_on.account,
        password_arn=settings.single_sign_on.password_arn,
        new_user_group=settings.single_sign_on.new_user_group,
        session_seconds=settings.session_hours * 3_600,
    )

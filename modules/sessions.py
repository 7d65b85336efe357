"""A Valkey cache (ElastiCache) for the sessions of OMERO.web, over TLS, for one user that IAM lets in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.elasticache_replication_group import ElasticacheReplicationGroup
from cdktf_cdktf_provider_aws.elasticache_subnet_group import ElasticacheSubnetGroup
from cdktf_cdktf_provider_aws.elasticache_user import ElasticacheUser, ElasticacheUserAuthenticationMode
from cdktf_cdktf_provider_aws.elasticache_user_group import ElasticacheUserGroup
from constructs import Construct

from contract.policy import Statement
from modules.addresses import MAIN
from modules.audit import skip
from modules.connections import Endpoint
from modules.security_group import SecurityGroup, SecurityGroupProps

VALKEY_PORT = 6379
# Of a new cache. ElastiCache raises the minor version by itself, within the major one.
VALKEY_VERSION = "8.0"
# All that Django's cache asks for (django/core/cache/backends/redis.py), but for emptying it, of its own keys, which
# begin with their version. Written as ElastiCache gives it back: any other form is a change at each plan
# (terraform-provider-aws issue 20334).
ACCESS = "on ~:1:* -@all +get +mget +set +mset +del +exists +expire +persist +incrby +multi +exec"


@dataclass(frozen=True, kw_only=True)
class SessionsProps:
    """`replicas` are copies beside the primary, in other zones; `key_arn` encrypts what is stored."""

    name: str
    description: str
    vpc_id: str
    subnet_ids: Sequence[str]
    key_arn: str
    node_type: str
    replicas: int


class Sessions(Construct):
    """Clients connect to `endpoint`, over TLS, as the user `name` of the cache `name`; `statement` lets them."""

    def __init__(self, scope: Construct, id_: str, props: SessionsProps) -> None:
        super().__init__(scope, id_)
        group = SecurityGroup(
            self,
            "security_group",
            SecurityGroupProps(name=props.name, description=props.description, vpc_id=props.vpc_id),
        )
        subnets = ElasticacheSubnetGroup(
            self, "subnets", name=props.name, description=props.description, subnet_ids=list(props.subnet_ids)
        )
        # IAM wants the same name and id. A group for Valkey takes nobody without a password or IAM, and needs no user
        # `default`: whoever connects without a name is refused.
        user = ElasticacheUser(
            self,
            "user",
            user_id=props.name,
            user_name=props.name,
            engine="valkey",
            access_string=ACCESS,
            authentication_mode=ElasticacheUserAuthenticationMode(type="iam"),
        )
        users = ElasticacheUserGroup(self, "users", user_group_id=props.name, engine="valkey", user_ids=[user.user_id])
        cache = ElasticacheReplicationGroup(
            self,
            MAIN,
            replication_group_id=props.name,
            description=props.description,
            engine="valkey",
            engine_version=VALKEY_VERSION,
            node_type=props.node_type,
            num_cache_clusters=1 + props.replicas,
            automatic_failover_enabled=props.replicas > 0,
            multi_az_enabled=props.replicas > 0,
            port=VALKEY_PORT,
            subnet_group_name=subnets.name,
            security_group_ids=[group.id],
            user_group_ids=[users.user_group_id],
            transit_encryption_enabled=True,
            transit_encryption_mode="required",
            at_rest_encryption_enabled="true",
            kms_key_id=props.key_arn,
            maintenance_window="sun:06:30-sun:07:30",
            # A change of size would wait for the next Sunday.
            apply_immediately=True,
            # What ElastiCache has raised would be a downgrade, which the provider makes a replacement: every session
            # would be lost.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["engine_version"]),
        )
        if not props.replicas:
            skip(cache, CKV2_AWS_50="the workspace says omero.web.sessions.replicas: 0")
        self.name = props.name
        self.statement = Statement(sid="Sessions", actions=("elasticache:Connect",), resources=(cache.arn, user.arn))
        self.endpoint = Endpoint(
            id="to_sessions",
            port=VALKEY_PORT,
            description="Valkey over TLS",
            security_group_id=group.id,
            host=cache.primary_endpoint_address,
        )

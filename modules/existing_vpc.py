"""A VPC that is there already: its subnets are looked up, and a plan refuses those that would not do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdktf import Postcondition, TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.data_aws_subnet import DataAwsSubnet
from constructs import Construct

from modules.vpc import ZONES


@dataclass(frozen=True, kw_only=True)
class ExistingVpcProps:
    """Subnets come in pairs, one a zone."""

    vpc_id: str
    public_subnet_ids: Sequence[str]
    private_subnet_ids: Sequence[str]


class ExistingVpc(Construct):
    """`id`, `public_subnet_ids`, `private_subnet_ids` and `availability_zones`, as of `Vpc`."""

    def __init__(self, scope: Construct, id_: str, props: ExistingVpcProps) -> None:
        super().__init__(scope, id_)
        self.id = props.vpc_id
        self.public_subnet_ids = tuple(subnet.id for subnet in self._subnets("public", props.public_subnet_ids))
        private = self._subnets("private", props.private_subnet_ids)
        self.private_subnet_ids = tuple(subnet.id for subnet in private)
        self.availability_zones = tuple(subnet.availability_zone for subnet in private)

    def _subnets(self, kind: str, ids: Sequence[str]) -> tuple[DataAwsSubnet, ...]:
        found: list[DataAwsSubnet] = []
        for zone, id_ in zip(ZONES, ids, strict=True):
            conditions = [
                Postcondition(
                    condition=f'${{self.vpc_id == "{self.id}"}}',
                    error_message=f"The {kind} subnet {id_} is not in the VPC {self.id}: give subnets of that VPC.",
                )
            ]
            if found:
                conditions.append(
                    Postcondition(
                        condition=f"${{self.availability_zone != {found[0].fqn}.availability_zone}}",
                        error_message=(
                            f"The {kind} subnets {ids[0]} and {id_} are in one availability zone: give one of each of "
                            "two zones, so that OMERO survives the loss of one."
                        ),
                    )
                )
            found.append(
                DataAwsSubnet(
                    self, f"{kind}_{zone}", id=id_, lifecycle=TerraformResourceLifecycle(postcondition=conditions)
                )
            )
        return tuple(found)

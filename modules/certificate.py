"""A certificate of ACM for one name, proved by a DNS record that Terraform makes and takes away again."""

from __future__ import annotations

from dataclasses import dataclass

from cdktf import TerraformResourceLifecycle
from cdktf_cdktf_provider_aws.acm_certificate import AcmCertificate
from cdktf_cdktf_provider_aws.acm_certificate_validation import AcmCertificateValidation
from cdktf_cdktf_provider_aws.route53_record import Route53Record
from constructs import Construct

from modules.addresses import MAIN


@dataclass(frozen=True, kw_only=True)
class CertificateProps:
    """`hosted_zone_id` is the public zone that `domain_name` is in."""

    domain_name: str
    hosted_zone_id: str


class Certificate(Construct):
    """`arn` is the certificate's, once ACM has issued it (minutes, at most 75)."""

    def __init__(self, scope: Construct, id_: str, props: CertificateProps) -> None:
        super().__init__(scope, id_)
        certificate = AcmCertificate(
            self,
            MAIN,
            domain_name=props.domain_name,
            validation_method="DNS",
            # A listener never goes without: the new one is there before the old one goes.
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        # One name, so one option; how many there are is known before the certificate is.
        option = f"tolist({certificate.fqn}.domain_validation_options)[0]"
        record = Route53Record(
            self,
            "proof",
            zone_id=props.hosted_zone_id,
            name=f"${{{option}.resource_record_name}}",
            type=f"${{{option}.resource_record_type}}",
            records=[f"${{{option}.resource_record_value}}"],
            ttl=300,
            # ACM asks for the same record for a name each time, also where another deployment proved it before.
            allow_overwrite=True,
        )
        validation = AcmCertificateValidation(
            self, "validation", certificate_arn=certificate.arn, validation_record_fqdns=[record.fqdn]
        )
        self.arn = validation.certificate_arn

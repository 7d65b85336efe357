"""One module a service that the extension adds to: the gap, what AWS does, and an `install()`.

What remains of a rehearsal's length is Terraform's, not the server's, which answers nearly every call within 10 ms.
Measured with Terraform 1.11.4 and provider 5.100.0 on local_aws/tests/terraform (95 resources: apply 105 s, empty plan
7 s, destroy 70 s), from the times of the calls in the server's log:

| resource | create | destroy | what the provider does |
|---|---|---|---|
| aws_db_instance | 80 s | 60 s | waits 60 s before it looks, then looks 3 times, 10 s apart |
| aws_lb | 60 s | | waits 30 s after the creation, and 30 s again after setting the attributes |
| aws_kms_key | 13 s | | looks 5 times, 1 s apart, at the rotation and then at the policy |
| aws_vpc | 10 s | | waits 10 s |
| aws_ecs_cluster | 10 s | | waits 10 s |
| aws_ecs_cluster_capacity_providers | 10 s | 10 s | waits 10 s |
| aws_nat_gateway | | 10 s | waits 10 s |
| aws_vpc_endpoint | 5 s | 5 s | waits 5 s |
| aws_ecs_service | 3 s | 1 s | polls: this is the server's own time for a task to start, be healthy and stop |

And on local_aws/tests/terraform_tls (its apply takes 93 s, its empty plan 9 s):

| resource | create | destroy | what the provider does |
|---|---|---|---|
| aws_elasticache_replication_group | 30 s | 30 s | waits 30 s; a change takes 10 s, or 40 s |
| aws_route53_record | 15 s | 15 s | waits 15 s before it asks whether the change is in sync |
| aws_ecs_service | 7 s | 2 s | as above, and an instance has to be launched for the second task |
| aws_iam_instance_profile | 5 s | | waits until it is found |

A change to a database instance costs the 80 s again; so does one that asks for another certificate authority than
RDS gives by default, for the provider changes it right after the creation.
"""

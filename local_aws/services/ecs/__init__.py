"""ECS: services that start, replace and stop tasks as AWS does.

moto 5.2.5 keeps a service's counts as numbers of its own: no task is ever started for it, a deployment never
ends, `ListTasks` ignores the service, `UpdateService` starts no deployment, `networkConfiguration` is `{}`
where there is none (Terraform's provider panics), and `deploymentConfiguration`, `enableExecuteCommand`,
`availabilityZoneRebalancing`, `capacityProviderStrategy` and the grace period are dropped. `ExecuteCommand` is missing.

Here a service is reconciled towards its desired count, as the developer guide describes it
(https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html): tasks run through
their life cycle, with network interface, load balancer target and Cloud Map instance; a new deployment keeps
to the minimum and maximum percent; a task that cannot start stops with AWS's reason, and the circuit breaker
ends the deployment.

The commands of containers whose image has stand-in programs really run, in a sandbox of their own, and ECS Exec opens
sessions in them: see README.md, which also tells of faults on request.

Not modelled: images are not pulled and other commands not executed, so that what AWS would find wrong there is not
found; nor are ways out of a subnet, permissions of roles, deregistration delays, the order of containers that do not
run, and scaling by metrics. Health checks are not executed: `health` says how they end.

Tasks on EC2 run on the instances of an Auto Scaling group that register themselves (see `instances`). A capacity
provider with managed scaling has the group launch an instance for a task that finds no room; such a task is
created when the instance has registered, where AWS shows it in PROVISIONING. Nothing scales in by itself, and instances
are not drained before they are terminated. A service's strategy DAEMON is not modelled.

Durations, in seconds, from the server's environment (AWS takes half a minute to minutes):
LOCAL_AWS_TASK_START_SECONDS (2), LOCAL_AWS_TASK_HEALTH_SECONDS (1, from running to healthy),
LOCAL_AWS_TASK_STOP_SECONDS (1), LOCAL_AWS_TASK_RETRY_SECONDS (1, after a failed start), and
LOCAL_AWS_RUN_TASK_SECONDS (5: how long a task of RunTask runs before it exits with 0). LOCAL_AWS_TASK_CHECK_SCALE
(0.001) is how long a second of a health check's times and of a grace period lasts here.

Terraform's waits (provider 5.100.0) on top: see `local_aws.services.ecs.actions`.
"""

from local_aws.services.ecs.actions import install

__all__ = ["install"]

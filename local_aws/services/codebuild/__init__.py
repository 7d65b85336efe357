"""CodeBuild: projects as Terraform reads them back, and builds that go through their phases and push images.

moto 5.2.5 lacks UpdateProject, forgets the key and the limits of a project, deletes none that is named by its ARN (as
Terraform's provider names it), takes any role, and ends each build with SUCCEEDED when it is first asked for. Here a
build passes the phases of the API reference (BuildPhase, phaseType) within LOCAL_AWS_BUILD_SECONDS (1), by the
transitions of the User Guide ("Build phase transitions"): a fault before BUILD ends it, one in BUILD does not keep
POST_BUILD from running. Of its commands only those are done that other resources see: `docker login` with `aws ecr
get-login-password`, `docker build` (of the source's Dockerfile) and `docker push`; any other succeeds and does nothing.

What AWS asks of the service role is asked: its trust (aws:SourceAccount, aws:SourceArn), the log, the source in S3 and
its key, and what a push needs ("IAM permissions for pushing an image", Amazon ECR User Guide). The messages are those
of public reports: "CodeBuild is not authorized to perform: sts:AssumeRole", "Error while executing command: ...
Reason: exit status 1", "Cannot connect to the Docker daemon" (without privilegedMode), "tag invalid: The image tag ...
already exists".

Faults `build` of the next build: `fail:PHASE`, a command of that phase fails; `slow:S`, it takes S seconds longer.
"""

from __future__ import annotations

from local_aws.services.codebuild import builds, projects


def install() -> None:
    """Put it into moto's CodeBuild."""
    projects.install()
    builds.install()

"""The part of a rehearsal that builds container images: pushed once, by somebody with the documented rights alone."""

from __future__ import annotations

from contract import images
from contract import operators as documented
from scripts.errors import Failed
from scripts.images import builds, repositories
from scripts.ingest.deployment import DeployedWorkspace, published_parameters
from scripts.rehearsal import operators
from scripts.rehearsal.run import Rehearsal
from scripts.rehearsal.section import SectionRehearsal, Step


def build(run: Rehearsal) -> None:
    """Build each image of the workspace, as `images build` does but for its question about the base's digest.

    Raises:
        Failed: a build did; or a second one was started, or gave another image.
    """
    with operators.acting(run, "images", documented.images) as environ:
        session = operators.session_of(run, environ)
        deployed = DeployedWorkspace(
            workspace=run.workspace, session=session, parameters=published_parameters(session, run.workspace)
        )
        recipes = images.recipes(run.workspace)
        built = {role: builds.build(deployed, recipe) for role, recipe in recipes.items()}
        if built != {role: builds.build(deployed, recipe) for role, recipe in recipes.items()}:
            raise Failed("a second `images build` gave other images than the first.")
        there = repositories.listed(deployed)
    if sorted(each.role for each in there) != sorted(recipes):
        raise Failed(f"images were built more than once, or not at all: {', '.join(each.digest for each in there)}.")


REHEARSAL = SectionRehearsal(
    steps=(
        Step(
            name="build images",
            moment="deployed",
            run=build,
            proved="Images of the workspace's own were built and pushed, each once.",
        ),
    )
)

"""Container images: those that a workspace names, and what is built for one of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from contract import names
from settings import Workspace
from settings.pins import release

DIGEST_CHARACTERS = 12
"""Of a tag: enough that two contents of one workspace never share one."""

# As OME's images have them (ome/omero-web-docker, ome/omero-server-docker: Dockerfile).
_PLACES = {"web": ("/opt/omero/web", "omero-web"), "server": ("/opt/omero/server", "omero-server")}

# `pip check` may complain about the base too; what it says afterwards and did not before is for the build to fail on.
_DOCKERFILE = """\
# Made from the workspace's images.{role} by `omero-aws images`: change it there.
FROM {base}
USER root
COPY requirements.txt {folder}/added-packages.txt
RUN before="$({pip} check || true)" \\
    && {pip} install --no-cache-dir --no-deps --only-binary :all: --require-hashes \\
        --requirement {folder}/added-packages.txt \\
    && after="$({pip} check | grep -vxF -e "$before" -e "No broken requirements found." || true)" \\
    && if [ -n "$after" ]; then \\
        echo "The packages do not fit, or need others that are not listed: $after" >&2; exit 1; \\
    fi
# ECS has a health check of its own.
HEALTHCHECK NONE
USER {user}
"""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What an image of one's own is made of. `role` is `web` or `server`."""

    role: str
    base: str
    packages: tuple[str, ...]

    @property
    def files(self) -> Mapping[str, str]:
        """The folder that `docker build` is given, by name."""
        folder, user = _PLACES[self.role]
        dockerfile = _DOCKERFILE.format(
            role=self.role, base=self.base, folder=folder, user=user, pip=f"{folder}/venv3/bin/pip"
        )
        return {"Dockerfile": dockerfile, "requirements.txt": "".join(f"{each}\n" for each in self.packages)}

    @property
    def tag(self) -> str:
        """The tag of the image, by its content: the base's release, and the beginning of the files' SHA-256."""
        text = "".join(f"{name}\n{content}\n" for name, content in sorted(self.files.items()))
        found = release(tag_of(self.base))
        digest = hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARACTERS]
        return f"{'.'.join(map(str, found)) if found else 'custom'}-{digest}"


def tag_of(image: str) -> str:
    """The tag in the name of an image, or nothing."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def recipes(workspace: Workspace) -> dict[str, Recipe]:
    """The images of its own that a workspace has, by role."""
    if workspace.images is None:
        return {}
    return {
        role: Recipe(role=role, base=image.base, packages=image.packages)
        for role, image in workspace.images.all.items()
    }


def named(workspace: Workspace) -> dict[str, str]:
    """The images that a workspace names, or that are meant where it names none, by key."""
    return {
        "omero.server.image": workspace.omero.server.image,
        "omero.web.image": workspace.omero.web.image,
        **{f"images.{role}.base": recipe.base for role, recipe in recipes(workspace).items()},
    }


def unpinned(workspace: Workspace) -> dict[str, str]:
    """Those without a digest: whoever may push to their repository can give them another content."""
    return {key: image for key, image in named(workspace).items() if "@sha256:" not in image}


def repository(workspace: str, role: str) -> str:
    """The name of the ECR repository of `web` or `server`."""
    return names.physical("repository", workspace, role)


def project(workspace: str, role: str) -> str:
    """The name of the CodeBuild project that builds the image."""
    return names.physical("project", workspace, f"{role}-image")

"""What a build does: its source from S3, and of its commands what other services see of Docker."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import string
import zipfile
from collections.abc import Iterator
from typing import Any

import yaml
from moto.core.exceptions import ServiceException
from moto.ecr.models import ecr_backends
from moto.s3.models import s3_backends

from local_aws.rights import acting

Json = dict[str, Any]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_REGISTRY = re.compile(r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?/(?P<rest>.+)")
_PUSHING = (
    "InitiateLayerUpload",
    "BatchCheckLayerAvailability",
    "UploadLayerPart",
    "CompleteLayerUpload",
    "PutImage",
)


class Failure(Exception):
    """A phase fails: `code` and `message` are its context's."""

    def __init__(self, code: str, message: str) -> None:
        self.code, self.message = code, message
        super().__init__(message)


def command_failed(command: str, status: str) -> Failure:
    """As CodeBuild words a command that ends with another exit code than 0."""
    return Failure("COMMAND_EXECUTION_ERROR", f"Error while executing command: {command}. Reason: exit status {status}")


class Workspace:
    """What a build has: its project, its service role, its source, and Docker's images and log-ins."""

    def __init__(self, backend: Any, project: Json, build: str) -> None:
        self._backend, self._project, self._build = backend, project, build
        self._files: dict[str, bytes] = {}
        self._built: dict[str, bytes] = {}
        self._logged_in = False

    def refused(self, service: str, operation: str, **asked: Any) -> str | None:
        """What IAM says where the service role may not make a call."""
        found = acting.call(
            self._project["serviceRole"],
            f"AWSCodeBuild-{self._build}",
            self._backend.region_name,
            service,
            operation,
            **asked,
        )
        return found.message if found else None

    def download(self) -> None:
        source = self._project["source"]
        if source["type"] != "S3":
            return
        bucket, _, key = source["location"].removeprefix("arn:aws:s3:::").partition("/")
        if self.refused("s3", "GetObject", Bucket=bucket, Key=key):
            raise Failure("CLIENT_ERROR", "Access Denied: Access Denied for primary source")
        buckets = s3_backends[self._backend.account_id][self._backend.partition]
        found = buckets.get_object(bucket, key) if bucket in buckets.buckets else None
        if found is None:
            raise Failure("CLIENT_ERROR", "NoSuchKey: The specified key does not exist. for primary source")
        try:
            with zipfile.ZipFile(io.BytesIO(found.value)) as archive:
                self._files = {name: archive.read(name) for name in archive.namelist()}
        except zipfile.BadZipFile:
            raise Failure("CLIENT_ERROR", "zip: not a valid zip file for primary source") from None

    def run(self, phase: str, log: list[str]) -> None:
        """Run the commands of a phase; what they print goes to `log`."""
        for command in self._commands(phase):
            log.append(f"[Container] Running command {command}")
            if said := self._run(self._expanded(command)):
                log.append(said)
                raise command_failed(command, "1")

    def _commands(self, phase: str) -> Iterator[str]:
        text = self._project["source"].get("buildspec") or self._files.get("buildspec.yml", b"").decode()
        if phase not in ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD"):
            return
        spec = yaml.safe_load(text)
        if not isinstance(spec, dict) or spec.get("version") not in (0.1, 0.2):
            raise Failure("YAML_FILE_ERROR", "YAML file does not exist, or has no version of a buildspec")
        yield from ((spec.get("phases") or {}).get(phase.lower()) or {}).get("commands") or []

    def _expanded(self, command: str) -> str:
        given = {each["name"]: each["value"] for each in self._project["environment"].get("environmentVariables", [])}
        return string.Template(command).safe_substitute(given)

    def _run(self, command: str) -> str | None:
        """What a command prints as it fails; None if it does not."""
        if "docker login" in command:
            return self._login(command)
        if command.startswith("docker "):
            if not self._project["environment"].get("privilegedMode"):
                return (
                    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
                )
            words = shlex.split(command)
            return self._docker_build(words) if words[1] == "build" else self._docker_push(words)
        return None

    def _login(self, command: str) -> str | None:
        if "aws ecr get-login-password" in command and (refused := self.refused("ecr", "GetAuthorizationToken")):
            return f"An error occurred (AccessDeniedException) when calling the GetAuthorizationToken: {refused}"
        self._logged_in = True
        return None

    def _docker_build(self, words: list[str]) -> str | None:
        if "Dockerfile" not in self._files:
            return "ERROR: failed to read dockerfile: open Dockerfile: no such file or directory"
        tag = words[words.index("--tag") + 1] if "--tag" in words else words[words.index("-t") + 1]
        content = b"".join(name.encode() + self._files[name] for name in sorted(self._files))
        self._built[tag] = content
        return None

    def _docker_push(self, words: list[str]) -> str | None:
        image = words[-1]
        found = _REGISTRY.fullmatch(image)
        if image not in self._built or found is None:
            return f"An image does not exist locally with the tag: {image}"
        if not self._logged_in:
            return "no basic auth credentials"
        name, _, tag = found["rest"].rpartition(":")
        for operation in _PUSHING:
            if refused := self.refused("ecr", operation, repositoryName=name):
                return f"denied: {refused}"
        registry = ecr_backends[found["account"]][found["region"]]
        if name not in registry.repositories:
            return f"name unknown: The repository with name '{name}' does not exist in the registry"
        try:
            registry.put_image(name, _manifest(self._built[image]), tag, MANIFEST)
        except ServiceException as error:
            return f"tag invalid: {error.message}"
        return None


def _manifest(content: bytes) -> str:
    """An image manifest of one layer (OCI image specification, "Image Manifest")."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    part = {"digest": digest, "size": len(content)}
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **part},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", **part}],
        }
    )

"""Lambda: functions in Python run, in a process of their own on this machine. moto 5.2.5 would want Docker.

A function is given what Lambda gives it (`_HANDLER`, AWS_REGION and so on), this server as AWS, and its time-out. One
in a VPC reaches the VPC's machines by this server, which is its HTTP proxy (see `LocalAwsApplication.machines`), as far
as security groups let it; it reaches AWS if they let it out on port 443, with the credentials of its role
(`function_roles`), and mounts EFS if they let it to a mount target on port 2049 (else EFSMountConnectivityException, of
botocore's model of Invoke). Other runtimes than Python's are not implemented; a function runs with the Python of the
server. moto also forgets where and how a function logs, and its file systems. What a function has mounted is the folder
that stands for it, with owners as `local_aws.mounted` has them; where its path is the value of a variable, that names
this folder instead.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

from moto.awslambda.models import LambdaFunction
from moto.core.exceptions import JsonRESTError
from moto.efs.models import efs_backends

from local_aws import efs_access, files, packets
from local_aws.rights import principals
from local_aws.serve import ENDPOINT
from local_aws.services import function_roles

# The handler's result, or its error as Lambda shows it, goes to the file that is named last.
_RUN = """
import importlib, json, os, sys, time, traceback
deadline = time.monotonic() + float(os.environ["AWS_LAMBDA_FUNCTION_TIMEOUT"])
class Context:
    function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
    def get_remaining_time_in_millis(self):
        return int(max(0, deadline - time.monotonic()) * 1000)
sys.path.insert(0, os.getcwd())
if os.environ.get("LOCAL_AWS_MOUNTED"):
    sys.path.insert(1, os.environ["LOCAL_AWS_MOUNTED"])
    from local_aws import mounted
    mounted.install()
module, _, name = os.environ["_HANDLER"].rpartition(".")
failed = False
try:
    answer = getattr(importlib.import_module(module), name)(json.load(sys.stdin), Context())
except Exception as error:
    failed = True
    traceback.print_exc()
    answer = {"errorMessage": str(error), "errorType": type(error).__name__}
with open(sys.argv[1], "w") as file:
    json.dump({"failed": failed, "answer": answer}, file)
"""


# A port on which nothing answers.
NOWHERE = "http://127.0.0.1:9"


class NoConnection(JsonRESTError):  # type: ignore[misc]
    """Invoke's error for a function that does not reach its file system."""

    code = 408

    def __init__(self, access_point_arn: str) -> None:
        super().__init__(
            "EFSMountConnectivityException",
            f"The function couldn't connect to the Amazon EFS file system with access point {access_point_arn}. Check "
            "your network configuration and try again.",
        )


def install() -> None:
    """Put it into moto's Lambda. A second time changes nothing."""
    if LambdaFunction._invoke_lambda is not _invoke_lambda:
        LambdaFunction._invoke_lambda = _invoke_lambda
        _keep_logging()
        function_roles.install()


def _keep_logging() -> None:
    initialise, configure = LambdaFunction.__init__, LambdaFunction.update_configuration
    describe = LambdaFunction.get_configuration

    def keep(self: Any, given: dict[str, Any]) -> None:
        self.logging_config = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}", **given}
        self.logs_group_name = self.logging_config["LogGroup"]

    def mount(self: Any, given: list[dict[str, str]]) -> None:
        if given and not (self.vpc_config or {}).get("SubnetIds"):
            message = "EFS file system can only be connected to functions with VPC configuration."
            raise JsonRESTError("InvalidParameterValueException", message)
        self.file_system_configs = given

    def __init__(self: Any, account_id: str, spec: dict[str, Any], *more: Any, **named: Any) -> None:  # noqa: N807
        initialise(self, account_id, spec, *more, **named)
        keep(self, spec.get("LoggingConfig") or {})
        mount(self, spec.get("FileSystemConfigs") or [])

    def update_configuration(self: Any, changes: dict[str, Any]) -> Any:
        if changes.get("LoggingConfig"):
            keep(self, changes["LoggingConfig"])
        configure(self, changes)
        if changes.get("FileSystemConfigs") is not None:
            mount(self, changes["FileSystemConfigs"])
        return self.get_configuration()

    def get_configuration(self: Any, on_create: bool = False) -> Any:
        return {
            **describe(self, on_create),
            "LoggingConfig": self.logging_config,
            "FileSystemConfigs": self.file_system_configs,
        }

    LambdaFunction.__init__ = __init__
    LambdaFunction.update_configuration = update_configuration
    LambdaFunction.get_configuration = get_configuration


def _invoke_lambda(self: Any, event: Any = None) -> tuple[str, bool, str]:
    """What the function answers as JSON, whether it failed, and what it printed."""
    if not str(self.run_time).startswith("python"):
        raise NotImplementedError(f"functions in {self.run_time}")
    function_roles.check(self)
    logs = function_roles.may_log(self)
    if logs:
        self.logs_backend.ensure_log_group(self.logs_group_name)
    with tempfile.TemporaryDirectory(prefix="local-aws-function-") as folder:
        code, result = Path(folder, "code"), Path(folder, "result.json")
        with zipfile.ZipFile(io.BytesIO(self.code_bytes)) as archive:
            archive.extractall(code)
        try:
            environment = _environment(self)
        except PermissionError as error:
            return json.dumps({"errorMessage": str(error), "errorType": "EFSMountFailureException"}), True, ""
        given = json.dumps(json.loads(event) if isinstance(event, str) else event or {})
        try:
            done = subprocess.run(
                [sys.executable, "-c", _RUN, str(result)],
                cwd=code,
                env=environment,
                input=given,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=float(self.timeout),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return json.dumps({"errorMessage": f"Task timed out after {float(self.timeout):.2f} seconds"}), True, ""
        if logs:
            self.save_logs(done.stdout)
        if not result.exists():
            return json.dumps({"errorMessage": "Runtime exited", "errorType": "Runtime.ExitError"}), True, done.stdout
        found = json.loads(result.read_text(encoding="utf-8"))
    return json.dumps(found["answer"]), bool(found["failed"]), done.stdout


def _environment(function: Any) -> dict[str, str]:
    endpoint = os.environ.get(ENDPOINT)
    if not endpoint:
        raise NotImplementedError("functions without a server for them to call")
    own = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    proxy, api = {}, endpoint
    if (side := _side(function)) and side.groups is not None:
        named = endpoint.replace("://", f"://{quote(','.join(side.groups), safe='')}:{side.address}@", 1)
        proxy = {"http_proxy": named, "no_proxy": "127.0.0.1"}
        if packets.blocked(_ec2(function), side, packets.ELSEWHERE, packets.HTTPS):
            api = NOWHERE
    return {
        **own,
        **proxy,
        "_HANDLER": function.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
        "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ENDPOINT_URL": api,
        **principals.credentials(function.role, function.function_name, function.region),
        "AWS_EC2_METADATA_DISABLED": "true",
        **_mounted(function, {name: str(value) for name, value in function.environment_vars.items()}),
    }


def _ec2(function: Any) -> Any:
    return packets.ec2_of(function.account_id, function.region)


def _side(function: Any) -> packets.Side | None:
    """The function's interfaces in its VPC; None for a function in none."""
    config = function.vpc_config or {}
    subnets = config.get("SubnetIds") or []
    if not subnets:
        return None
    ec2 = _ec2(function)
    subnet = ec2.get_subnet(subnets[0])
    return packets.Side(
        name=f"function {function.function_name}",
        groups=packets.with_default(ec2, config.get("SecurityGroupIds"), subnet.vpc_id),
        address=str(subnet.cidr_block).partition("/")[0],
    )


def _check_way(function: Any, efs: Any, point: Any) -> None:
    """Raises NoConnection where a mount target is missing in the first subnet's zone, or out of reach."""
    ec2, side = _ec2(function), _side(function)
    if side is None:
        return
    zone = ec2.get_subnet(function.vpc_config["SubnetIds"][0]).availability_zone
    target = packets.mount_target(ec2, efs, point.file_system_id, zone)
    if target is None or packets.blocked(ec2, side, target, packets.NFS):
        raise NoConnection(point.access_point_arn)


def _mounted(function: Any, variables: dict[str, str]) -> dict[str, str]:
    """The variables, with the folders of this machine for what is mounted. Raises PermissionError if it may not be."""
    more = {}
    for config in function.file_system_configs:
        efs = efs_backends[function.account_id][function.region]
        point = next(each for each in efs.access_points.values() if each.access_point_arn == config["Arn"])
        request = efs_access.Request(
            function.account_id,
            function.partition,
            function.region,
            "lambda.amazonaws.com",
            function.role,
            {
                "elasticfilesystem:accesspointarn": config["Arn"],
                "elasticfilesystem:accessedviamounttarget": "true",
            },
            function.function_name,
        )
        _check_way(function, efs, point)
        granted = efs_access.grants(request, efs.file_systems_by_id[point.file_system_id])
        if not granted.mount:
            raise PermissionError("The function could not mount the EFS file system: access denied by server")
        folder = str(files.access_point_folder(point))
        variables = {name: folder if value == config["LocalMountPath"] else value for name, value in variables.items()}
        is_root = granted.root and granted.write and int(point.posix_user.get("Uid", -1)) == 0
        more = {
            "LOCAL_AWS_MOUNTED": str(Path(__file__).resolve().parents[2]),
            "LOCAL_AWS_MOUNTED_AS_ROOT": "1" if is_root else "",
            "LOCAL_AWS_FILES": str(files.root()),
        }
    return {**variables, **more}

"""A Transfer Family server, a user and a key with the real Terraform: applied, planned empty, changed, destroyed."""

from __future__ import annotations

from pathlib import Path

import asyncssh
import pytest

from local_aws.server import LocalAws
from local_aws.testing.faults import ask
from local_aws.tests.terraform_run import APPLY, PLAN, PLAN_FINDS_NOTHING, prepare

pytestmark = pytest.mark.terraform


def test_server_with_an_address_user_and_key(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    given = (
        f"-var=public_key={user.export_public_key().decode().strip()}",
        f"-var=host_key={host.export_private_key().decode()}",
    )
    changed = (*given, "-var=changed=true")
    with LocalAws(log=log) as aws:
        succeed = prepare(aws, "terraform_sftp", tmp_path)
        succeed("init", "-input=false", "-no-color")
        succeed("apply", *APPLY, *given)
        succeed(*PLAN, *given, expected=PLAN_FINDS_NOTHING)
        assert succeed("output", "-raw", "fingerprint").rstrip("=") == host.get_fingerprint()
        server = succeed("output", "-raw", "server")
        assert ask(aws.endpoint, "/_local/transfer/servers")[server]["port"]
        succeed("apply", *APPLY, *changed)
        succeed(*PLAN, *changed, expected=PLAN_FINDS_NOTHING)
        succeed("destroy", *APPLY, *changed)
        assert ask(aws.endpoint, "/_local/transfer/servers") == {}
    text = log.read_text()
    assert "NotImplemented" not in text
    assert "LocalAwsFault" not in text

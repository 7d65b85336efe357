"""What `preflight.check` lets through, and the sentence for each thing that is not fit."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from local_aws.services import route53 as route53_gaps
from scripts.deploy import backend, preflight, state
from scripts.errors import Refused
from settings import SettingsError, Workspace
from tests.scripts.deploy.state_help import NAME, answer, state_backend, workspace

route53_gaps.install()


pytestmark = pytest.mark.usefixtures("mocked_aws")


def select(monkeypatch: pytest.MonkeyPatch, chosen: Workspace | SettingsError) -> None:
    """Let the workspace file give these settings."""

    def load(_: str | None) -> Workspace:
        if isinstance(chosen, SettingsError):
            raise chosen
        return chosen

    monkeypatch.setattr(preflight, "load", load)


def test_gives_the_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    select(monkeypatch, workspace())
    state.ensure(state_backend())
    assert preflight.check("demo") == workspace()


def test_tells_of_images_without_a_digest_and_refuses_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    select(monkeypatch, workspace())
    state.ensure(state_backend())
    preflight.check("demo")
    said = " ".join(capsys.readouterr().err.split())
    assert "note: omero.server.image openmicroscopy/omero-server:5.6.18, omero.web.image" in said
    assert "`omero-aws images pin -w demo` adds the digests" in said
    digest = f"@sha256:{'a' * 64}"
    server, web = f"openmicroscopy/omero-server:5.6.18{digest}", f"example/web:1{digest}"
    select(monkeypatch, workspace(f"omero: {{server: {{image: '{server}'}}, web: {{image: '{web}'}}}}\n"))
    preflight.check("demo")
    assert "note:" not in capsys.readouterr().err


def test_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    select(monkeypatch, workspace())
    state.ensure(state_backend())
    there = state_backend()
    names: list[str] = []
    for client in (there.s3, there.dynamodb):
        client.meta.events.register("before-call", lambda model, **_: names.append(model.name))
    monkeypatch.setattr(backend, "state_backend", lambda _: there)
    preflight.check()
    assert names != []
    assert [name for name in names if not name.startswith(("Get", "List", "Describe", "Head"))] == []


def test_refuses_faulty_settings_with_all_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    select(monkeypatch, SettingsError(["one.", "two."]))
    with pytest.raises(Refused, match=r"^one\.\ntwo\.$"):
        preflight.check()


def test_refuses_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    select(monkeypatch, workspace())
    with monkeypatch.context() as bare:  # moto wants its own credentials back
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            bare.delenv(name)
        bare.setenv("AWS_EC2_METADATA_DISABLED", "true")
        bare.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
        bare.setenv("AWS_CONFIG_FILE", "none")
        with pytest.raises(Refused, match="no AWS credentials were found"):
            preflight.check()


def test_refuses_another_account(monkeypatch: pytest.MonkeyPatch) -> None:
    select(monkeypatch, workspace().model_copy(update={"account_id": "210987654321"}))
    with pytest.raises(Refused, match="the AWS credentials belong to account 123456789012"):
        preflight.check()


def test_refuses_without_state(monkeypatch: pytest.MonkeyPatch) -> None:
    select(monkeypatch, workspace())
    wanted = f"workspace demo has no state bucket {NAME} and no lock table {NAME} in eu-west-1; run .*state ensure"
    with pytest.raises(Refused, match=wanted):
        preflight.check()


def test_refuses_without_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    select(monkeypatch, workspace())
    backend.create_bucket(state_backend())
    with pytest.raises(Refused, match=rf"demo has no lock table {NAME} in eu-west-1"):
        preflight.check()


def test_refuses_a_changed_region(monkeypatch: pytest.MonkeyPatch) -> None:
    state.ensure(state_backend())
    body = json.dumps({"resources": [{}]}).encode()
    state_backend().s3.put_object(Bucket=NAME, Key="omero/demo/network.tfstate", Body=body)
    moved = state_backend(region="us-west-2")
    backend.create_bucket(moved)
    backend.create_table(moved)
    select(monkeypatch, moved.workspace)
    with pytest.raises(Refused, match="set region back to eu-west-1"):
        preflight.check()


@pytest.mark.parametrize(
    ("zone", "domain", "said"),
    [
        ("example.org", "omero.example.net", "omero.example.net is not in the hosted zone"),
        ("example.org", "omero-example.org", "omero-example.org is not in the hosted zone"),
        (None, "omero.example.org", "is not a hosted zone of this account"),
        ("example.org", "omero.example.org", None),
        ("example.org", "example.org", None),
    ],
)
def test_looks_at_the_hosted_zone(
    monkeypatch: pytest.MonkeyPatch, zone: str | None, domain: str, said: str | None
) -> None:
    there = state_backend()
    zone_id = "Z0123456789ABCDEFGHIJ"
    if zone:
        made = there.session.client("route53").create_hosted_zone(Name=zone, CallerReference="1")
        zone_id = made["HostedZone"]["Id"].rpartition("/")[2]
    tls = {"domain_name": domain, "hosted_zone_id": zone_id}
    chosen = Workspace.model_validate({**workspace().model_dump(), "name": "lab", "topology": "rw-tls", "tls": tls})
    select(monkeypatch, chosen)
    state.ensure(state_backend())
    if said is None:
        assert preflight.check() == chosen
    else:
        with pytest.raises(Refused, match=said):
            preflight.check()


def test_refuses_a_private_zone_for_a_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    there = state_backend()
    vpc = there.session.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = there.session.client("route53").create_hosted_zone(
        Name="example.org",
        CallerReference="1",
        VPC={"VPCRegion": there.region, "VPCId": vpc},
        HostedZoneConfig={"PrivateZone": True},
    )
    tls = {"domain_name": "omero.example.org", "hosted_zone_id": made["HostedZone"]["Id"].rpartition("/")[2]}
    values = {**workspace().model_dump(), "name": "lab", "topology": "rw-tls", "tls": tls}
    select(monkeypatch, Workspace.model_validate(values))
    state.ensure(state_backend())
    with pytest.raises(Refused, match="is a private hosted zone"):
        preflight.check()


def test_lets_an_answer_of_aws_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS denied is for `console.run`: exit code 1."""
    select(monkeypatch, workspace())
    there = state_backend()
    answer(there.s3, "ListBuckets", 403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>")
    monkeypatch.setattr(backend, "state_backend", lambda _: there)
    with pytest.raises(ClientError, match="AccessDenied"):
        preflight.check()

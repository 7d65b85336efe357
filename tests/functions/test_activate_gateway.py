"""The function that fetches a gateway's activation key."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from functions import FOLDER, activate_gateway
from functions.activate_gateway import NoAnswer, handler
from local_aws.services.storagegateway.activation import Appliance, find_key
from local_aws.testing.ecs import Client, Network
from local_aws.testing.functions import invoke, make
from local_aws.testing.gateway import activate, start_instance


@dataclass
class Context:
    """Lambda's, with a time that passes by looks."""

    looks: int = 3

    def get_remaining_time_in_millis(self) -> int:
        self.looks -= 1
        return 60_000 if self.looks > 0 else 10_000


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activate_gateway, "PAUSE_SECONDS", 0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def ask(appliance: Appliance, looks: int = 3) -> str:
    event = {"address": f"{appliance.address}:{appliance.port}", "region": "eu-west-1"}
    return handler(event, Context(looks))


def test_gives_the_key_of_the_machine_for_the_region() -> None:
    appliance = Appliance()
    key = ask(appliance)
    found = find_key(key)
    assert found is not None
    assert found.region == "eu-west-1"
    appliance.stop()


def test_asks_until_the_machine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    appliance = Appliance()
    answer, asked = appliance.answer, []

    def slow(path: str) -> Any:
        asked.append(parse_qs(urlsplit(path).query, keep_blank_values=True))
        return answer(path) if len(asked) == 3 else (503, {}, b"starting")

    monkeypatch.setattr(appliance, "answer", slow)
    assert activate_gateway.KEY.fullmatch(ask(appliance, looks=5))
    assert asked == [{"activationRegion": ["eu-west-1"], "gatewayType": ["FILE_S3"], "no_redirect": [""]}] * 3
    appliance.stop()


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"<html>sign in</html>", 200, r"it answered '<html>sign in</html>'"),
        (b"The gateway is activated", 404, "it answered 404 The gateway is activated"),
    ],
)
def test_refuses_what_is_no_key(monkeypatch: pytest.MonkeyPatch, body: bytes, status: int, said: str) -> None:
    appliance = Appliance()
    monkeypatch.setattr(appliance, "answer", lambda _: (status, {}, body))
    with pytest.raises(NoAnswer, match=said):
        ask(appliance)
    appliance.stop()


def test_says_what_to_do_where_nothing_answers() -> None:
    appliance = Appliance()
    appliance.stop()
    wanted = (
        r"127\.0\.0\.1:\d+ gave no activation key on port 80 within \d+ s \(.*refused.*\); see whether its instance"
    )
    with pytest.raises(NoAnswer, match=wanted):
        ask(appliance)


def test_its_answer_is_json() -> None:
    appliance = Appliance()
    assert json.loads(json.dumps(ask(appliance)))
    appliance.stop()


def test_in_the_vpc_it_fetches_a_key_that_activates(client: Client, network: Network) -> None:
    machine = start_instance(client, network)
    place = {"SubnetIds": network.subnets, "SecurityGroupIds": [network.group]}
    code = (FOLDER / "activate_gateway.py").read_text(encoding="utf-8")
    name = make(client, code, "activate_gateway", VpcConfig=place)
    key, failed = invoke(client, name, {"address": machine["PrivateIpAddress"], "region": "eu-west-1"})
    assert not failed
    assert activate(client, key)["Ec2InstanceId"] == machine["InstanceId"]

"""Which stacks have to let go of something before it is deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.deploy import order
from scripts.errors import Refused

NEEDS = {"omero": ["frontend", "network"], "frontend": ["network"], "network": []}


def _used(stack: str, output: str) -> str:
    reference = f"data.terraform_remote_state.cross-stack-reference-input-{stack}.outputs.cross-stack-output-{output}"
    return f"${{{reference}}}"


def _synthesised(out: Path, outputs: Mapping[str, list[str]], uses: list[str]) -> Path:
    for stack in NEEDS:
        folder = out / "stacks" / stack
        folder.mkdir(parents=True)
        document = {
            "output": {f"cross-stack-output-{each}": {"value": ""} for each in outputs.get(stack, [])},
            "resource": {"aws_ecs_service": {"server": {"uses": uses if stack == "omero" else []}}},
        }
        (folder / "cdk.tf.json").write_text(json.dumps(document))
    manifest = {name: {"dependencies": needs} for name, needs in NEEDS.items()}
    (out / "manifest.json").write_text(json.dumps({"stacks": manifest}))
    return out


def _deployed(**outputs: list[str]) -> order.Outputs:
    return {stack: frozenset(f"cross-stack-output-{each}" for each in outputs.get(stack, [])) for stack in NEEDS}


def test_stacks_come_after_those_they_build_on(tmp_path: Path) -> None:
    assert list(order.stacks(_synthesised(tmp_path, {}, []))) == ["network", "frontend", "omero"]


@pytest.mark.parametrize(
    ("outputs", "uses", "first"),
    [
        # The network balancer goes: the servers' rules and target groups have to go before it.
        (["balancer"], ["balancer"], ["omero"]),
        # Nothing goes.
        (["balancer", "nlb"], ["balancer", "nlb"], []),
        (["balancer", "nlb", "cache"], ["balancer", "nlb", "cache"], []),
    ],
)
def test_users_of_what_goes_come_first(tmp_path: Path, outputs: list[str], uses: list[str], first: list[str]) -> None:
    out = _synthesised(tmp_path, {"frontend": outputs}, [_used("frontend", each) for each in uses])
    assert order.users_first(out, _deployed(frontend=["balancer", "nlb"])) == first


def test_refuses_to_add_and_take_away_at_once(tmp_path: Path) -> None:
    """The user of what goes cannot be planned before what comes is there."""
    out = _synthesised(tmp_path, {"frontend": ["balancer", "cache"]}, [_used("frontend", "cache")])
    with pytest.raises(Refused, match="before cache of frontend is created, which it needs; make the two changes one"):
        order.users_first(out, _deployed(frontend=["balancer", "nlb"]))


def test_a_stack_that_is_not_deployed_does_not_come_first(tmp_path: Path) -> None:
    out = _synthesised(tmp_path, {"frontend": []}, [])
    deployed = {"frontend": frozenset({"cross-stack-output-nlb"})}
    assert order.users_first(out, deployed) == []

"""`sftp ensure` makes the endpoint, mends it, changes nothing twice, and goes on after a kill at any AWS call."""

from __future__ import annotations

from tests.scripts.ingest.sftp_help import Stage


def test_makes_the_endpoint_and_changes_nothing_twice(stage: Stage) -> None:
    made = stage.ensure()
    print(made)
    assert stage.ensure() == []

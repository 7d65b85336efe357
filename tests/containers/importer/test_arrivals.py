"""Whose the images of a delivery are, where names are given by strangers."""

from __future__ import annotations

from typing import Any

import pytest

from containers.importer.arrivals import Delivery
from containers.importer.watch import Watched

BY_SENDER = {"user": "{folder}", "group": "", "target": "Dataset:name:{folder}", "transfer": "ln_s", "owners": {}}


@pytest.fixture(autouse=True)
def admin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMERO_ADMIN", "importer")


def _delivery(name: bytes, **settings: Any) -> Delivery:
    path = b"/OMERO/SFTP/" + name
    return Delivery(path, {**BY_SENDER, **settings}, Watched(path))


def test_a_sender_owns_what_it_has_sent() -> None:
    work = _delivery(b"alice").work()
    assert (work["user"], work["target"], work["group"]) == ("alice", "Dataset:name:alice", "")
    assert (work["under"], work["create"], work["transfer"]) == (b"/OMERO/SFTP/alice".hex(), True, "ln_s")


def test_an_owner_may_have_another_name() -> None:
    work = _delivery(b"scanner 3", owners={"scanner 3": "root"}).work()
    assert (work["user"], work["target"]) == ("root", "Dataset:name:scanner 3")


@pytest.mark.parametrize("name", [b"root", b"guest", b"importer"])
def test_a_folders_name_makes_nobody_an_administrator(name: bytes) -> None:
    with pytest.raises(ValueError, match=f"does not make {name.decode()} the owner; name one under `owners`"):
        _delivery(name).work()


@pytest.mark.parametrize("name", [b"-x", b"a b", b"a'b", b"a" * 65])
def test_a_name_that_is_no_users_is_refused(name: bytes) -> None:
    with pytest.raises(ValueError, match="cannot be that of an OMERO user"):
        _delivery(name).work()


@pytest.mark.parametrize("name", [b"a\xff", b"a\nb", b"\x1b[2J"])
def test_a_name_that_is_no_text_is_refused(name: bytes) -> None:
    for settings in ({}, {"user": "alice"}):
        with pytest.raises(ValueError, match="is not printable text"):
            _delivery(name, **settings).work()
    assert _delivery(name, user="alice", target="Dataset:5").work()["target"] == "Dataset:5", "it decides nothing"

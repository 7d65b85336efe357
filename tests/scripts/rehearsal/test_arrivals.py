"""What a rehearsal sees of deliveries that became images: twice, somebody else's, elsewhere, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from scripts.rehearsal.arrivals import Places
from scripts.rehearsal.run import Delivery
from scripts.rehearsal.stand_ins.omero.paths import client_path
from scripts.rehearsal.stand_ins.omero.state import Image, Server

SET = '/OMERO/SFTP/alice/set "1"'
DELIVERY = Delivery("SFTP", (f"{SET}/a", f"{SET}/ab"), "alice", "alice", 0.0)
RIGHT = Image(1, "a.nd", 7, 0, client_path(f"{SET}/a/Images/a.nd"), "alice", "alice", None, "ln_s")
OTHER = replace(RIGHT, id=2, fileset=8, client_path=client_path(f"{SET}/ab/a.nd"))


@dataclass
class Omero:
    """Only what is asked of a server here."""

    found: Sequence[Image]

    def images(self) -> Sequence[Image]:
        return self.found


def _server(*images: Image) -> Server:
    return cast(Server, Omero(images))


def test_each_fileset_is_known_by_its_folder() -> None:
    places = Places([DELIVERY])
    assert places.folders == set(DELIVERY.folders)
    stranger = replace(RIGHT, client_path="OMERO/elsewhere/a.nd")
    server = _server(RIGHT, replace(RIGHT, id=3), OTHER, stranger)
    assert places.filesets(server) == {f"{SET}/a": {7}, f"{SET}/ab": {8}}
    assert not list(places.faults(server))


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"fileset": 9}, "was imported 2 times"),
        ({"owner": "root"}, "is root's in alice"),
        ({"dataset": None}, "is alice's in None"),
    ],
)
def test_what_is_twice_or_not_where_it_should_be_is_told(changed: dict[str, Any], fault: str) -> None:
    (found,) = Places([DELIVERY]).faults(_server(RIGHT, OTHER, replace(RIGHT, id=3, **changed)))
    assert fault in found

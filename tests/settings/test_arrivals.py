"""What the section `arrivals` says when it is left alone, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from contract import arrivals
from settings.arrivals import MOST_CHARACTERS, Arrivals
from tests.conftest import workspace

SFTP = {"sftp": {"cidrs": ["192.0.2.0/24"]}}
SHARE = {"topology": "rw-http-s3fg", "share": {"address": "10.0.0.5", "bucket": "lab-slides"}}


def test_the_settings_fit_into_a_parameter_with_the_longest_addresses_beside_them() -> None:
    folders = [{"path": f"/OMERO/{'f' * 150}{number}"} for number in range(10)]
    found = Arrivals.model_validate({"folders": folders, "report_emails": [f"{n}@example.org" for n in range(20)]})
    size = len(found.model_dump_json(exclude={"report_emails"}))
    room = MOST_CHARACTERS - size
    folders[0]["path"] += "g" * room
    given = workspace(arrivals={"folders": folders, "report_emails": [f"{n}@example.org" for n in range(20)]})
    queue = f"https://sqs.ap-southeast-2.amazonaws.com/111122223333/{'q' * 80}"
    topic = f"arn:aws:sns:ap-southeast-2:111122223333:{'t' * 80}"
    said = arrivals.parameter(given, hints_url=queue, reports_topic=topic, web_url=f"https://{'d' * 253}")
    assert len(said) <= 4096
    folders[0]["path"] += "g"
    with pytest.raises(ValidationError, match=f"an SSM parameter has room for {MOST_CHARACTERS}"):
        Arrivals.model_validate({"folders": folders})


def test_nothing_is_watched_unless_asked_for() -> None:
    assert arrivals.folders(workspace(**SFTP)) == ()
    assert json.loads(arrivals.parameter(workspace(**SFTP))) == {}


def test_watches_every_way_in_that_there_is() -> None:
    given = workspace(**SFTP, **SHARE, datasync={}, arrivals={})
    found = {each.path: (each.user, each.target, each.transfer) for each in arrivals.folders(given)}
    assert found == {
        "/OMERO/SFTP": ("{folder}", "Dataset:name:{folder}", "ln_s"),
        "/OMERO/DropZone": ("", "regex:^/?OMERO/DropZone/(?<Container1>[^/]*).*", "ln_s"),
        "/s3uploads": ("", "regex:^/?s3uploads/(?<Container1>[^/]*).*", "ln_s"),
    }
    said = json.loads(arrivals.parameter(given))
    assert (said["interval_seconds"], said["settle_seconds"]) == (300, 60)
    assert [each["path"] for each in said["folders"]] == list(found)


def test_watches_what_is_named_and_nothing_else() -> None:
    given = workspace(**SFTP, arrivals={"folders": [{"path": "/OMERO/scanner"}]})
    assert [each.path for each in arrivals.folders(given)] == ["/OMERO/scanner"]


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ({"path": "DropZone"}, "DropZone is not an absolute path; one looks like /OMERO/DropZone"),
        ({"path": "/OMERO"}, "/OMERO holds what OMERO keeps for itself; give a folder for images"),
        ({"path": "/OMERO/ManagedRepository/a"}, "holds what OMERO keeps for itself"),
        ({"path": "/OMERO/a", "user": "-x y"}, "-x y is not a name in OMERO"),
        ({"path": "/OMERO/a", "target": "Plate:1"}, "Plate:1 is not a target; allowed: Dataset:5"),
        ({"path": "/OMERO/a", "target": "Dataset:{folder}"}, "where no name is; give Dataset:name:{folder}"),
        ({"path": "/OMERO/a", "target": "regex:{folder}"}, "where no name is"),
        ({"path": "/OMERO/a", "owners": {"b": "bob"}}, "belong to the importer; set user: '{folder}' as well"),
        ({"path": "/OMERO/a", "transfer": "ln_rm"}, "Input should be"),
    ],
)
def test_refuses_a_folder(folder: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Arrivals.model_validate({"folders": [folder]})
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"arrivals": {}}, "no sftp, datasync or share whose folder could be watched; add folders"),
        ({"arrivals": {"folders": [{"path": "/srv/in"}]}}, "does not see /srv/in; give a folder under /OMERO/..."),
        (
            {**SHARE, "arrivals": {"folders": [{"path": "/s3uploads/a", "transfer": "ln"}]}},
            "which do not reach a File Gateway's share",
        ),
        ({"arrivals": {"folders": [{"path": "/OMERO/a"}, {"path": "/OMERO/a/b"}]}}, "do not contain each other"),
        ({"arrivals": {"folders": [{"path": "/OMERO/a"}, {"path": "/OMERO/a"}]}}, "give it once"),
        ({"arrivals": {"folders": [{"path": "/OMERO/a"}], "interval_minutes": 0}}, "greater than or equal to 1"),
    ],
)
def test_refuses_a_workspace(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        workspace(**given)
    assert said in str(refused.value)


def test_refuses_more_than_a_parameter_holds() -> None:
    owners = {f"scanner-{number:060}": "alice" for number in range(60)}
    with pytest.raises(ValidationError, match="an SSM parameter has room for 3400; give fewer owners"):
        Arrivals.model_validate({"folders": [{"path": "/OMERO/a", "user": "{folder}", "owners": owners}]})

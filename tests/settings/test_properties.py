"""OMERO's own properties in a workspace, and the sections that set them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from modules.omero import variable
from settings.faults import faults
from settings.omero import Omero
from settings.properties import known

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:mail-a1B2c3"
LDAP = {"url": "ldaps://ldap.example.org", "cidrs": ["10.20.0.0/24"], "base": "dc=example,dc=org"}


def said(**omero: Any) -> str:
    """All faults of the section, a line each."""
    return "\n".join(map(str, faults(Omero, omero)))


def web(name: str, value: Any) -> str:
    return said(web={"properties": {name: value}})


def by_the_images_rule(name: str) -> str:
    """The property of an environment variable, as 50-config.py in OME's images makes it."""
    text = name.removeprefix("CONFIG_")
    return re.sub("__", "_", re.sub("([^_])_([^_])", r"\1.\2", text))


@pytest.mark.parametrize("side", ["server", "web"])
def test_each_name_survives_the_images_rule(side: Any) -> None:
    names = known(side)
    assert len(names) > 100
    assert {name: by_the_images_rule(variable(name)) for name in names} == {name: name for name in names}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("omero.web.page_size", 300, "300"),
        ("omero.web.plate_download.enabled", True, "true"),
        ("omero.web.time_zone", "Europe/Berlin", "Europe/Berlin"),
        ("omero.web.ui.metadata_panes", [{"name": "tag", "label": "Tags", "index": 1}], None),
        ("omero.web.search.default_group", 3, "3"),
        ("omero.web.sharing.opengraph", {"omero": "Lab Größe"}, '{"omero": "Lab Größe"}'),
        ("omero.web.iviewer.max_active_channels", 12, "12"),
    ],
)
def test_values_are_written_as_omero_reads_them(name: str, value: Any, text: str | None) -> None:
    written = Omero(web={"properties": {name: value}}).web_properties.values[name]  # type: ignore[arg-type]
    assert written == text or (text is None and written == '[{"name": "tag", "label": "Tags", "index": 1}]')


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("omero.web.page_siz", 1, "is no property of OMERO.web (did you mean omero.web.page_size?)"),
        ("omero.web.nothing.like_it", 1, "or add its app to append.omero.web.apps"),
        ("omero.search.cron", "x", "is OMERO.server's; give it under omero.server.properties"),
        ("omero.web.apps", ["a"], "would replace what the container image has; give it under append"),
        ("omero.web.server_list", [], "cannot be set here: it follows from omero.read_only"),
        ("omero.web.wsgi_workers", 9, "cannot be set here: workers, threads and time-outs follow from omero.web.cpu"),
        ("omero.web.debug", True, "cannot be set here: it would show the configuration to everybody"),
        ("omero.web.page_size", "many", "'many' is not allowed; give a whole number"),
        ("omero.web.page_size", True, "true is not allowed; give a whole number"),
        ("omero.web.plate_download.enabled", "yes", "'yes' is not allowed; give true or false"),
        ("omero.web.ui.metadata_panes", "[]", "'[]' is not allowed; give a list"),
        ("omero.web.ui.metadata_panes", {"a": 1}, "{a: 1} is not allowed; give a list"),
        ("omero.web.sharing.opengraph", ["x"], "['x'] is not allowed; give keys and values under it"),
        ("omero.web.time_zone", None, "null is not allowed; give text"),
        ("omero.web.time_zone", "a\nb", "has a line break"),
        (
            "omero.web.email_host_password",
            "x",
            "is a secret; give the ARN of one that holds it under secret_properties",
        ),
        ("omero.web.top_logo_link", "https://me:secret@example.org", "holds a password in a URL"),
        ("omero.web.public.enabled", True, "needs the section omero.public"),
        ("omero.web.show_forgot_password", True, "is set by omero.mail; leave one of them out"),
    ],
)
def test_refuses_of_omero_web(name: str, value: Any, sentence: str) -> None:
    found = web(name, value)
    assert found.startswith(f"web.properties.{name} ") or found.startswith(f"web.properties.{name}: ")
    assert sentence in found
    assert found.count("\n") == 0, found


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("omero.db.poolsize", 60, "cannot be set here: set omero.server.database_connections"),
        ("omero.db.host", "x", "cannot be set here: it follows from the section database"),
        ("omero.jvmcfg.heap_size.blitz", "4g", "cannot be set here: it follows from omero.server.memory_mib"),
        ("omero.fs.watchDir", "/OMERO/x", "cannot be set here: the command `omero-aws dropbox` sets it"),
        ("omero.ports.ssl", 4064, "cannot be set here: load balancers and security groups count on OMERO's own ports"),
        ("omero.ldap.connect_timeout", 1000, "needs the section omero.ldap, which sets what belongs to it; give that"),
        ("omero.security.keyStorePassword", "x", "is a secret; give the ARN of one that holds it"),
        ("omero.seach.cron", "x", "is no property of OMERO.server (did you mean omero.search.cron?)"),
        ("omero.web.page_size", 1, "is OMERO.web's; give it under omero.web.properties"),
        ("omero.search.cron", ["a"], "['a'] is not allowed; give text"),
    ],
)
def test_refuses_of_omero_server(name: str, value: Any, sentence: str) -> None:
    found = said(server={"properties": {name: value}})
    assert found.startswith(f"server.properties.{name}")
    assert sentence in found


def test_takes_what_is_nobodys() -> None:
    omero = Omero.model_validate(
        {
            "server": {"properties": {"omero.search.cron": "*/30 * * * * ?", "omero.jvmcfg.append.blitz": "-Xlog:gc"}},
            "ldap": LDAP,
        }
    )
    values = omero.server_properties.values
    assert values["omero.search.cron"] == "*/30 * * * * ?"
    assert values["omero.jvmcfg.append.blitz"] == "-Xlog:gc"


def test_an_apps_own_properties_are_taken_once_the_app_is_there() -> None:
    name = "omero.web.figure.max_rows"
    assert "is no property" in web(name, 3)
    assert said(web={"append": {"omero.web.apps": ["omero_figure"]}, "properties": {name: 3}}) == ""


def test_refuses_lists_that_are_none() -> None:
    assert "is no list; give it under properties" in said(web={"append": {"omero.web.page_size": [1]}})
    assert "has no entries" in said(web={"append": {"omero.web.apps": []}})


def test_refuses_more_than_a_task_definition_holds() -> None:
    assert "have 20026 characters in all; give at most 16384" in web("omero.web.top_logo_link", "x" * 20_003)


def test_refuses_a_list_of_the_image_as_a_secret() -> None:
    found = said(web={"secret_properties": {"omero.web.apps": ARN}})
    assert "would replace what the container image has; give it under append" in found


def test_refuses_by_name_what_a_directory_or_chosen_apps_set() -> None:
    server = {"properties": {"omero.security.ignore_case": False}}
    assert "is set by omero.ldap; leave one of them out" in said(server=server, ldap={**LDAP, "ignore_case": True})
    assert said(server=server, ldap=LDAP) == ""
    view = {"omero.web.viewer.view": "lab.views.index"}
    assert "is set by omero.web.apps; leave one of them out" in said(web={"properties": view, "apps": ["figure"]})
    assert said(web={"properties": view}) == ""


def test_secrets_are_named_by_their_arn_alone() -> None:
    omero = Omero.model_validate({"web": {"secret_properties": {"omero.web.email_host_password": ARN}}})
    assert omero.web_properties.secrets == {"omero.web.email_host_password": ARN}
    assert "omero.web.email_host_password" not in omero.web_properties.values
    assert "is not a valid ARN" in said(web={"secret_properties": {"omero.web.email_host_password": "hunter2"}})


def test_directory_sets_what_belongs_to_it() -> None:
    omero = Omero.model_validate(
        {"ldap": {**LDAP, "username": "cn=reader", "password_arn": ARN, "user_mapping": "omeName=sAMAccountName"}}
    )
    values = omero.server_properties.values
    assert values["omero.ldap.urls"] == "ldaps://ldap.example.org:636"
    assert values["omero.ldap.config"] == "true"
    assert values["omero.ldap.user_mapping"] == "omeName=sAMAccountName"
    assert omero.server_properties.secrets == {"omero.ldap.password": ARN}
    assert "omero.ldap.password" not in values
    assert not [name for name in omero.web_properties.values if "ldap" in name]


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"url": "ldap://ldap.example.org"}, "give the directory's address"),
        ({"url": "ldaps://me:secret@ldap.example.org"}, "give the directory's address"),
        ({"url": "ldaps://ldap.example.org:port"}, "give the directory's address"),
        ({"user_filter": "(objectClass=person"}, "is no LDAP filter"),
        ({"user_filter": "objectClass=person"}, "is no LDAP filter"),
        ({"user_mapping": "firstName=givenName"}, "has no omeName"),
        ({"user_mapping": "omeName"}, "give NAME=ATTRIBUTE"),
        ({"new_user_group": ":query:(member=@{dn})"}, "shuts out everybody whose DN has a comma in a name"),
        ({"username": "cn=reader"}, "needs a password"),
        ({"password_arn": ARN}, "is missing; give the DN whose password that is"),
        ({"ca_certificate": "-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----"}, "is no certificate in PEM"),
        ({"ca_certificate": "-----BEGIN PRIVATE KEY-----"}, "holds a private key"),
        ({"cidrs": []}, "give a list of 1 to 20 entries"),
    ],
)
def test_refuses_a_directory(changed: dict[str, Any], sentence: str) -> None:
    found = said(ldap={**LDAP, **changed})
    assert sentence in found
    assert "secret@" not in found


def test_mail_is_encrypted_from_the_beginning_unless_another_port_is_asked_for() -> None:
    given = {"host": "email-smtp.eu-west-1.amazonaws.com", "sender": "omero@example.org"}
    values = Omero.model_validate({"mail": given}).server_properties.values
    assert values["omero.mail.port"] == "465"
    assert values["omero.mail.smtp.socketFactory.class"] == "javax.net.ssl.SSLSocketFactory"
    values = Omero.model_validate({"mail": {**given, "port": 587}}).server_properties.values
    assert values["omero.mail.smtp.starttls.enable"] == "true"
    assert "omero.mail.smtp.socketFactory.class" not in values


def test_forgot_your_password_is_shown_only_where_mail_is_sent() -> None:
    name = "omero.web.show_forgot_password"
    assert Omero().web_properties.values[name] == "false"
    mail = {"host": "smtp.example.org", "sender": "omero@example.org"}
    assert Omero.model_validate({"mail": mail}).web_properties.values[name] == "true"


def test_public_users_are_read_only() -> None:
    public = {"user": "public", "password_arn": ARN}
    assert "needs a server that cannot write; give the section read_only too" in said(public=public)
    web_properties = Omero.model_validate({"public": public, "read_only": {}}).web_properties
    assert web_properties.values["omero.web.public.server_id"] == "2"
    assert web_properties.values["omero.web.public.get_only"] == "true"
    assert web_properties.secrets == {"omero.web.public.password": ARN}
    assert "is no regular expression" in said(public={**public, "url_filter": "("}, read_only={})


def test_login_and_downloads_are_in_omeros_units() -> None:
    omero = Omero.model_validate(
        {
            "login": {"idle_minutes": 30, "max_hours": 8, "failure_seconds": 10},
            "downloads": {"originals": False, "max_mib": 2048},
        }
    )
    assert omero.server_properties.values["omero.sessions.timeout"] == "1800000"
    assert omero.server_properties.values["omero.security.login_failure_throttle_time"] == "10000"
    assert omero.server_properties.values["omero.policy.binary_access"] == "-read,+write,+image"
    assert omero.web_properties.values["omero.web.session_cookie_age"] == "28800"
    assert omero.web_properties.values["omero.web.maximum_multifile_download_size"] == "2147483648"
    assert dict(Omero().server_properties.values) == {}


def test_apps_of_the_image_are_switched_one_by_one() -> None:
    def given(**web: Any) -> dict[str, Any]:
        return dict(Omero.model_validate({"web": web}).web_properties.values)

    assert "omero.web.apps" not in given()
    values = given(apps=["figure", "fpbioimage"])
    assert json.loads(values["omero.web.apps"]) == ["omero_figure", "omero_fpbioimage"]
    assert [each[0] for each in json.loads(values["omero.web.open_with"])] == [
        "Image viewer",
        "omero_figure",
        "omero_fpbioimage",
    ]
    assert [each[0] for each in json.loads(values["omero.web.ui.top_links"])] == ["Data", "History", "Figure", "Help"]
    assert values["omero.web.viewer.view"] == "omeroweb.webclient.views.image_viewer"
    assert given(apps=["iviewer"])["omero.web.viewer.view"] == "omero_iviewer.views.index"
    assert json.loads(given(apps=[])["omero.web.apps"]) == []

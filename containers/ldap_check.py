"""Whether OMERO.server reaches its directory and finds people there: one sentence about the first step that fails.

Python's own library alone, for that is what OMERO's image has: two requests of LDAP (RFC 4511) and its filters (RFC
4515) in their encoding. What OMERO asks for is in LdapConfig and AttributeNewUserGroupBean of ome/omero-server. No
sentence names a person.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

SECONDS = 10
MANY = 20
"""As many entries are asked for."""
_BIND, _SEARCH, _BOUND, _FOUND, _DONE = 0x60, 0x63, 0x61, 0x64, 0x65
_OCTETS, _INTEGER, _ENUMERATED, _BOOLEAN, _SEQUENCE, _SIMPLE, _PRESENT = 0x04, 0x02, 0x0A, 0x01, 0x30, 0x80, 0x87
_AND, _OR, _NOT, _SUBSTRINGS, _EXTENSIBLE = 0xA0, 0xA1, 0xA2, 0xA4, 0xA9
_COMPARISONS = {"~=": 0xA8, ">=": 0xA5, "<=": 0xA6, "=": 0xA3}
_ITEM = re.compile(r"([^()=~<>:]*)((?::[^()=~<>:]+)*)(:=|~=|>=|<=|=)([^()]*)")
_BASE_ITSELF, _ALL_BELOW, _FOLLOW_ALIASES = b"\0", b"\2", b"\3"
_SIZE_LIMIT = 4  # a result: there are more
_WORDS = {
    1: "it wants a log-in before a search",
    32: "it has no such entry",
    49: "it does not know that name with that password",
    50: "that name may not search there",
}


class Failed(Exception):
    """The sentence."""


def _part(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _read(stream: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        more = stream.recv(size - len(found))
        if not more:
            raise Failed("it closes the connection without an answer")
        found += more
    return found


def _take(data: bytes) -> tuple[int, bytes, bytes]:
    """The first part's tag and content, and what comes after it."""
    tag, size, at = data[0], data[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(data[2:at], "big")
    return tag, data[at : at + size], data[at + size :]


def _message(stream: socket.socket) -> tuple[int, bytes]:
    head = _read(stream, 2)
    if head[0] != _SEQUENCE:
        raise Failed("it does not answer as a directory does")
    more = _read(stream, head[1] & 0x7F) if head[1] & 0x80 else b""
    content = _read(stream, int.from_bytes(more, "big") if more else head[1])
    _, _, rest = _take(content)  # the message's number
    tag, operation, _ = _take(rest)
    return tag, operation


def _code(operation: bytes) -> int:
    return int.from_bytes(_take(operation)[1], "big")


def _bind(stream: socket.socket, name: str, password: str) -> None:
    request = _part(_BIND, _part(_INTEGER, b"\3"), _part(_OCTETS, name.encode()), _part(_SIMPLE, password.encode()))
    stream.sendall(_part(_SEQUENCE, _part(_INTEGER, b"\1"), request))
    tag, operation = _message(stream)
    if tag != _BOUND or _code(operation):
        code = _code(operation)
        raise Failed(f"it refuses the log-in as {name or 'nobody'}: {_WORDS.get(code, f'result code {code}')}")


def _escaped(text: str) -> bytes:
    """The value of a filter's text, in which a backslash has two hexadecimal digits behind it."""
    if re.search(r"\\(?![0-9A-Fa-f]{2})", text):
        raise ValueError(text)
    parts = re.split(r"\\([0-9A-Fa-f]{2})", text)
    return b"".join(bytes.fromhex(part) if place % 2 else part.encode() for place, part in enumerate(parts))


def _item(text: str) -> bytes:
    """A comparison. Raises ValueError for what is none."""
    found = _ITEM.fullmatch(text)
    if found is None:
        raise ValueError(text)
    attribute, rules, operator, value = found.groups()
    if operator == ":=" or rules:
        rule = [each for each in rules.split(":")[1:] if each != "dn"]
        if operator != ":=" or len(rule) > 1 or not (attribute or rule):
            raise ValueError(text)
        return _part(
            _EXTENSIBLE,
            *(_part(0x81, each.encode()) for each in rule),
            *([_part(0x82, attribute.encode())] if attribute else []),
            _part(0x83, _escaped(value)),
            *([_part(0x84, b"\xff")] if ":dn" in rules else []),
        )
    if not attribute:
        raise ValueError(text)
    if operator == "=" and value == "*":
        return _part(_PRESENT, attribute.encode())
    if operator == "=" and "*" in value:
        first, *between, last = value.split("*")
        pieces = [(0x80, first), *((0x81, each) for each in between), (0x82, last)]
        written = [_part(tag, _escaped(each)) for tag, each in pieces if each]
        return _part(_SUBSTRINGS, _part(_OCTETS, attribute.encode()), _part(_SEQUENCE, *written))
    return _part(_COMPARISONS[operator], _part(_OCTETS, attribute.encode()), _part(_OCTETS, _escaped(value)))


def _next_filter(text: str) -> tuple[bytes, str]:
    """The first filter's encoding, and what comes after it. Raises ValueError where there is none."""
    if not text.startswith("("):
        raise ValueError(text)
    inner = text[1:].lstrip()  # Java takes blanks there
    kind, rest = inner[:1], inner[1:].lstrip()
    if kind not in ("&", "|", "!"):
        item, end, rest = inner.partition(")")
        if not end:
            raise ValueError(text)
        return _item(item), rest.lstrip()
    parts = []
    while not rest.startswith(")"):
        part, rest = _next_filter(rest)
        parts.append(part)
    if kind == "!" and len(parts) != 1:
        raise ValueError(text)
    return _part({"&": _AND, "|": _OR, "!": _NOT}[kind], *parts), rest[1:].lstrip()


def encoded(key: str, text: str) -> bytes:
    """A filter as LDAP has it. Raises Failed for what is none; `key` is the setting that it comes from."""
    try:
        found, rest = _next_filter(text.strip())
    except ValueError as error:
        raise Failed(f"omero.ldap.{key} {text} is no LDAP filter; look at {str(error)[:60] or 'its end'}") from None
    if rest:
        raise Failed(f"omero.ldap.{key} {text} is no LDAP filter; look at {rest[:60]}")
    return found


def _search(
    stream: socket.socket, base: str, scope: bytes, wanted: bytes, attributes: list[str]
) -> tuple[int, list[dict[str, list[str]]]]:
    """The result's code, and at most `MANY` entries."""
    request = _part(
        _SEARCH,
        _part(_OCTETS, base.encode()),
        _part(_ENUMERATED, scope),
        _part(_ENUMERATED, _FOLLOW_ALIASES),
        _part(_INTEGER, bytes([MANY])),
        _part(_INTEGER, bytes([SECONDS])),
        _part(_BOOLEAN, b"\0"),
        wanted,
        _part(_SEQUENCE, *(_part(_OCTETS, each.encode()) for each in attributes)),
    )
    stream.sendall(_part(_SEQUENCE, _part(_INTEGER, b"\2"), request))
    found: list[dict[str, list[str]]] = []
    while True:
        tag, operation = _message(stream)
        if tag == _FOUND:
            found.append(_entry(operation))
        if tag == _DONE:
            return _code(operation), found


def _entry(operation: bytes) -> dict[str, list[str]]:
    """Values by attribute, in lower case."""
    _, _, rest = _take(operation)  # its name
    values: dict[str, list[str]] = {}
    rest = _take(rest)[1]
    while rest:
        _, attribute, rest = _take(rest)
        _, name, several = _take(attribute)
        several = _take(several)[1]
        values[name.decode().lower()] = found = []
        while several:
            _, value, several = _take(several)
            found.append(value.decode("utf-8", "replace"))
    return values


def _look(stream: socket.socket, base: str) -> None:
    """Read the base itself, without its attributes."""
    code, found = _search(stream, base, _BASE_ITSELF, _part(_PRESENT, b"objectClass"), ["1.1"])
    if code or not found:
        raise Failed(f"the base {base} cannot be read: {_WORDS.get(code or 32, f'result code {code}')}")


def _mapping(text: str) -> dict[str, str]:
    """OMERO's names and the directory's attributes, split as LdapConfig does."""
    pairs = (each.partition("=") for each in re.split(r"[\s;:,]+", text))
    return {name: attribute for name, _, attribute in pairs if attribute}


def _having(stream: socket.socket, settings: Mapping[str, str], key: str, attribute: str) -> list[dict[str, list[str]]]:
    """At most `MANY` of those that a filter finds and that have the attribute, with its values."""
    wanted = _part(_AND, encoded(key, settings[key]), _part(_PRESENT, attribute.encode()))
    code, found = _search(stream, settings["base"], _ALL_BELOW, wanted, [attribute])
    if code not in (0, _SIZE_LIMIT):
        raise Failed(f"it refuses omero.ldap.{key} {settings[key]}: {_WORDS.get(code, f'result code {code}')}")
    return found


def _any(stream: socket.socket, settings: Mapping[str, str], key: str) -> int:
    """How many a filter finds, at most `MANY`. Raises Failed for none."""
    found = _having(stream, settings, key, "objectClass")
    if not found:
        raise Failed(f"omero.ldap.{key} {settings[key]} finds nothing below {settings['base']}")
    return len(found)


def _plain(name: str) -> str:
    """A DN to compare: without blanks around its parts, in lower case."""
    return ",".join(part.strip() for part in name.lower().split(","))


def _people(stream: socket.socket, settings: Mapping[str, str]) -> int:
    """How many there are, at most `MANY`. Raises Failed where OMERO refuses all of them, or some for their groups."""
    people = _any(stream, settings, "user_filter")
    for name, attribute in _mapping(settings["user_mapping"]).items():
        if not _having(stream, settings, "user_filter", attribute):
            raise Failed(
                f"nobody whom omero.ldap.user_filter finds has {attribute}, which omero.ldap.user_mapping takes for "
                f"{name}"
            )
    if not settings["new_user_group"].startswith(":"):
        return people
    kind, _, group = settings["new_user_group"][1:].partition(":")
    if kind.endswith("attribute"):
        members = _having(stream, settings, "user_filter", group)
        if not members:
            raise Failed(f"nobody whom omero.ldap.user_filter finds has {group}, which omero.ldap.new_user_group names")
        named = [value for person in members for value in person.get(group.lower(), [])]
        outside = [each for each in named if not f",{_plain(each)}".endswith(f",{_plain(settings['base'])}")]
        if kind.endswith("dn_attribute") and outside:
            raise Failed(
                f"{group} names groups that are not below {settings['base']}, such as {outside[0]}: OMERO refuses "
                "whoever is in one; give a base that has people and groups below it"
            )
    if kind.startswith("filtered") or kind == "query":
        _any(stream, settings, "group_filter")
        attribute = _mapping(settings["group_mapping"]).get("name", "cn")
        if not _having(stream, settings, "group_filter", attribute):
            raise Failed(
                f"no group that omero.ldap.group_filter finds has {attribute}, which omero.ldap.group_mapping takes "
                "for name"
            )
    return people


def _trust(certificates: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if certificates:
        context.load_verify_locations(cadata=certificates)
    return context


def check(settings: Mapping[str, str], certificates: str) -> int:
    """How many people were looked at. Raises Failed at the first step that fails."""
    parts = urlsplit(settings["urls"])
    host, port = parts.hostname or "", parts.port or 636
    try:
        address = str(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0])
    except OSError:
        raise Failed(f"its name {host} is not known here; look at the VPC's DNS") from None
    try:
        plain = socket.create_connection((address, port), timeout=SECONDS)
    except OSError as error:
        raise Failed(
            f"{address} does not answer on port {port} ({error}); look at omero.ldap.cidrs and the routes to it"
        ) from None
    with plain:
        try:
            stream = _trust(certificates).wrap_socket(plain, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            raise Failed(
                f"its certificate is refused: {error.verify_message}; give its authority as omero.ldap.ca_certificate, "
                "and its name as in the certificate"
            ) from None
        except OSError as error:
            raise Failed(f"it does not speak TLS on port {port} ({error})") from None
        try:
            _bind(stream, settings["username"], settings["password"])
            _look(stream, settings["base"])
            return _people(stream, settings)
        except OSError as error:
            raise Failed(f"it does not answer ({error})") from None


def main() -> int:
    """Print what came out; the exit code says it too."""
    names = ("urls", "username", "password", "base", "user_filter", "user_mapping", "group_filter", "group_mapping")
    settings = {
        name: os.environ.get(f"CONFIG_omero_ldap_{name.replace('_', '__')}", "") for name in (*names, "new_user_group")
    }
    try:
        people = check(settings, os.environ.get("TRUSTED_CERTIFICATES", ""))
    except Failed as error:
        sys.stdout.write(f"The directory {settings['urls']} cannot be used: {error}.\n")
        return 1
    some = f"at least {people}" if people == MANY else str(people)
    sys.stdout.write(f"The directory {settings['urls']} answers, and omero.ldap.user_filter finds {some} there.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

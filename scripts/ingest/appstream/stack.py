"""The stack: what people may do in a session."""

from __future__ import annotations

from scripts.ingest.appstream.context import Json, Place

_TO_DELETE = {
    "RedirectURL": "REDIRECT_URL",
    "EmbedHostDomains": "EMBED_HOST_DOMAINS",
    "StorageConnectors": "STORAGE_CONNECTORS",
}


def find(place: Place) -> Json | None:
    """The stack. Raises Refused if it is not this workspace's."""
    return place.find(f"stack {place.name}", place.client.describe_stacks, "Stacks", Names=[place.name])


def wanted(place: Place) -> Json:
    """What it shall be like, as CreateStack takes it; what is left out is empty."""
    settings = place.settings.stack
    allowed = {
        "CLIPBOARD_COPY_FROM_LOCAL_DEVICE": settings.clipboard_in,
        "CLIPBOARD_COPY_TO_LOCAL_DEVICE": settings.clipboard_out,
        "FILE_UPLOAD": settings.file_upload,
        "FILE_DOWNLOAD": settings.file_download,
        "PRINTING_TO_LOCAL_DEVICE": settings.printing,
    }
    return {
        "DisplayName": "OMERO.insight",
        "StorageConnectors": [{"ConnectorType": "HOMEFOLDERS"}] if settings.home_folders else [],
        "UserSettings": [
            {"Action": action, "Permission": "ENABLED" if yes else "DISABLED"} for action, yes in allowed.items()
        ],
        "RedirectURL": settings.redirect_url or "",
        "EmbedHostDomains": list(settings.embed_domains),
    }


def _as_asked(found: Json, asked: Json) -> Json:
    """A stack that AWS describes, in the words of a request."""
    ours = {each["Action"] for each in asked["UserSettings"]}
    permissions = {each["Action"]: each["Permission"] for each in found.get("UserSettings", [])}
    return {
        "DisplayName": found.get("DisplayName", ""),
        "StorageConnectors": [{"ConnectorType": each["ConnectorType"]} for each in found.get("StorageConnectors", [])],
        "UserSettings": [
            {"Action": each["Action"], "Permission": permissions.get(each["Action"], "ENABLED")}
            for each in asked["UserSettings"]
            if each["Action"] in ours
        ],
        "RedirectURL": found.get("RedirectURL", ""),
        "EmbedHostDomains": sorted(found.get("EmbedHostDomains", [])),
    }


def ensure(place: Place) -> None:
    """Have the stack as the section says."""
    asked, found = wanted(place), find(place)
    given = {key: value for key, value in asked.items() if value}
    if found is None:
        arguments = {"Name": place.name, **given, "Tags": place.tags}
        place.changes.do(f"stack {place.name}: created", lambda: place.insist(place.client.create_stack, **arguments))
        return
    comparable = {**asked, "EmbedHostDomains": sorted(asked["EmbedHostDomains"])}
    changed = place.differences(_as_asked(found, asked), comparable)
    if not changed:
        return
    update: Json = {key: asked[key] for key in changed if key in given}
    # Home folders that are turned off stay in their bucket.
    gone = [_TO_DELETE[key] for key in changed if key not in given]
    if gone:
        update["AttributesToDelete"] = gone
    place.changes.do(
        f"stack {place.name}: {', '.join(changed)} set",
        lambda: place.insist(place.client.update_stack, Name=place.name, **update),
    )


def associate(place: Place) -> None:
    """Have the fleet behind the stack."""
    if place.name in fleets(place):
        return
    place.changes.do(
        f"stack {place.name}: the fleet {place.name} put behind it",
        lambda: place.insist(place.client.associate_fleet, FleetName=place.name, StackName=place.name),
    )


def fleets(place: Place) -> list[str]:
    """Names of the fleets behind the stack."""
    if find(place) is None:
        return []
    return place.pages(place.client.list_associated_fleets, "Names", StackName=place.name)


def remove(place: Place) -> None:
    """Take the fleet from behind it, and delete it. Home folders are no part of it."""
    if find(place) is None:
        return
    for name in fleets(place):
        place.changes.do(
            f"stack {place.name}: the fleet {name} taken from behind it",
            lambda name=name: place.insist(  # type: ignore[misc]
                place.client.disassociate_fleet, "ResourceInUseException", FleetName=name, StackName=place.name
            ),
        )
    place.changes.do(f"stack {place.name}: deleted", lambda: place.insist(place.client.delete_stack, Name=place.name))

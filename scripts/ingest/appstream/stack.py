"""The stack: what people may do in a session."""

from __future__ import annotations

from scripts.ingest.appstream.context import AppStreamContext, Json

_TO_DELETE = {
    "RedirectURL": "REDIRECT_URL",
    "EmbedHostDomains": "EMBED_HOST_DOMAINS",
    "StorageConnectors": "STORAGE_CONNECTORS",
}


def find(context: AppStreamContext) -> Json | None:
    """The stack. Raises Refused if it is not this workspace's."""
    return context.find(f"stack {context.name}", context.client.describe_stacks, "Stacks", Names=[context.name])


def desired(context: AppStreamContext) -> Json:
    """The wanted stack, as CreateStack takes it; what is left out is empty."""
    settings = context.settings.stack
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


def ensure(context: AppStreamContext) -> None:
    """Have the stack as the section says."""
    asked, found = desired(context), find(context)
    given = {key: value for key, value in asked.items() if value}
    if found is None:
        arguments = {"Name": context.name, **given, "Tags": context.tags}
        context.changes.do(
            f"stack {context.name}: created", lambda: context.retry(context.client.create_stack, **arguments)
        )
        return
    comparable = {**asked, "EmbedHostDomains": sorted(asked["EmbedHostDomains"])}
    changed = context.differences(_as_asked(found, asked), comparable)
    if not changed:
        return
    update: Json = {key: asked[key] for key in changed if key in given}
    # Home folders that are turned off stay in their bucket.
    gone = [_TO_DELETE[key] for key in changed if key not in given]
    if gone:
        update["AttributesToDelete"] = gone
    context.changes.do(
        f"stack {context.name}: {', '.join(changed)} set",
        lambda: context.retry(context.client.update_stack, Name=context.name, **update),
    )


def associate(context: AppStreamContext) -> None:
    """Have the fleet behind the stack."""
    if context.name in fleets(context):
        return
    context.changes.do(
        f"stack {context.name}: fleet {context.name} associated",
        lambda: context.retry(context.client.associate_fleet, FleetName=context.name, StackName=context.name),
    )


def fleets(context: AppStreamContext) -> list[str]:
    """Names of the fleets behind the stack."""
    if find(context) is None:
        return []
    return context.rows("list_associated_fleets", "Names", StackName=context.name)


def remove(context: AppStreamContext) -> None:
    """Disassociate the fleet, and delete the stack. Home folders stay."""
    if find(context) is None:
        return
    for name in fleets(context):
        context.changes.do(
            f"stack {context.name}: fleet {name} disassociated",
            lambda name=name: context.retry(  # type: ignore[misc]
                context.client.disassociate_fleet, "ResourceInUseException", FleetName=name, StackName=context.name
            ),
        )
    context.changes.do(
        f"stack {context.name}: deleted", lambda: context.retry(context.client.delete_stack, Name=context.name)
    )

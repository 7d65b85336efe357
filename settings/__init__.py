"""Settings of a workspace: validated models of `workspaces/<name>.yaml`. Knows neither cdktf nor boto3."""

from settings.load import SettingsError, available, load, selected
from settings.workspace import Workspace

__all__ = ["SettingsError", "Workspace", "available", "load", "selected"]

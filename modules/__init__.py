"""Constructs: one concern a file, typed props in, attributes out. They know nothing of workspaces."""

from modules import bindings

bindings.install()

"""Rehearsals: a workspace deployed to an AWS on this machine, tested, and destroyed."""

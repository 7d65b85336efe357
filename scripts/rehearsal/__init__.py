"""Rehearsals: a workspace deployed to an AWS on this machine, proved, and taken away."""

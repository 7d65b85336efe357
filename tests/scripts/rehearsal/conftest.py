"""Fixtures that the tests of rehearsals share."""

from local_aws.testing.fixtures import aws, client, ecs, files_root, network, role
from tests.scripts.rehearsal.omero_parser_help import parser
from tests.scripts.rehearsal.stand_ins_help import programs, stand_ins

__all__ = ["aws", "client", "ecs", "files_root", "network", "parser", "programs", "role", "stand_ins"]

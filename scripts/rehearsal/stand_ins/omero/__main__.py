"""`omero COMMAND ...`."""

from __future__ import annotations

import argparse
import sys

from scripts.rehearsal.stand_ins.omero import administration, importing
from scripts.rehearsal.stand_ins.omero import commands as others
from scripts.rehearsal.stand_ins.omero.state import Refused


def main() -> int:
    parser = argparse.ArgumentParser(prog="omero")
    parser.add_argument("-q", "--quiet", action="store_true", dest="all_quiet")
    parser.add_argument("-d", "--debug", default="0")
    commands = parser.add_subparsers(dest="command", required=True)
    importing.configure(commands.add_parser("import"))
    others.configure(commands)
    administration.configure(commands)
    args = parser.parse_args()
    args.quiet = getattr(args, "quiet", False) or args.all_quiet
    try:
        return int(args.func(args))
    except Refused as error:
        return others.refused(error)
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    sys.exit(main())

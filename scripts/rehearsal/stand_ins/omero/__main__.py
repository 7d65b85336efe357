"""`omero COMMAND ...`: OMERO's own parser refuses what is none, and what it takes is done here."""

from __future__ import annotations

import argparse
import sys

from scripts.rehearsal.stand_ins.omero import administration, importing, log_in, parser
from scripts.rehearsal.stand_ins.omero import commands as others
from scripts.rehearsal.stand_ins.omero.state import Refused


def run(words: list[str]) -> int:
    """The exit code of a command."""
    # Without words the real one reads commands from its input, which this one does not.
    verdict = parser.ask(parser.HELPER, words) if words else None
    if verdict is not None and verdict.ended:
        sys.stdout.write(verdict.stdout)
        sys.stderr.write(verdict.stderr)
        return verdict.code
    mine = argparse.ArgumentParser(prog="omero")
    mine.add_argument("-q", "--quiet", action="store_true", dest="all_quiet")
    mine.add_argument("-d", "--debug", default="0")
    log_in.add_arguments(mine, quiet=False)  # for commands that have none of their own
    commands = mine.add_subparsers(dest="command", required=True)
    importing.configure(commands.add_parser("import"))
    others.configure(commands)
    administration.configure(commands, run)
    args = mine.parse_args(words)
    args.quiet = getattr(args, "quiet", False) or args.all_quiet
    try:
        return int(args.func(args))
    except Refused as error:
        return others.refused(error)
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))

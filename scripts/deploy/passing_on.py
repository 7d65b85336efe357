"""Commands that pass words on to another program without reading them."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

# Options of ours that may stand before the other program's words, each with a value or without.
_WITH_VALUE = ("-w", "--workspace")
_WITHOUT = ("--help",)


class TakesRest(TyperCommand):
    """The words after `--` are for another program: `ctx.args` has them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the base class, for the words before `--`."""
        cut = args.index("--") if "--" in args else len(args)
        super().parse_args(ctx, args[:cut])
        ctx.args = args[cut + 1 :]
        return list(ctx.args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """With the words after `--`."""
        return [*super().collect_usage_pieces(ctx), "[-- CDKTF_OPTIONS...]"]


class Wraps(TyperCommand):
    """Everything from the first word that is not ours on is for another program, options and all."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As the base class, for our own options at the beginning."""
        cut = 0
        while cut < len(args):
            name, _, value = args[cut].partition("=")
            if name in _WITH_VALUE:
                cut += 1 if value else 2
            elif name in _WITHOUT:
                cut += 1
            else:
                break
        return super().parse_args(ctx, [*args[:cut], "--", *args[cut:]])

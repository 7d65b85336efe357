"""Which files are one image with a main file, by the rules of `readers`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from . import named
from .readers import NO_READER_FOLDERS, RULES, Rule
from .tree import Folder, Tree, literal, lower, opened

# Where it says whose file it is: at its beginning, of which Bio-Formats reads up to a MiB.
SAYS_BYTES = 128 * 1024


OUTSIDE = "outside of its folder"


class Members(NamedTuple):
    """`files` by their paths from the main file's folder on, without the main file; `whole` are folders that are all
    its own; `odd` is a fault: one of its files is a link, or no file."""

    files: dict[bytes, os.stat_result]
    whole: frozenset[bytes]
    odd: str = ""


NONE = Members({}, frozenset())
# A folder may hold a million files: each is compared with few.
_BY_SUFFIX: dict[str, list[Rule]] = {}
for _rule in RULES:
    for _suffix in dict.fromkeys(pattern.rpartition(".")[2] for pattern in _rule.main):
        _BY_SUFFIX.setdefault(_suffix, []).append(_rule)


def rule_of(folder: Folder, name: bytes) -> Rule | None:
    """The rule of which it is the main file, by its name, and by what it says where its name is not enough."""
    low = lower(name)
    for rule in _BY_SUFFIX.get(low.rpartition(".")[2], ()):
        if any(fnmatchcase(low, pattern) for pattern in rule.main) and _says(folder, name, rule):
            return rule
    return None


def members(tree: Tree, folder: Folder, name: bytes, rule: Rule | None) -> Members:
    """The other files of a main file."""
    low = lower(name)
    suffix = low.rpartition(".")[2]
    patterns = rule.files if rule else ("{stem}/**",) if suffix in NO_READER_FOLDERS else ()
    stem = _stem(low, rule)
    files: dict[bytes, os.stat_result] = {}
    whole: set[bytes] = set()
    odd = ""
    for pattern in patterns:
        text = pattern.format(stem=literal(stem), name=literal(low))
        for path, about in _matching(tree, folder, text, whole):
            odd = odd or _take(files, path, about, folder)
    if rule and rule.names:
        for path, about in _named(tree, folder, name, rule, files):
            odd = odd or _take(files, path, about, folder)
    files.pop(name, None)
    for path in [each for each in files if rule and _is_left(each, rule)]:
        del files[path]
    return Members(dict(sorted(files.items())), frozenset(whole), odd)


def _take(files: dict[bytes, os.stat_result], path: bytes, about: os.stat_result | str, folder: Folder) -> str:
    """Have it among the files; why not, if it is no file."""
    if isinstance(about, str):
        return f"its file {os.fsdecode(path)} is {about}; put the file itself into its folder, then scan again"
    files[path] = about
    return ""


def _is_left(path: bytes, rule: Rule) -> bool:
    """What is of a rule before it is never taken, nor what it says itself: of two that name each other, one is left."""
    low = lower(os.path.basename(path))
    if any(fnmatchcase(low, pattern) for pattern in rule.but):
        return True
    before = RULES[: RULES.index(rule)]
    return any(fnmatchcase(low, pattern) for other in before if not other.says for pattern in other.main)


def _says(folder: Folder, name: bytes, rule: Rule) -> bool:
    if not rule.says:
        return True
    try:
        with opened(os.path.join(folder.path, name)) as file:
            text = file.read(SAYS_BYTES).replace(b"\0", b"").lower()
    except OSError:
        return False
    return any(word in text for word in rule.says)


def _stem(low: str, rule: Rule | None) -> str:
    for pattern in rule.main if rule else ():
        if pattern[0] == "*" and low.endswith(pattern[1:]):
            return low[: -len(pattern[1:])]
    return low.rpartition(".")[0]


Found = Iterable["tuple[bytes, os.stat_result | str]"]


def _matching(tree: Tree, folder: Folder, pattern: str, whole: set[bytes]) -> Found:
    first, _, rest = pattern.partition("/")
    if not rest:
        for name in folder.matching(first):
            if name in folder.files:
                yield name, folder.files[name]
            else:
                yield name, folder.odd[name]
        return
    for each in folder.matching(first, folders=True):
        if rest == "**":
            whole.add(each)
            yield from all_below(tree, os.path.join(folder.path, each), each)
        elif below := tree.read(os.path.join(folder.path, each)):
            for name, about in _matching(tree, below, rest, set()):
                yield os.path.join(each, name), about
    # A link, or what else there is, in the place of its folder.
    for each in folder.matching(first):
        if each in folder.odd:
            yield each, folder.odd[each]


def all_below(tree: Tree, path: bytes, relative: bytes) -> Found:
    """Everything below a folder, by its path from that folder's own on."""
    todo = [(path, relative)]
    while todo:
        at, name = todo.pop()
        found = tree.read(at)
        if found is None:
            continue
        yield from ((os.path.join(name, each), about) for each, about in found.files.items())
        yield from ((os.path.join(name, each), what) for each, what in found.odd.items())
        todo += [(os.path.join(at, each), os.path.join(name, each)) for each in reversed(found.folders)]


def _named(tree: Tree, folder: Folder, name: bytes, rule: Rule, known: Iterable[bytes]) -> Found:
    """What it names, and what those name that it names."""
    todo = [name, *(each for each in known if lower(each).endswith(tuple("." + each for each in rule.through)))]
    asked = set(todo)
    while todo:
        at = todo.pop()
        beside = os.path.dirname(at)
        for word in sorted(_names(os.path.join(folder.path, at), (*rule.names, *rule.through))):
            path = os.path.normpath(os.path.join(beside, word))
            about = _at(tree, folder, path) or _at(tree, folder, path := os.path.basename(path))
            if about is None:
                continue
            yield path, about
            if path not in asked and rule.through and lower(path).rpartition(".")[2] in rule.through:
                asked.add(path)
                todo.append(path)


def _names(path: bytes, suffixes: Iterable[str]) -> set[bytes]:
    try:
        return named.names_in(path, suffixes)
    except OSError:
        return set()


def _at(tree: Tree, folder: Folder, path: bytes) -> os.stat_result | str | None:
    """What is at a path below a folder, to which no link leads; why it is not taken, if it is there."""
    at: Folder | None = folder
    if path.startswith((b"/", b"../")):
        return OUTSIDE if os.path.lexists(os.path.join(folder.path, path)) else None
    *parts, name = path.split(b"/")
    for part in parts:
        if at is None or part in at.odd:
            return at.odd[part] if at else None
        if part not in at.folders:
            return None
        at = tree.read(os.path.join(at.path, part))
    if at is None:
        return None
    return at.files[name] if name in at.files else at.odd.get(name)


def in_order(folder: Folder, names: Iterable[bytes]) -> Iterator[tuple[bytes, Rule]]:
    """The main files of several files among some names, in the order in which they take theirs."""
    found = []
    for name in names:
        rule = rule_of(folder, name)
        if rule:
            found.append((RULES.index(rule), len(name), name, rule))
    for _, _, name, rule in sorted(found, key=lambda each: each[:3]):
        yield name, rule

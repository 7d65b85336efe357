"""`omero hql`: selections over the entities that matter to imports, translated to SQL.

Understood: `select [distinct] PATHS or count(...) from ENTITY alias [, ENTITY alias]... [[left [outer]] join [fetch]
alias.PROPERTY alias]... [where ...] [group by ...] [order by ...]`, with paths such as `i.fileset.id`, and in
conditions whatever SQLite has as well.
"""

from __future__ import annotations

import re

# Entity to its table and properties: a column, ("one", entity, own column) or ("many", entity, its column).
Property = str | tuple[str, str, str]
_OWNED: dict[str, Property] = {"id": "id", "details.owner": ("one", "Experimenter", "owner")}
# omero-py's hql prints such a property (RTime) as `time.ctime` does.
_TIMES = ("started", "closed", "up", "down")
_NAMED: dict[str, Property] = {**_OWNED, "name": "name", "description": "description"}
ENTITIES: dict[str, tuple[str, dict[str, Property]]] = {
    "Experimenter": ("experimenter", {name: name for name in ("id", "omeName", "firstName", "lastName")}),
    "ExperimenterGroup": ("experimentergroup", {"id": "id", "name": "name"}),
    "Project": ("project", {**_NAMED, "datasetLinks": ("many", "ProjectDatasetLink", "parent")}),
    "Dataset": (
        "dataset",
        {
            **_NAMED,
            "imageLinks": ("many", "DatasetImageLink", "parent"),
            "projectLinks": ("many", "ProjectDatasetLink", "child"),
        },
    ),
    "Screen": ("screen", {**_NAMED, "plateLinks": ("many", "ScreenPlateLink", "parent")}),
    "Plate": ("plate", {**_NAMED, "screenLinks": ("many", "ScreenPlateLink", "child")}),
    "ScreenPlateLink": (
        "screenplatelink",
        {**_OWNED, "parent": ("one", "Screen", "parent"), "child": ("one", "Plate", "child")},
    ),
    "ProjectDatasetLink": (
        "projectdatasetlink",
        {**_OWNED, "parent": ("one", "Project", "parent"), "child": ("one", "Dataset", "child")},
    ),
    "DatasetImageLink": (
        "datasetimagelink",
        {**_OWNED, "parent": ("one", "Dataset", "parent"), "child": ("one", "Image", "child")},
    ),
    "Fileset": (
        "fileset",
        {
            **_OWNED,
            "templatePrefix": "templatePrefix",
            "usedFiles": ("many", "FilesetEntry", "fileset"),
            "images": ("many", "Image", "fileset"),
            "jobLinks": ("many", "FilesetJobLink", "parent"),
            "details.creationEvent": ("one", "Event", "event"),
        },
    ),
    "Event": ("event", {"id": "id", "session": ("one", "Session", "session")}),
    "Session": (
        "session",
        {"id": "id", "node": ("one", "Node", "node"), **{name: name for name in ("uuid", "started", "closed")}},
    ),
    "Node": ("node", {name: name for name in ("id", "uuid", "up", "down")}),
    "FilesetJobLink": (
        "filesetjoblink",
        {"id": "id", "parent": ("one", "Fileset", "parent"), "child": ("one", "UploadJob", "child")},
    ),
    "UploadJob": ("uploadjob", {"id": "id", "status": ("one", "JobStatus", "status")}),
    "JobStatus": ("jobstatus", {"id": "id", "value": "value"}),
    "JobOriginalFileLink": (
        "joboriginalfilelink",
        {"id": "id", "parent": ("one", "UploadJob", "parent"), "child": ("one", "OriginalFile", "child")},
    ),
    "FilesetEntry": (
        "filesetentry",
        {
            "id": "id",
            "clientPath": "clientPath",
            "fileset": ("one", "Fileset", "fileset"),
            "originalFile": ("one", "OriginalFile", "originalFile"),
        },
    ),
    "OriginalFile": (
        "originalfile",
        {
            **_OWNED,
            **{name: name for name in ("name", "path", "size", "hash", "mimetype")},
            "filesetEntries": ("many", "FilesetEntry", "originalFile"),
        },
    ),
    "Image": (
        "image",
        {
            **_NAMED,
            "series": "series",
            "fileset": ("one", "Fileset", "fileset"),
            "datasetLinks": ("many", "DatasetImageLink", "child"),
            "annotationLinks": ("many", "ImageAnnotationLink", "parent"),
        },
    ),
    "ImageAnnotationLink": (
        "imageannotationlink",
        {"id": "id", "parent": ("one", "Image", "parent"), "child": ("one", "Annotation", "child")},
    ),
    "Annotation": ("annotation", {"id": "id", "ns": "ns", "textValue": "textValue"}),
    "CommentAnnotation": ("annotation", {"id": "id", "ns": "ns", "textValue": "textValue"}),
}
# What others read of a session's key (PrivilegedStringTypeDescriptor of omero-model).
HIDDEN = "********-****-****-****-*************"
_TOKEN = re.compile(r"\s+|'(?:[^']|'')*'|[A-Za-z_][\w.]*|\d+(?:\.\d+)?|<>|!=|<=|>=|.", re.DOTALL)
_KEYWORDS = {
    "select",
    "distinct",
    "from",
    "where",
    "join",
    "left",
    "outer",
    "inner",
    "fetch",
    "on",
    "as",
    "and",
    "or",
    "not",
    "in",
    "like",
    "is",
    "null",
    "order",
    "by",
    "asc",
    "desc",
    "count",
    "between",
    "upper",
    "lower",
    "group",
    "having",
    "exists",
    "max",
    "min",
    "sum",
    "true",
    "false",
    "case",
    "when",
    "then",
    "else",
    "end",
    "concat",
}


class BadQuery(Exception):
    """A query that is none, or not understood here."""


def translate(query: str, *, reader: int | None = None) -> tuple[str, bool]:
    """The SQL, and whether each row is one whole object (its class and id). `reader`: who may read the keys of
    their own sessions alone, as all but administrators with ReadSession may (PrivilegedStringType of omero-model)."""
    tokens = [each for each in _TOKEN.findall(query.strip()) if not each.isspace()]
    lowered = [each.lower() for each in tokens]
    if "from" not in lowered:
        raise BadQuery(f"unexpected token: {tokens[0] if tokens else 'end of query'}")
    if lowered[0] == "from":
        tokens, lowered = ["select", "*", *tokens], ["select", "*", *lowered]
    if lowered[0] != "select":
        raise BadQuery(f"only select statements are executed, not {tokens[0]}")
    return _Translation(tokens, lowered, reader).sql()


class _Translation:
    def __init__(self, tokens: list[str], lowered: list[str], reader: int | None) -> None:
        self.tokens, self.lowered, self.reader = tokens, lowered, reader
        self.aliases: dict[str, str] = {}
        self.joins: list[str] = []
        self.implied: dict[str, str] = {}

    def sql(self) -> tuple[str, bool]:
        start = self.lowered.index("from")
        sources: list[str] = []
        index = start
        while not sources or (index < len(self.tokens) and self.tokens[index] == ","):
            source, index = self._source(index + 1)
            sources.append(source)
        while index < len(self.tokens) and self.lowered[index] in ("join", "left", "inner"):
            index = self._join(index)
        selected = self.tokens[2 if self.lowered[1] == "distinct" else 1 : start]
        if selected == ["*"]:
            selected = [next(iter(self.aliases))]
        whole = len(selected) == 1 and selected[0] in self.aliases
        first = selected[0]
        columns = f"'{self.aliases[first]}I', {first}.id" if whole else self._rewritten(selected)
        rest = self._rewritten(self.tokens[index:])
        distinct = "DISTINCT " if self.lowered[1] == "distinct" else ""
        joined = " ".join([*self.joins, *self.implied.values()])
        return f"SELECT {distinct}{columns} FROM {' JOIN '.join(sources)} {joined} {rest}", whole

    def _source(self, index: int) -> tuple[str, int]:
        """An entity and its alias."""
        entity = self.tokens[index].rpartition(".")[2]
        if entity not in ENTITIES:
            raise BadQuery(f"{entity} is not mapped [{' '.join(self.tokens)}]")
        alias, index = self._alias(index + 1)
        self.aliases[alias] = entity
        return f"{ENTITIES[entity][0]} AS {alias}", index

    def _alias(self, index: int) -> tuple[str, int]:
        if index < len(self.tokens) and self.lowered[index] == "as":
            index += 1
        if index >= len(self.tokens) or self.lowered[index] in _KEYWORDS or not self.tokens[index].isidentifier():
            return f"a{index}", index
        return self.tokens[index], index + 1

    def _join(self, index: int) -> int:
        kind = "LEFT JOIN" if self.lowered[index] == "left" else "JOIN"
        while self.lowered[index] in ("join", "left", "outer", "inner", "fetch"):
            index += 1
        owner, _, name = self.tokens[index].rpartition(".")
        alias, index = self._alias(index + 1)
        entity, condition = self._step(self._owner(owner), name, alias)
        self.aliases[alias] = entity
        self.joins.append(f"{kind} {ENTITIES[entity][0]} AS {alias} ON {condition}")
        return index

    def _owner(self, path: str) -> str:
        """The alias that a path leads to, with the joins that it implies."""
        first, *names = path.split(".")
        if first not in self.aliases:
            raise BadQuery(f"Invalid path: '{path}'")
        alias = first
        while names:
            name = ".".join(names[:2]) if names[0] == "details" else names[0]
            names = names[len(name.split(".")) :]
            made = f"{alias}__{name.replace('.', '_')}"
            if made not in self.aliases:
                entity, condition = self._step(alias, name, made)
                self.aliases[made] = entity
                self.implied[made] = f"LEFT JOIN {ENTITIES[entity][0]} AS {made} ON {condition}"
            alias = made
        return alias

    def _step(self, alias: str, name: str, to: str) -> tuple[str, str]:
        found = ENTITIES[self.aliases[alias]][1].get(name)
        if not isinstance(found, tuple):
            raise BadQuery(f"could not resolve property: {name} of: ome.model.{self.aliases[alias]}")
        kind, entity, column = found
        return entity, f"{to}.id = {alias}.{column}" if kind == "one" else f"{to}.{column} = {alias}.id"

    def _rewritten(self, tokens: list[str]) -> str:
        words = []
        for token in tokens:
            if token[0].isalpha() or token[0] == "_":
                words.append(self._word(token))
            elif token == ":":
                raise BadQuery("Not all named parameters have been set")
            else:
                words.append(token)
        return " ".join(words)

    def _word(self, token: str) -> str:
        if token.lower() in _KEYWORDS:
            return token
        if "." not in token:
            if token in self.aliases:
                return f"{token}.id"
            raise BadQuery(f"unexpected token: {token}")
        owner, _, name = token.rpartition(".")
        alias = self._owner(owner)
        found = ENTITIES[self.aliases[alias]][1].get(name)
        if found is None:
            raise BadQuery(f"could not resolve property: {name} of: ome.model.{self.aliases[alias]}")
        column = f"{alias}.{found if isinstance(found, str) else found[2]}"
        if self.reader is not None and (self.aliases[alias], name) == ("Session", "uuid"):
            return f"CASE {alias}.experimenter WHEN {self.reader} THEN {column} ELSE '{HIDDEN}' END"
        return f"ctime({column})" if name in _TIMES and isinstance(found, str) else column

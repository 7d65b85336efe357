"""Stand-in for the importer's JVM, a process of its own as ome.formats.importer.cli.CommandLineImporter is."""

from __future__ import annotations

import getopt
import os
import shlex
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scripts.rehearsal.stand_ins.omero import engine, formats, locks, repository, targets
from scripts.rehearsal.stand_ins.omero.paths import client_path
from scripts.rehearsal.stand_ins.omero.state import PREPARE, VERIFY, Fault, Refused, Server

DATA = Path("/OMERO")
LONG = [
    "debug=",
    "report",
    "upload",
    "logs",
    "email=",
    "name=",
    "description=",
    "no-thumbnails",
    "agent=",
    "annotation-ns=",
    "annotation-text=",
    "annotation-link=",
    "transfer=",
    "advanced-help",
    "checksum-algorithm=",
    "minutes_wait=",
    "close_completed",
    "wait_completed",
    "auto_close",
    "exclude=",
    "no-stats-info",
    "no-upgrade-check",
    "qa-baseurl=",
    "output=",
    "encrypted=",
    "parallel-upload=",
    "parallel-fileset=",
    "target=",
    "readers=",
    "plate_name=",
    "plate_description=",
    "no_thumbnails",
    "checksum_algorithm=",
    "annotation_ns=",
    "annotation_text=",
    "annotation_link=",
    "depth=",
]
_TRANSFERS = ("upload", "upload_rm", "ln", "ln_s", "ln_rm", "cp", "cp_rm")
_CHECKSUMS = ("Adler-32", "CRC-32", "File-Size-64", "MD5-128", "Murmur3-32", "Murmur3-128", "SHA1-160")
_USAGE = """
 Usage:  importer-cli [OPTION]... [path [path ...]]...
   or:   importer-cli [OPTION]... -

Import any number of files into an OMERO instance.
If "-" is the only path, a list of files or directories
is read from standard in. Directories will be searched for
all valid imports."""


_STACK = "\tat ome.formats.importer.ImportLibrary.importImage(ImportLibrary.java:600)\n\t... 9 more"


def log(level: str, logger: str, message: str) -> None:
    now = datetime.now(UTC)
    stamp = f"{now:%Y-%m-%d %H:%M:%S},{now.microsecond // 1000:03}"
    passed = int(time.process_time() * 1000)
    thread = "main" if threading.current_thread() is threading.main_thread() else threading.current_thread().name[-10:]
    sys.stderr.write(f"{stamp} {passed:<10} [{thread:>10}] {level:<9} {logger:>40} - {message}\n")


def _usage() -> int:
    sys.stderr.write(_USAGE + "\n")
    return 1


class Importer:
    def __init__(self, server: Server, options: dict[str, str], many: list[tuple[str, str]]) -> None:
        self.server = server
        self.options = options
        self.exclude = [value for name, value in many if name == "--exclude"]
        self.notes = (
            [value for name, value in many if name in ("--annotation-ns", "--annotation_ns")],
            [value for name, value in many if name in ("--annotation-text", "--annotation_text")],
        )
        self.transfer = options.get("--transfer", "upload")
        self.errors = 0
        self.files = self.filesets = self.images = 0
        self.printing = threading.Lock()
        self.stopped = False

    def start(self, paths: list[str], depth: int) -> int:
        began = time.monotonic()
        candidates, errors = formats.scan(paths, depth)
        log("INFO", "ome.formats.importer.ImportCandidates", f"Depth: {depth} Metadata Level: MINIMUM")
        files = sum(len(each.used) for each in candidates)
        log(
            "INFO",
            "ome.formats.importer.ImportCandidates",
            f"{files} file(s) parsed into {len(candidates)} group(s) with {len(candidates)} call(s) to setId in 1ms. "
            f"(1ms total) [{len(errors)} unknowns]",
        )
        for error in errors:
            log("ERROR", "ome.formats.importer.cli.ErrorHandler", f"FILE_EXCEPTION: {error}")
        self.errors = len(errors)
        if "-f" in self.options:
            _print_used(candidates)
            return 0 if candidates else 125
        if not candidates:
            if errors:
                sys.stderr.write("No imports due to errors!\n")
                self._report(began)
                return 0  # as CommandLineImporter.start does
            sys.stderr.write("No imports found\n")
            return _usage()
        try:
            self.user = self.server.user_of(self.options.get("-k", ""))
            self.target = self._target()
        except (Refused, ValueError) as error:
            log("ERROR", "ome.formats.importer.cli.CommandLineImporter", f"Error during import process.\n{error}")
            return 2
        workers = int(self.options.get("--parallel-fileset", "1"))
        if workers == 1:
            done = [self._one(each) for each in candidates]
        else:
            with ThreadPoolExecutor(workers, thread_name_prefix="fileset") as pool:
                done = list(pool.map(self._one, candidates))
        self._report(began)
        return 0 if all(done) else 2

    def _target(self) -> str:
        """The target, where there is one. Raises ValueError."""
        text = self.options.get("--target") or self.options.get("-T") or ""
        for option, kind in (("-d", "Dataset"), ("-r", "Screen")):
            if value := self.options.get(option):
                text = f"{kind}:id:{int(value.removeprefix(f'{kind}:'))}"
        if text:
            targets.parse(text)
        return text

    def _one(self, candidate: formats.Candidate) -> bool:
        """Whether the import goes on with success: after an error with `-c` it does.

        A file is named, and counted as an error, if the server could not import it or it could not be transferred, and
        then it is the one of the fileset's that was; of everything else there is a stack trace alone (`uploadFile`,
        `onFinished` and `importCandidates` of omero-blitz's ImportLibrary).
        """
        if self.stopped:
            return False
        try:
            self._import(candidate)
        except Exception as error:
            with self.printing:
                if isinstance(error, repository.TransferFailed):
                    self._name_error(f"FILE_EXCEPTION: {error.file}\n{error}")
                elif isinstance(error, engine.Answered):
                    self._name_error(f"INTERNAL_EXCEPTION: {candidate.file}\n{error}{error}")
                    error = Exception("java.lang.Exception: Import failure")
                log("ERROR", "ome.formats.importer.ImportLibrary", f"Error on import\n{error}\n{_STACK}")
                if "-c" not in self.options:
                    log("INFO", "ome.formats.importer.ImportLibrary", "Exiting on error")
                    self.stopped = True
                    return False
                log("INFO", "ome.formats.importer.ImportLibrary", "Continuing after error")
        return True

    def _name_error(self, message: str) -> None:
        self.errors += 1
        log("ERROR", "ome.formats.importer.cli.ErrorHandler", f"{message}\n{_STACK}")

    def _import(self, candidate: formats.Candidate) -> None:
        path = client_path(str(candidate.file))
        if self._excluded(candidate, path):
            log("INFO", "ome.formats.importer.ImportLibrary", f"File excluded: {candidate.file}")
            return
        serving = self.server.node > 0
        if holder := self.server.get("lock") or ("another server" if serving and not self._engine_runs() else ""):
            raise repository.Failed(
                "omero.ResourceError: serverExceptionClass = ome.conditions.ResourceError\n    message = the managed "
                f"repository is not available: its lock is held by {holder}"
            )
        faults = self.server.take_faults(path)
        log("INFO", "ome.formats.importer.cli.LoggingImportMonitor", "FILESET_UPLOAD_PREPARATION")
        self._meet(faults, PREPARE, path)
        folder = repository.place(self.server, self.user)
        key = self.options["-k"]
        fileset = repository.begin(self.server, key, candidate, folder, self.transfer)
        repository.transfer(folder, candidate, self.transfer, same_mount=not serving or self._same_mount())
        for used in candidate.used:
            log("INFO", "ome.formats.importer.cli.LoggingImportMonitor", f"FILE_UPLOAD_COMPLETE: {used}")
        try:
            self._meet(faults, VERIFY, path)
        except repository.Failed as error:
            raise repository.TransferFailed(str(error), candidate.file) from error
        title = self.options.get("--name") or self.options.get("-n")
        work = {
            "key": key,
            "path": path,
            "folder": str(candidate.file.parent),
            "target": self.target,
            "name": title or repository.text(candidate.file.name),
            "images": candidate.images,
            "notes": self.notes,
            "faults": [astuple(each) for each in faults],
        }
        repository.submit(self.server, key, fileset, work)
        # Once the server has it, the end of its client makes no difference: see engine.py.
        if any(each.kind == "late" or (each.kind == "kill" and each.point != VERIFY) for each in faults):
            engine.ensure(self.server)
            os.kill(os.getpid(), signal.SIGKILL)
        images = engine.wait(self.server, fileset)
        if any(each.kind == "crash" for each in faults):
            os.kill(os.getpid(), signal.SIGKILL)
        repository.after(candidate, self.transfer)
        with self.printing:
            self.files += len(candidate.used)
            self.filesets += 1
            self.images += len(images)
            self._print(str(candidate.file), fileset, images)

    def _engine_runs(self) -> bool:
        return locks.is_held(self.server.data, locks.ENGINE)

    def _same_mount(self) -> bool:
        """Whether this container's /OMERO is the server's: one NFS client for both."""
        found = self.server.query("SELECT mount FROM node WHERE id = ?", self.server.node)
        return bool(found) and found[0][0] == repository.mount()

    def _meet(self, faults: list[Fault], point: str, path: str) -> None:
        for fault in faults:
            if fault.point != point:
                continue
            if fault.kind == "slow":
                time.sleep(fault.seconds)
            elif fault.kind == "hang":
                time.sleep(86400)
            elif fault.kind == "hold":
                self.server.hold(path, point)
            elif fault.kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            elif fault.kind == "memory":
                _out_of_memory()
            elif fault.kind == "fail":
                raise repository.Failed(fault.message or "java.lang.RuntimeException: the upload failed")

    def _excluded(self, candidate: formats.Candidate, path: str) -> bool:
        for kind in self.exclude:
            if kind == "clientpath":
                found = self.server.query("SELECT 1 FROM filesetentry WHERE clientPath = ? LIMIT 1", path)
            else:
                found = self.server.query("SELECT 1 FROM originalfile WHERE name = ? LIMIT 1", candidate.file.name)
            if found:
                return True
        return False

    def _print(self, name: str, fileset: int, images: tuple[int, ...]) -> None:
        log("INFO", "ome.formats.importer.cli.LoggingImportMonitor", "IMPORT_DONE Imported file: " + name)
        numbers = ",".join(str(each) for each in images)
        style = self.options.get("--output", "ids")
        if style == "yaml":
            sys.stderr.write("Imported objects:\n")
            sys.stdout.write(f"---\n- Fileset: {fileset}\n  Image: [{numbers}]\n")
        elif style == "legacy":
            sys.stderr.write("Imported pixels:\n")
            sys.stdout.write("".join(f"{each}\n" for each in images))
            others = "".join(f"Image:{each}\n" for each in images)
            sys.stderr.write(f"Other imported objects:\nFileset:{fileset}\n{others}")
        else:
            sys.stdout.write(f"Image:{numbers}\n")
        sys.stdout.flush()

    def _report(self, began: float) -> None:
        def count(number: int, what: str) -> str:
            return f"{number} {what}{'' if number == 1 else 's'}"

        passed = time.monotonic() - began
        took = f"{int(passed // 3600)}:{int(passed // 60 % 60):02}:{passed % 60:06.3f}"
        sys.stderr.write(
            f"\n==> Summary\n{count(self.files, 'file')} uploaded, {count(self.filesets, 'fileset')} created, "
            f"{count(self.images, 'image')} imported, {count(self.errors, 'error')} in {took}\n"
        )


def _out_of_memory() -> None:
    """As HotSpot ends (report_java_out_of_memory of its utilities/debug.cpp): by its option, or by an exception."""
    message = "java.lang.OutOfMemoryError: Java heap space"
    if "-XX:+ExitOnOutOfMemoryError" in _java_options():
        sys.stdout.write(f"Terminating due to {message}\n")
        sys.stdout.flush()
        os._exit(3)
    raise repository.Failed(message)


def _java_options() -> list[str]:
    """The JVM's own, in order: omero-py's plugins/import.py has one, and its java.py puts JAVA_OPTS behind."""
    return ["-Xmx1024M", *shlex.split(os.environ.get("JAVA_OPTS", ""))]


def _print_used(candidates: list[formats.Candidate]) -> None:
    for candidate in candidates:
        sys.stdout.write("#======================================\n")
        sys.stdout.write(f"# Group: {candidate.file} SPW: false Reader: loci.formats.in.StandInReader\n")
        sys.stdout.writelines(f"{used}\n" for used in candidate.used)


def main(arguments: list[str]) -> int:
    depth = 4
    if arguments and arguments[0].startswith("-Domero.import.depth="):
        depth = int(arguments.pop(0).partition("=")[2])
    server = Server(DATA)
    heap = next(each[4:] for each in reversed(_java_options()) if each.startswith("-Xmx"))  # the last one wins
    server.jvm_started(" ".join(arguments).encode("utf-8", "backslashreplace").decode("utf-8"), heap)
    try:
        given, paths = getopt.gnu_getopt(arguments, "cfl:s:u:w:d:r:k:x:n:p:hT:", LONG)
    except getopt.GetoptError as error:
        sys.stderr.write(f"importer-cli: {error}\n")
        return _usage()
    options: dict[str, Any] = dict(given)
    if "-h" in options:
        return _usage()
    if options.get("--transfer", "upload") not in _TRANSFERS:
        sys.stderr.write(f"java.lang.ClassNotFoundException: {options['--transfer']}\n")
        return 1
    algorithm = options.get("--checksum-algorithm", "SHA1-160")
    if algorithm not in _CHECKSUMS:
        log("ERROR", "ome.formats.importer.cli.CommandLineImporter", f"Unknown checksum algorithm: {algorithm}")
        return 2
    if paths == ["-"]:
        paths = [line.strip() for line in sys.stdin if line.strip()]
    log("INFO", "ome.formats.importer.ImportConfig", "OMERO.blitz Version: 5.8.3")
    return Importer(server, options, given).start(paths, depth)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)

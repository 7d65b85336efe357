"""The worker: takes the lease, does what people ask for, and imports with one JVM at a time."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
import threading
import time
import traceback
import urllib.request
import uuid
from collections.abc import Callable
from typing import Any

from containers.supervisor.__main__ import MARK, NEW_PROGRAM
from containers.supervisor.signing import Aws, AwsError

from . import jobs, mount
from .arrivals import Arrivals
from .attempts import Attempts
from .entries import ATTEMPT, CANCELLED
from .faults import JobError, LockedElsewhere, Unreachable
from .lease import LEASE_SECONDS, Lease
from .ledger import Ledger
from .omero import Omero
from .requests import Request, Requests
from .runs import Run, left_to_arrivals
from .table import Table

POLL_SECONDS = 2.0
# Between looks: whether a newer program is there, what OMERO has become of what it is at, a line for the alarm.
PROGRAM_SECONDS, LOOK_SECONDS, ALIVE_SECONDS = 60.0, 15.0, 60.0
# From SIGTERM on, for what runs. ECS kills after 120 s (`stopTimeout`).
GRACE_SECONDS = 100.0
BUSY = 4
# Beside a server whose repository another one has locked for so long, a worker lets go of its lease, and ends: the
# one beside that server can import.
ELSEWHERE, ELSEWHERE_SECONDS = 5, 30.0


class Worker:
    """One process that may import. `once` ends it when nothing is asked for any more, and if another one is there."""

    def __init__(self, *, once: bool = False) -> None:
        environ = os.environ
        self._aws = Aws(environ["WORKER_REGION"])
        self._table = Table(self._aws, environ["REQUESTS_TABLE"])
        self._ledger = Ledger(Table(self._aws, environ["LEDGER_TABLE"]), self._table)
        self._requests = Requests(self._table)
        self._once = once
        self._holder = environ.get(MARK) or uuid.uuid4().hex
        self._parallel = int(environ["PARALLEL_FILESETS"])
        task, log = _place()
        self._lease = Lease(self._table, holder=self._holder, task=task)
        self._log = log
        self.stopping, self._halt = threading.Event(), threading.Event()
        self._omero: Omero | None = None
        self._attempts: Attempts | None = None
        self._taken_over = False
        self._runs: dict[str, Run] = {}
        self._groups: dict[str, list[Request]] = {}
        # What was read before it ended may be looked at after.
        self._ended: set[str] = set()
        self._threads: dict[str, tuple[threading.Thread, threading.Event]] = {}
        # Held while requests join a group or a group ends.
        self._grouping = threading.RLock()
        self._last = ""
        self._arrivals = Arrivals(
            self._table,
            self._requests,
            self._ledger,
            settings=self._arrivals_settings,
            hints=self._hint,
            publish=self._publish,
            stop=self.stopping,
        )
        self._due: dict[str, float] = {}

    def stop(self) -> None:
        """Take nothing new; what runs has some time yet."""
        self.stopping.set()
        timer = threading.Timer(GRACE_SECONDS, self._halt.set)
        timer.daemon = True
        timer.start()

    def run(self) -> int:
        """Work until `stop`, or until there is a newer program; the exit code."""
        if not self._lease.take(self.stopping, wait=not self._once):
            if self.stopping.is_set():
                return 0
            sys.stderr.write("the worker beside OMERO.server is at work, and does what is asked for\n")
            return BUSY
        self._lease.on_loss(self._kill)
        if not self._once:
            self._arrivals.start()
        try:
            code = self._work()
        finally:
            self._end()
        if code == ELSEWHERE:
            # Who waits for the lease has it before the next worker beside this server asks for it.
            time.sleep(LEASE_SECONDS)
        return code

    def _work(self) -> int:
        elsewhere: float | None = None
        while not self.stopping.is_set():
            if self._is_due("alive", ALIVE_SECONDS):
                sys.stdout.write("importer alive\n")
                sys.stdout.flush()
            waiting, since = mount.refusal(), None
            did = False
            if not waiting:
                try:
                    did = self._turn()
                except Unreachable as fault:
                    waiting = str(fault)
                    self._forget_omero()
                    since = (elsewhere or time.monotonic()) if isinstance(fault, LockedElsewhere) else None
            elsewhere = since
            if elsewhere and time.monotonic() - elsewhere > ELSEWHERE_SECONDS and not self._once:
                self.stopping.set()  # arrivals are the next worker's
                return ELSEWHERE
            self._lease.say(state="waiting" if waiting else "working" if did else "idle", reason=waiting)
            if waiting:
                for group in self._groups.values():
                    for request in group:
                        self._requests.say(request, **{**request.progress, "waiting": waiting})
            if not did:
                if self._once and not self._groups and not waiting:
                    return 0
                if not self._groups and self._has_new_program():
                    return NEW_PROGRAM
                self.stopping.wait(POLL_SECONDS)
        return 0

    def _turn(self) -> bool:
        """Do a part of what is asked for; False if there is nothing to do at the moment."""
        paused, cancelled = self._requests.controls()
        self._group(self._requests.open(), cancelled)
        with self._grouping:  # or a job that ends in between would be begun again
            for same, group in list(self._groups.items()):
                do = group[0].do
                if do in jobs.KINDS and same not in self._threads:
                    self._start(same, group)
                elif do not in (*jobs.KINDS, "run"):
                    self._finish(same, {"error": f"{do} is nothing that this worker does; deploy the stack omero"})
        did = self._settle_left()
        if paused:
            for group in self._groups.values():
                if group[0].do == "run":
                    self._say(group, paused=paused)
            return did
        return self._run_one() or did

    def _group(self, open_: list[Request], cancelled: set[str]) -> None:
        """Requests that ask for the same are done at once, as long as the first of them has not ended."""
        with self._grouping:
            known = {request.id for group in self._groups.values() for request in group}
            for request in open_:
                if request.id in cancelled:
                    self._cancel(request)
                elif request.id not in known and request.id not in self._ended:
                    # A scan that runs may have passed what somebody has put there since: he gets one of his own.
                    same = request.same
                    while same in self._threads:
                        same += "+"
                    self._requests.start(request)
                    self._groups.setdefault(same, []).append(request)

    def _cancel(self, request: Request) -> None:
        for same, group in list(self._groups.items()):
            if request.id not in {each.id for each in group}:
                continue
            run = self._runs.get(same)
            group[:] = [each for each in group if each.id != request.id]
            self._requests.finish(request, run.counts if run else {}, CANCELLED)
            if not group:
                self._drop(same)
            return
        self._requests.finish(request, {}, CANCELLED)

    def _drop(self, same: str) -> None:
        self._groups.pop(same, None)
        self._runs.pop(same, None)
        if same in self._threads:
            self._threads[same][1].set()

    def _finish(self, same: str, result: dict[str, Any]) -> None:
        with self._grouping:
            for request in self._groups.pop(same, []):
                self._requests.finish(request, result)
                self._ended.add(request.id)
            self._runs.pop(same, None)
            self._due.pop(f"run {same}", None)

    def _say(self, group: list[Request], **progress: Any) -> None:
        for request in group:
            self._requests.say(request, **progress)

    # Runs

    def _run_one(self) -> bool:
        """A turn of the next run, so that a long one keeps no short one waiting."""
        names = [same for same, group in self._groups.items() if group[0].do == "run" and self._may_go_on(same)]
        if not names:
            return False
        after = [each for each in names if each > self._last] or names
        self._last = same = min(after)
        group = self._groups[same]
        attempts, omero = self._ready()
        try:
            if same not in self._runs:
                self._runs[same] = self._new_run(group[0], omero)
            run = self._runs[same]
            ended = run.turn(attempts, omero, stop=self._halt, say=lambda **progress: self._say(group, **progress))
        except (Unreachable, AwsError):
            raise
        except Exception as fault:  # the request is answered, whatever it was
            said = str(fault) if isinstance(fault, JobError) else _failure(fault)
            self._finish(same, {**(self._runs[same].counts if same in self._runs else {}), "error": said})
            return True
        self._say(group, counts=run.counts)
        if not ended:
            # Where all only wait for OMERO, so does the worker.
            return not all(each in self._runs and self._runs[each].waits for each in names)
        self._group(self._requests.open(), set())
        self._finish(same, run.result())
        return True

    def _new_run(self, request: Request, omero: Omero) -> Run:
        try:
            watched = json.loads(self._arrivals_settings())
        except (AwsError, OSError, http.client.HTTPException) as fault:
            raise Unreachable(f"AWS does not say which folders are watched: {fault}") from fault
        leaves = left_to_arrivals(watched, request.who, bytes.fromhex(request.work.get("under", "")))
        return Run(request, self._ledger, omero, parallel=self._parallel, leaves=leaves)

    def _may_go_on(self, same: str) -> bool:
        """Whether it is time for a run; one that only waits for OMERO reads the whole list again with each look."""
        run = self._runs.get(same)
        return run is None or not run.waits or self._is_due(f"run {same}", LOOK_SECONDS)

    def _settle_left(self) -> bool:
        """Look at what earlier workers have left, and at what OMERO is still at."""
        if self._taken_over and not self._is_due("look", LOOK_SECONDS):
            return False
        if not any(self._table.rows(ATTEMPT)):
            self._taken_over = True
            return False
        attempts, _ = self._ready()
        if not self._taken_over:
            attempts.take_over()
            self._taken_over = True
        did = False
        for attempt in attempts.left():
            counts, settled = attempts.settle(attempt, done=None)
            did = did or settled
            for run in self._runs.values():
                if run.request.id == attempt.request:
                    run.add(counts)
        return did

    def _ready(self) -> tuple[Attempts, Omero]:
        """OMERO, answering. Raises Unreachable."""
        if self._omero is None or self._attempts is None:
            self._omero = omero = self._logged_in()
            self._attempts = Attempts(self._ledger, self._table, omero, holder=self._holder, log=self._log)
        return self._attempts, self._omero

    def _logged_in(self) -> Omero:
        omero = Omero(
            admin=os.environ["OMERO_ADMIN"], password=self._password, mark={MARK: os.environ.get(MARK, self._holder)}
        )
        try:
            omero.log_in()
        except (JobError, Unreachable) as fault:
            omero.close()
            # A password that is not taken may be put right while people wait.
            raise Unreachable(str(fault)) from fault
        return omero

    def _password(self) -> str:
        """As the secret has it now."""
        arguments = {"SecretId": os.environ["OMERO_PASSWORD_SECRET"]}
        try:
            return str(self._aws.call("secretsmanager", "secretsmanager.GetSecretValue", arguments)["SecretString"])
        except (AwsError, OSError) as fault:
            raise Unreachable(
                f"the secret with the importer's password cannot be read ({fault}); restore it, or name another in "
                "omero.importer.password_arn"
            ) from fault

    def _forget_omero(self) -> None:
        if self._omero:
            self._omero.close()
        self._omero = self._attempts = None

    # Other jobs

    def _start(self, same: str, group: list[Request]) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=self._job, args=(same, group, stop), daemon=True)
        self._threads[same] = thread, stop
        thread.start()

    def _job(self, same: str, group: list[Request], stop: threading.Event) -> None:
        request = group[0]
        try:
            result = self._until_answered(request, group, stop)
        except JobError as fault:
            result = {"error": str(fault)}
        except Exception as fault:  # the request is answered, whatever it was
            result = {"error": _failure(fault)}
        with self._grouping:
            del self._threads[same]
            if not self.stopping.is_set() and same in self._groups:
                self._finish(same, result)

    def _until_answered(self, request: Request, group: list[Request], stop: threading.Event) -> dict[str, Any]:
        say: Callable[..., None] = lambda **progress: self._say(group, **progress)  # noqa: E731
        while True:
            omero = None
            try:
                omero = self._logged_in() if request.do in jobs.ASKING else None
                result = jobs.do(request.do, request.work, self._ledger, omero, who=request.who, stop=stop, say=say)
                if request.do == "replay":
                    self._arrivals.replay(bytes.fromhex(request.work["under"]))
                return result
            except Unreachable as fault:
                say(waiting=str(fault))
                if stop.wait(POLL_SECONDS):
                    raise JobError("the worker is being stopped") from fault
            finally:
                if omero:
                    omero.close()

    # Its end

    def _has_new_program(self) -> bool:
        if "PROGRAM_DIGEST" not in os.environ or not self._is_due("program", PROGRAM_SECONDS):
            return False
        try:
            arguments = {"Name": os.environ["PROGRAM_PARAMETER"]}
            now = self._aws.call("ssm", "AmazonSSM.GetParameter", arguments)["Parameter"]["Value"]
        except (AwsError, OSError):
            return False
        return bool(now != os.environ["PROGRAM_DIGEST"])

    def _arrivals_settings(self) -> str:
        """As the parameter has them now. A task definition of before names none."""
        if "ARRIVALS_PARAMETER" not in os.environ:
            return "{}"
        arguments = {"Name": os.environ["ARRIVALS_PARAMETER"]}
        return str(self._aws.call("ssm", "AmazonSSM.GetParameter", arguments)["Parameter"]["Value"])

    def _hint(self, url: str) -> bool:
        """Whether there was one within 20 s, the longest that SQS waits; it is taken out of the queue."""
        arguments = {"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}
        found = self._aws.call("sqs", "AmazonSQS.ReceiveMessage", arguments).get("Messages", [])
        for each in found:
            taken = {"QueueUrl": url, "ReceiptHandle": each["ReceiptHandle"]}
            self._aws.call("sqs", "AmazonSQS.DeleteMessage", taken)
        return bool(found)

    def _publish(self, topic: str, subject: str, text: str) -> None:
        arguments = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": topic}
        self._aws.query("sns", {**arguments, "Subject": subject, "Message": text})

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now - self._due.get(what, -seconds) < seconds:
            return False
        self._due[what] = now
        return True

    def _kill(self) -> None:
        importing = self._attempts.importing if self._attempts else None
        if importing:
            importing.end(kill=True)

    def _end(self) -> None:
        for _, stop in list(self._threads.values()):
            stop.set()
        for thread, _ in list(self._threads.values()):
            thread.join(5)
        self._forget_omero()
        with contextlib.suppress(AwsError):
            self._lease.release()


def _failure(fault: Exception) -> str:
    """A fault in here, for people; the log has more."""
    traceback.print_exc()
    return f"the importer itself failed ({type(fault).__name__}: {fault}); its log has the traceback"


def _place() -> tuple[str, str]:
    """The task's ARN, and the group and stream of this container's log, as ECS tells them."""
    url = os.environ.get("ECS_CONTAINER_METADATA_URI_V4")
    if not url:
        return os.environ.get("TASK_ARN", ""), ""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - ECS's own address
            said = json.load(answer)
    except (OSError, ValueError):
        return "", ""
    options = said.get("LogOptions", {})
    task = said.get("Labels", {}).get("com.amazonaws.ecs.task-arn", "")
    return task, f"{options.get('awslogs-group', '')} {options.get('awslogs-stream', '')}".strip()

"""DataSync: locations in S3 and EFS, tasks, and executions that really copy.

moto 5.2.5 has S3 and SMB locations and tasks, whose ARNs are of another account and whose executions pass through
their states as they are looked at. Here an execution copies objects from the local S3 into the folder that stands for
the EFS file system (`local_aws.files`), through the location's access point and subdirectory, in a thread of its own:
QUEUED, LAUNCHING, PREPARING, TRANSFERRING, VERIFYING, then SUCCESS or ERROR; CANCELLING, then ERROR. It stays in each
of the four in the middle for LOCAL_AWS_DATASYNC_STATE_SECONDS (1) at least.

Owners. Objects without owner metadata (`file-owner`, `file-group`, `file-permissions`) land as 65534:65534, mode 0755.
An access point with a POSIX user makes everything that user's; unless the task has Uid and Gid NONE, verification
then finds mismatches and the execution ends in ERROR. What that user may not write fails with Permission denied.

Faults on request: see `faults`.

What AWS refuses is refused, with InvalidRequestException: see `checks`, `filters`, `locations` and, for a second
execution of a task, `tasks`. Keys that begin with a slash or hold `//`, `/./` or `/../` are skipped.

Not modelled: schedules (they are checked and shown, but do not run), other locations than S3 and EFS, S3 as the
destination, permissions of the roles beyond their trust policy, network interfaces, events of other states than the
last.
"""

from __future__ import annotations

from moto.datasync.models import DataSyncBackend
from moto.datasync.responses import DataSyncResponse

from local_aws import actions
from local_aws.services.datasync import locations, tasks


def install() -> None:
    """Put the actions and the ARNs into moto's DataSync."""
    table = {**locations.ACTIONS, **tasks.ACTIONS}
    actions.add(DataSyncResponse, "datasync_backend", table)
    DataSyncBackend.create_location = locations.create_location

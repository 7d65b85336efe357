"""The faults of DataSync: of its actions, and of an `execution`, which is the next one that is started.

Those of an execution, of which it can meet several at once, separated by spaces: `fail:NAME` a file with NAME in its
path fails; `fail-once:NAME` it fails at first and succeeds when it is tried again; `slow:TRANSFERRING:5` that state
takes 5 seconds at least; `error:PREPARING` it ends in ERROR in that state.
"""

from __future__ import annotations

from local_aws.faults import Faults

_STATE = "(LAUNCHING|PREPARING|TRANSFERRING|VERIFYING)"
_FAULT = rf"(fail(-once)?:\S+|slow:{_STATE}:\d+(\.\d+)?|error:{_STATE})"

FAULTS = Faults("datasync", words={"execution": f"{_FAULT}( {_FAULT})*"})

"""Makes the database role of the read-only servers, or brings it up to date. Runs before the read-write server starts.

It needs psql on the PATH, and in the environment PGHOST, PGDATABASE, PGUSER and PGPASSWORD of the database's owner, and
READ_ONLY_USER and READ_ONLY_PASSWORD of the role. The server never sees the password itself: PostgreSQL logs statements
that change roles, so it gets the SCRAM verifier (RFC 5802, RFC 7677), which no one can log in with.

Exit codes: 0 the role may read every table there is or will be, and nothing more; 1 it is not so.
"""

import base64
import hashlib
import hmac
import os
import subprocess
import sys
import time

# PostgreSQL's own default (scram_iterations).
ITERATIONS = 4096
# ECS gives up on the server's start if this takes longer than its own timeout, 3 minutes.
DEADLINE_SECONDS = 120
RETRY_SECONDS = 5

SQL = """
\\set ON_ERROR_STOP on
BEGIN;
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \\gexec
ALTER ROLE :"role" LOGIN PASSWORD :'verifier';
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"role";
GRANT USAGE ON SCHEMA public TO :"role";
GRANT SELECT ON ALL TABLES IN SCHEMA public TO :"role";
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO :"role";
COMMIT;
"""


def verifier(password: str, salt: bytes) -> str:
    """What PostgreSQL stores of a password that has ASCII characters only."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.new(salted, b"Client Key", "sha256").digest()).digest()
    server = hmac.new(salted, b"Server Key", "sha256").digest()
    texts = [base64.b64encode(part).decode("ascii") for part in (salt, stored, server)]
    return "$".join(("SCRAM-SHA-256", str(ITERATIONS) + ":" + texts[0], texts[1] + ":" + texts[2]))


def main() -> int:
    """Try until the database answers, but not beyond the deadline."""
    role, password = os.environ["READ_ONLY_USER"], os.environ["READ_ONLY_PASSWORD"]
    names = {"role": role, "database": os.environ["PGDATABASE"], "verifier": verifier(password, os.urandom(16))}
    settings = [word for name, value in names.items() for word in ("--set", name + "=" + value)]
    command = ["psql", "--no-psqlrc", "--no-password", "--quiet", *settings]
    environ = {name: value for name, value in os.environ.items() if name != "READ_ONLY_PASSWORD"}
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        done = subprocess.run(command, input=SQL, text=True, env=environ, capture_output=True, check=False)
        if done.returncode == 0:
            sys.stdout.write("the role " + role + " may read the database\n")
            return 0
        fault = " ".join(done.stderr.split())
        # 2: the connection was lost or never made. Anything else would be the same the next time.
        if done.returncode != 2 or time.monotonic() > end:
            sys.stderr.write("the role " + role + " is not there: " + fault + "\n")
            return 1
        sys.stdout.write("waiting for the database: " + fault + "\n")
        time.sleep(RETRY_SECONDS)


if __name__ == "__main__":
    sys.exit(main())

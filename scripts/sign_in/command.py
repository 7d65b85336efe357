"""`omero-aws sign-in`: the rule by which the load balancer signs people in at an identity provider.

The rule is found again by its tags, so that every command may be killed at any point and run again.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
import yaml

from scripts import console
from scripts.changes import changing, tell
from scripts.confirming import confirm
from scripts.errors import EXIT_FAILED
from scripts.ingest.deployment import deployed_workspace
from scripts.options import DryRunOption, JsonOption, WorkspaceOption, YesOption
from scripts.output import write_json
from scripts.sign_in import discovery, rule
from scripts.sign_in.context import SignInContext, sign_in_context
from settings import load
from settings.sign_in import SignIn

app = typer.Typer(
    help="Sign people in at an identity provider before OMERO.web.", no_args_is_help=True, add_completion=False
)


@app.command("discover")
def discover_command(
    issuer: Annotated[str, typer.Argument(help="The identity provider's issuer, such as https://login.example.org.")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask an identity provider for its endpoints, and print the section sign_in to complete."""
    tls = load(workspace).tls
    found = discovery.discover(issuer)
    if as_json:
        write_json(found)
        return
    sys.stdout.write(yaml.safe_dump({"sign_in": found}, sort_keys=False))
    console.say("add client_id and client_secret_arn; the identity provider wants to know where people come back to:")
    console.say(f"  https://{tls.domain_name if tls else 'DOMAIN_NAME'}/oauth2/idpresponse")


@app.command("ensure")
def ensure_command(
    workspace: WorkspaceOption = None, dry_run: DryRunOption = False, as_json: JsonOption = False
) -> None:
    """Create the rule or bring it up to date, and report each change. Run it after each change of the section, and of
    the client secret."""
    context = sign_in_context(workspace)
    with changing(dry_run=dry_run) as changes:
        rule.ensure(context, changes)
        changes.say_if_none("the rule is up to date")
    tell(changes, as_json=as_json)


@app.command("status")
def status_command(workspace: WorkspaceOption = None, as_json: JsonOption = False) -> None:
    """Show the rule; exit code 1 unless it is there and as the workspace says."""
    context = sign_in_context(workspace)
    found = _status(context)
    if as_json:
        write_json(found)
    else:
        console.say(f"wanted: {found['wanted']}, for {context.settings.session_hours} h at a time")
        console.say(f"rule: {found['rule'] or 'none'}")
    name = found["workspace"]
    if found["rule"] is None:
        console.fail(f"nobody is signed in before workspace {name}; run `{context.command} ensure`.", EXIT_FAILED)
    if found["differing"]:
        differing = ", ".join(found["differing"])
        console.fail(f"the rule has another {differing} than wanted; run `{context.command} ensure`.", EXIT_FAILED)


def _status(context: SignInContext) -> dict[str, Any]:
    found = rule.find(context)
    return {
        "workspace": context.deployment.workspace.name,
        "wanted": rule.shown(context),
        "rule": found["RuleArn"] if found else None,
        "differing": rule.differences(context, found, rule.secret_version(context)) if found else [],
    }


@app.command("remove")
def remove_command(
    workspace: WorkspaceOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the rule: OMERO.web is open to everyone in access.cidrs then, with OMERO's own log-in.

    Works without the section sign_in.
    """
    deployment = deployed_workspace(workspace, may_be_gone=True)
    context = SignInContext(deployment=deployment, settings=deployment.workspace.sign_in or SignIn.model_construct())
    found, name = rule.find(context), deployment.workspace.name
    confirm(
        f"Without the rule, nobody signs in at the identity provider before they reach OMERO.web of workspace {name}.",
        name=name,
        skip=yes or dry_run or found is None,
    )
    with changing(dry_run=dry_run) as changes:
        rule.remove(context, changes)
        changes.say_if_none("there is no rule")
    tell(changes, as_json=as_json)

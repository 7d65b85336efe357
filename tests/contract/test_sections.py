"""Each optional section answers every question that is asked of it, and is registered once."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from contract.outputs import Output
from contract.section import SectionRecord
from contract.sections import SECTIONS
from scripts.rehearsal import section as rehearsal
from scripts.rehearsal.inventory import KINDS
from settings.section import Section
from settings.workspace import section_models
from stacks.sections import SectionStack, stack_class

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=list(SECTIONS.values()), ids=list(SECTIONS))
def record(request: pytest.FixtureRequest) -> SectionRecord:
    found: SectionRecord = request.param
    return found


def test_a_workspace_has_each_section_and_no_other() -> None:
    assert section_models().keys() == SECTIONS.keys()
    assert all(record.key == key for key, record in SECTIONS.items())


def test_the_settings_answer_what_a_workspace_asks(record: SectionRecord) -> None:
    model = section_models()[record.key]
    assert Section.__abstractmethods__ >= {"addresses", "arns", "buckets", "folders", "share"}
    assert not inspect.isabstract(model)
    assert all(question in vars(model) for question in Section.__abstractmethods__)


def test_a_section_that_leaves_a_question_unanswered_is_refused() -> None:
    class Silent(Section):
        def addresses(self) -> int:
            return 0

    with pytest.raises(TypeError, match="abstract"):
        Silent()  # type: ignore[abstract]
    with pytest.raises(TypeError, match="rehearsal"):
        SectionRecord(key="silent", stack=None, kinds={})  # type: ignore[call-arg]


def test_its_stack_is_there(record: SectionRecord) -> None:
    if record.stack is None:
        assert record.command, "what no stack makes, a command does"
        return
    found = stack_class(record.stack.class_)
    assert isinstance(found, type)
    assert issubclass(found, SectionStack)
    assert list(inspect.signature(found.__init__).parameters) == ["self", "scope", "workspace", "built", "settings"]
    assert record.stack.outputs.stack == record.key
    assert all(isinstance(output, Output) for output in record.stack.outputs.all())


def test_its_rehearsal_is_there(record: SectionRecord) -> None:
    if record.rehearsal is None:
        return
    found = rehearsal.found(record.rehearsal)
    assert isinstance(found, rehearsal.SectionRehearsal)
    assert found.steps or found.environ


def test_the_inventory_lists_its_kinds(record: SectionRecord) -> None:
    assert record.kinds
    assert record.kinds.items() <= KINDS.items()


def test_a_new_section_touches_nothing_but_its_own_files_and_the_workspace(record: SectionRecord) -> None:
    """Whoever else names a section in the core would have to be touched for a new one."""
    core = [
        "main.py",
        "settings/addresses.py",
        "settings/load.py",
        "scripts/rehearsal/rehearse.py",
        "scripts/rehearsal/run.py",
    ]
    core += ["scripts/rehearsal/inventory.py", "scripts/rehearsal/existing.py", "scripts/deploy/account_checks.py"]
    core += ["stacks/sections.py", "contract/mounts.py"]
    for name in core:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert f"workspace.{record.key}" not in text, name
        assert f'"{record.key}"' not in text, name

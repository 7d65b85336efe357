"""Lambda: the logging settings of a function, which moto 5.2.5 forgets. Functions do not run here."""

from __future__ import annotations

from typing import Any

from moto.awslambda.models import LambdaFunction


def install() -> None:
    """Put it into moto's Lambda. A second time changes nothing."""
    if hasattr(LambdaFunction, "logging_config"):
        return
    LambdaFunction.logging_config = None
    make, configure, describe = (
        LambdaFunction.__init__,
        LambdaFunction.update_configuration,
        LambdaFunction.get_configuration,
    )

    def make_with_logging(self: Any, account_id: str, spec: dict[str, Any], *rest: Any, **more: Any) -> None:
        make(self, account_id, spec, *rest, **more)
        self.logging_config = spec.get("LoggingConfig")

    def configure_with_logging(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
        self.logging_config = config_updates.get("LoggingConfig", self.logging_config)
        configured: dict[str, Any] = configure(self, config_updates)
        return configured

    def describe_with_logging(self: Any, on_create: bool = False) -> dict[str, Any]:
        default = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
        return {**describe(self, on_create), "LoggingConfig": {**default, **(self.logging_config or {})}}

    LambdaFunction.__init__ = make_with_logging
    LambdaFunction.update_configuration = configure_with_logging
    LambdaFunction.get_configuration = describe_with_logging

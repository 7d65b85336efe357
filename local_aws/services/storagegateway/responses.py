"""The actions, each a function of the backend and what was asked."""

from __future__ import annotations

from moto.core.responses import BaseResponse

from local_aws import actions
from local_aws.services.storagegateway import gateways, shares
from local_aws.services.storagegateway.models import StorageGatewayBackend, storagegateway_backends


class StorageGatewayResponse(BaseResponse):  # type: ignore[misc]
    """One request."""

    def __init__(self) -> None:
        super().__init__(service_name="storagegateway")
        self.automated_parameter_parsing = True

    @property
    def backend(self) -> StorageGatewayBackend:
        """Of the caller's account and region."""
        return storagegateway_backends[self.current_account][self.region]  # type: ignore[no-any-return]


actions.add(StorageGatewayResponse, "backend", {**gateways.ACTIONS, **shares.ACTIONS})

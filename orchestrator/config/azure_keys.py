"""The keys under `azure`: which cloud, and as whom."""

from typing import Annotated, Literal, Self

from pydantic import Field, Tag, model_validator

from orchestrator.config import values
from orchestrator.config.keys import Keys, forms
from orchestrator.config.problems import Wrong
from orchestrator.config.values import Many


class CloudKeys(Keys):
    """A cloud of your own: Azure Stack, or a simulator."""

    endpoint: values.Origin
    """Where Azure Resource Manager answers. Plain http is for loopback only."""
    audience: values.Origin | None = None
    """What tokens are asked for. Default: the endpoint."""
    authority: values.Origin | None = None
    """Who gives out tokens. Default: that of the public cloud."""


class CredentialKeys(Keys):
    """A credential that needs a word more. Exactly one key."""

    managed_identity: values.Guid | None = None
    """The client id of a user-assigned managed identity."""
    fixed_token: values.Variable | None = None
    """The environment variable that holds a bearer token; for a cloud of your own only."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.managed_identity is None) == (self.fixed_token is None):
            raise Wrong("not exactly one kind of credential", "keep one of the keys")
        return self


Cloud = Annotated[
    Annotated[Literal["public", "usgov", "china"], Tag("<text>")]
    | Annotated[CloudKeys, Tag("<mapping>")],
    forms("public, usgov, china or a mapping with an endpoint", mapping=True),
]
CredentialName = Literal[
    "default", "managed_identity", "workload_identity", "azure_cli", "environment"
]
Credential = Annotated[
    Annotated[CredentialName, Tag("<text>")] | Annotated[CredentialKeys, Tag("<mapping>")],
    forms("the name of a credential or a mapping", mapping=True),
]


class Azure(Keys):
    """Which Azure, and as whom."""

    cloud: Cloud = "public"
    """public, usgov, china, or a mapping with your own endpoint."""
    credential: Credential = "default"
    """As whom: the name of an azure-identity credential, or a mapping."""
    api_version: Annotated[
        str, Field(pattern=r"^20(2[0-9]|[3-9][0-9])-[0-1][0-9]-[0-3][0-9](-preview)?$")
    ] = "2025-04-01"
    """The version of Microsoft.Compute that is asked for."""
    subscriptions: Many[values.Guid] | None = None
    """Where to look for VMs when a wave's `select` names neither subscriptions nor ids."""

    @model_validator(mode="after")
    def _token_only_to_own_cloud(self) -> Self:
        fixed = isinstance(self.credential, CredentialKeys) and self.credential.fixed_token
        if fixed and isinstance(self.cloud, str):
            fix = "give the cloud an endpoint of your own, or another credential"
            raise Wrong("a fixed token goes only to a cloud of your own", fix)
        return self

"""The vendors: one row each, with what an operator or the owner of a credential must say to reach them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from providers.access import AccessKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that an access needs beside its secret; `name` is its key in Access.options.

    `variable` is the environment variable of the operator. `kinds`: the kinds of access that need it, empty
    for all. `form` and `pattern` (of the whole value) say what fits. A `shared` option is the operator's
    alone, by its variable, and goes with every credential of the vendor; any other belongs to one credential.
    """

    name: str
    label: str
    help: str = ""
    required: bool = False
    variable: str = ""
    kinds: tuple[AccessKind, ...] = ()
    form: Literal["text", "url", "flag"] = "text"
    pattern: str = r"[\x20-\x7e]{1,200}"
    shared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """How a vendor tells what was used and charged: to whom it tells it, and who asks.

    `reporter` is "module:class" (usage_reports.Reporter). It takes an *admin key*, which opens no model:
    `key_variable` is the environment variable of the operator, `key_begins` what every such key begins with,
    `key_page` where its owner makes one, `key_maker` who there may.
    """

    reporter: str
    key_variable: str
    key_begins: str
    key_page: str
    key_maker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One row of the registry.

    `adapter` is "module:class". `base_url` is empty where the installation itself says where the provider is:
    each credential then has an address of its own, described by `address_label`. `key_variable` and
    `url_variable` name the environment variables that an operator may set; empty: none. The key is of the
    first of `auth_kinds`; `other_key_variables` are those for others of them, one of all may be set. An
    endpoint's connections are `guarded`: they reach public addresses, and others only where the operator
    allows it. `values` are options that an admin has set for an endpoint; they go with every access to it.
    `reports` is None where the vendor does not tell what was used.
    """

    label: str
    adapter: str
    base_url: str
    auth_kinds: tuple[AccessKind, ...]
    address_label: str = ""
    key_variable: str = ""
    other_key_variables: tuple[tuple[AccessKind, str], ...] = ()
    url_variable: str = ""
    options: tuple[Option, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    guarded: bool = False
    reports: Reports | None = None


def _oauth_options(prefix: str) -> tuple[Option, ...]:
    """What the operator enters so that people can sign in at a vendor; without a client id nobody can."""
    kinds: tuple[AccessKind, ...] = ("oauth",)
    return (
        Option(
            name="oauth_client_id",
            label="Client id for signing in",
            variable=f"{prefix}_OAUTH_CLIENT_ID",
            kinds=kinds,
            shared=True,
        ),
        Option(
            name="oauth_authorize_url",
            label="Sign-in page",
            variable=f"{prefix}_OAUTH_AUTHORIZE_URL",
            kinds=kinds,
            form="url",
            shared=True,
        ),
        Option(
            name="oauth_token_url",
            label="Token address",
            variable=f"{prefix}_OAUTH_TOKEN_URL",
            kinds=kinds,
            form="url",
            shared=True,
        ),
        Option(
            name="oauth_redirect_url",
            label="Redirect address, when it is the vendor's page that shows a code",
            variable=f"{prefix}_OAUTH_REDIRECT_URL",
            kinds=kinds,
            form="url",
            shared=True,
        ),
        Option(
            name="oauth_scopes",
            label="Scopes",
            variable=f"{prefix}_OAUTH_SCOPES",
            kinds=kinds,
            shared=True,
        ),
        Option(
            name="oauth_permitted",
            label="The vendor permits this installation to sign people in",
            variable=f"{prefix}_OAUTH_PERMITTED",
            kinds=kinds,
            form="flag",
            shared=True,
        ),
    )


_ID = r"[A-Za-z0-9._-]{1,200}"

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "anthropic": Provider(
            label="Anthropic",
            adapter="providers.anthropic:AnthropicAdapter",
            base_url="https://api.anthropic.com",
            auth_kinds=("api_key", "oauth"),
            key_variable="ANTHROPIC_API_KEY",
            url_variable="ANTHROPIC_BASE_URL",
            options=_oauth_options("ANTHROPIC"),
            reports=Reports(
                reporter="providers.anthropic_reports:AnthropicReporter",
                key_variable="ANTHROPIC_ADMIN_KEY",
                key_begins="sk-ant-admin",
                key_page="https://platform.claude.com/settings/admin-keys",
                key_maker="an admin of your organization in the Claude Console",
            ),
        ),
        "openai": Provider(
            label="OpenAI",
            adapter="providers.openai:OpenAIAdapter",
            base_url="https://api.openai.com/v1",
            auth_kinds=("api_key",),
            key_variable="OPENAI_API_KEY",
            url_variable="OPENAI_BASE_URL",
            options=(
                Option(
                    name="organization",
                    label="Organization id",
                    help="Only for a key that belongs to several organizations.",
                    variable="OPENAI_ORG_ID",
                    pattern=_ID,
                ),
                Option(
                    name="project",
                    label="Project id",
                    help="Only for a key that belongs to several projects.",
                    variable="OPENAI_PROJECT_ID",
                    pattern=_ID,
                ),
            ),
        ),
        "azure": Provider(
            label="Azure OpenAI",
            adapter="providers.azure:AzureAdapter",
            base_url="",
            auth_kinds=("api_key", "client", "oauth"),
            address_label="Endpoint of the resource, such as https://acme.openai.azure.com",
            key_variable="AZURE_OPENAI_API_KEY",
            other_key_variables=(("client", "AZURE_OPENAI_CLIENT_SECRET"),),
            url_variable="AZURE_OPENAI_ENDPOINT",
            guarded=True,
            options=(
                Option(
                    name="api_version",
                    label="API version",
                    help="Empty for the v1 API; a date such as 2025-04-01-preview for the older one.",
                    variable="AZURE_OPENAI_API_VERSION",
                    pattern=r"v1|\d{4}-\d{2}-\d{2}(-preview)?",
                ),
                Option(
                    name="tenant",
                    label="Directory (tenant) id",
                    required=True,
                    variable="AZURE_OPENAI_TENANT_ID",
                    kinds=("client",),
                    pattern=_ID,
                ),
                Option(
                    name="client_id",
                    label="Application (client) id",
                    required=True,
                    variable="AZURE_OPENAI_CLIENT_ID",
                    kinds=("client",),
                    pattern=_ID,
                ),
                Option(
                    name="authority",
                    label="Address that gives tokens",
                    help="Only for a national cloud.",
                    variable="AZURE_OPENAI_AUTHORITY",
                    kinds=("client",),
                    form="url",
                    shared=True,
                ),
                *_oauth_options("AZURE_OPENAI"),
            ),
        ),
        "copilot": Provider(
            label="GitHub Copilot",
            adapter="providers.copilot:CopilotAdapter",
            # Where a GitHub token is exchanged; that answer says where the models are.
            base_url="https://api.github.com",
            auth_kinds=("device",),
            key_variable="COPILOT_GITHUB_TOKEN",
            url_variable="COPILOT_GITHUB_API_URL",
            options=(
                Option(
                    name="client_id",
                    label="Client id of the operator's GitHub app",
                    help="People can sign in at GitHub only when this is set.",
                    variable="COPILOT_CLIENT_ID",
                    pattern=_ID,
                    shared=True,
                ),
                Option(
                    name="integration_id",
                    label="Integration id that GitHub gave to the operator",
                    variable="COPILOT_INTEGRATION_ID",
                    pattern=_ID,
                    shared=True,
                ),
                Option(
                    name="editor_version",
                    label="Name and version of this program, as agreed with GitHub",
                    help="Such as Parley/1.0.",
                    variable="COPILOT_EDITOR_VERSION",
                    shared=True,
                ),
                Option(
                    name="plugin_version",
                    label="Name and version of the plugin, as agreed with GitHub",
                    variable="COPILOT_PLUGIN_VERSION",
                    shared=True,
                ),
            ),
        ),
        "salesforce": Provider(
            label="Salesforce Models",
            adapter="providers.salesforce:SalesforceAdapter",
            base_url="",
            auth_kinds=("client",),
            address_label="My Domain address, such as https://acme.my.salesforce.com",
            key_variable="SALESFORCE_CLIENT_SECRET",
            url_variable="SALESFORCE_MY_DOMAIN_URL",
            guarded=True,
            options=(
                Option(
                    name="client_id",
                    label="Consumer key of the app",
                    required=True,
                    variable="SALESFORCE_CLIENT_ID",
                    kinds=("client",),
                    pattern=_ID,
                ),
            ),
        ),
        # The simulator of this installation. It speaks Anthropic's wire and asks for no key.
        "demo": Provider(
            label="Demo",
            adapter="providers.anthropic:AnthropicAdapter",
            base_url="",
            auth_kinds=("none",),
        ),
    }
)

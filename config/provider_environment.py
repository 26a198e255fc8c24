"""What the environment says of each vendor: a secret for the whole organisation, an address, options.

The names of the variables stand in the vendors' rows (providers/vendors.py); nothing here knows a vendor.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from providers.access import AccessKind, Secret
from providers.vendors import PROVIDERS, Option, Provider

from .environment import Environment


def provider_environment(
    env: Environment, rows: Mapping[str, Provider] = PROVIDERS
) -> dict[str, dict[str, Any]]:
    """For each vendor that has variables:

    ``api_key``   the Secret, None when none is set
    ``kind``      what that secret is (Access.kind)
    ``base_url``  the address that was set, else the vendor's own, else ""
    ``options``   for the secret: all options that are set
    ``admin_key`` the Secret that opens the vendor's reports of usage, None when none is set; only of vendors
                  that have any
    ``shared``    for every credential of this vendor, those that people enter too: the operator's options

    Raises ImproperlyConfigured, naming the variable, for a value that does not fit, for a secret without what
    it needs, for an option without its secret, and for two secrets of one vendor.
    """
    return {slug: _entry(env, row) for slug, row in rows.items() if variables(row)}


def variables(row: Provider) -> list[str]:
    """The names of a vendor's variables."""
    keys = [name for _, name in _key_variables(row)]
    options = [option.variable for option in row.options if option.variable]
    keys += [row.reports.key_variable] if row.reports is not None else []
    return keys + ([row.url_variable] if row.url_variable else []) + options


def _entry(env: Environment, row: Provider) -> dict[str, Any]:
    found = [(kind, name, secret) for kind, name in _key_variables(row) if (secret := _secret(env, name))]
    if len(found) > 1:
        names = " and ".join(name for _, name, _ in found)
        raise ImproperlyConfigured(f"{names} must not both be set.")
    kind, key_name, secret = found[0] if found else (row.auth_kinds[0], row.key_variable, None)
    base_url = _address(env, row.url_variable) or row.base_url
    if secret is not None and not base_url:
        raise ImproperlyConfigured(f"{key_name} needs {row.url_variable}: the address to which it belongs.")
    options = {option.name: value for option in row.options if (value := _option(env, option))}
    for option in row.options:
        if option.shared or not option.variable:
            continue
        meant = secret is not None and (not option.kinds or kind in option.kinds)
        if option.name in options and not meant:
            raise ImproperlyConfigured(f"{option.variable} needs {_needed_key(row, option)}.")
        if option.required and meant and option.name not in options:
            raise ImproperlyConfigured(f"{key_name} needs {option.variable}.")
    shared = {option.name for option in row.options if option.shared}
    admin = {"admin_key": _secret(env, row.reports.key_variable)} if row.reports is not None else {}
    return admin | {
        "api_key": secret,
        "kind": kind,
        "base_url": base_url,
        "options": options,
        "shared": {name: value for name, value in options.items() if name in shared},
    }


def _key_variables(row: Provider) -> list[tuple[AccessKind, str]]:
    first = [(row.auth_kinds[0], row.key_variable)] if row.key_variable else []
    return [*first, *row.other_key_variables]


def _needed_key(row: Provider, option: Option) -> str:
    names = [name for kind, name in _key_variables(row) if not option.kinds or kind in option.kinds]
    return " or ".join(names)


def _secret(env: Environment, name: str) -> Secret | None:
    text = env.text(name)
    if not text:
        return None
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ImproperlyConfigured(f"{name} holds characters that no key has.")
    return Secret(text)


def _address(env: Environment, name: str) -> str:
    """Never empty text from base_url(): that method takes an unset variable for a wrong one."""
    return env.base_url(name, "") if name and env.text(name) else ""


def _option(env: Environment, option: Option) -> str:
    """The value that is set, "" when none is; a flag is "1" or ""."""
    if not option.variable:
        return ""
    match option.form:
        case "flag":
            return "1" if env.flag(option.variable) else ""
        case "url":
            return _address(env, option.variable)
        case "text":
            value = env.text(option.variable)
            if value and not re.fullmatch(option.pattern, value):
                raise ImproperlyConfigured(f"{option.variable} does not look like a {option.label.lower()}.")
            return value

"""Which models are asked in place of one that cannot answer."""

from __future__ import annotations

from usage.catalogue import overrides


def of(ref: str) -> list[str]:
    """The refs to try after this model, in order; empty where an admin set none, or switched them all off.

    Chains do not follow each other: the chain of a model in a chain is not asked. On an event loop: after
    `overrides.fresh`, which `known_models.resolve` awaits.
    """
    known = overrides.known()
    own = known.canonical(ref)
    after = dict.fromkeys(known.canonical(other) for other in known.chains.get(own, ()))
    return [other for other in after if other != own and known.override(other).enabled is not False]

"""`python -m tests.fuzz.child TARGET …`: one target in one process, until libFuzzer's options end it."""

import random
import sys

import atheris  # type: ignore[import-untyped]

from tests.fuzz import mutations

# What is to be led by coverage must not have been imported before.
with atheris.instrument_imports(include=["providers"]):
    from tests.fuzz import targets


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    choice = random.Random(seed)
    if choice.random() < 0.3:
        return bytes(atheris.Mutate(data, longest))
    return mutations.mutated(data, choice, choice.randint(1, 3))[:longest]


if __name__ == "__main__":
    target, *rest = sys.argv[1:]
    atheris.Setup([sys.argv[0], *rest], targets.CHECKS[target], custom_mutator=mutate)
    atheris.Fuzz()

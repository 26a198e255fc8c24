"""Writes and reads single rows on the path of every call, with statements that are built once.

Django takes five to ten times as long to build such a query as SQLite takes to run it. The words are the
same on SQLite and PostgreSQL; values are prepared by the models' own fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from django.db import connection, models


class Statement(NamedTuple):
    """Its values must be `prepared`."""

    text: str
    values: Sequence[Any] = ()


class Answer(NamedTuple):
    """How many rows a statement changed, and those that it found."""

    changed: int
    found: list[tuple[Any, ...]]


def insert(row: models.Model, *, otherwise: str = "") -> bool:
    """Inserts the row; says whether it did. `otherwise` is an ON CONFLICT clause, never from outside."""
    statement = inserting(row, otherwise=otherwise)
    return run(statement.text, *statement.values) == 1


def inserting(row: models.Model, *, otherwise: str = "") -> Statement:
    """The statement for that."""
    model = type(row)
    return Statement(f"{_insert(model)} {otherwise}", [_value(field, row) for field in _fields(model)])


def together(statements: Sequence[Statement]) -> list[Answer]:
    """Runs statements in their order, each as it would run alone. PostgreSQL gets them in one message, so
    that all of them cost the way there and back once. What one of them raises ends the transaction.
    """
    if not statements:
        return []
    if connection.vendor != "postgresql" or getattr(connection.features, "uses_server_side_binding", False):
        return [_answer_to(one) for one in statements]
    answers = []
    with connection.cursor() as cursor:
        cursor.execute(
            "; ".join(one.text for one in statements), [value for one in statements for value in one.values]
        )
        for _ in statements:
            answers.append(Answer(cursor.rowcount, cursor.fetchall() if cursor.description else []))
            cursor.nextset()
    return answers


def _answer_to(statement: Statement) -> Answer:
    with connection.cursor() as cursor:
        cursor.execute(statement.text, statement.values)
        return Answer(cursor.rowcount, cursor.fetchall() if cursor.description else [])


def run(statement: str, *values: Any) -> int:
    """Runs a statement that writes; returns how many rows it changed. Values must be `prepared`."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        changed: int = cursor.rowcount
    return changed


def one(statement: str, *values: Any) -> Any:
    """The first column of the first row that a SELECT finds, or None. Values must be prepared."""
    found = first(statement, *values)
    return found[0] if found else None


def first(statement: str, *values: Any) -> tuple[Any, ...] | None:
    """The first row that a SELECT finds or a RETURNING gives, as the database's own values.

    Values must be prepared.
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: tuple[Any, ...] | None = cursor.fetchone()
    return found


def prepared(model: type[models.Model], field: str, value: Any) -> Any:
    """A value as this database takes it for a field of the model."""
    return model._meta.get_field(field).get_db_prep_save(value, connection)  # type: ignore[union-attr]


def quoted(*names: str) -> str:
    """Names as SQL, with commas between."""
    return ", ".join(connection.ops.quote_name(name) for name in names)


@cache
def _fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    """The columns that an INSERT gives; the database counts automatic keys itself."""
    return [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]


@cache
def _insert(model: type[models.Model]) -> str:
    columns = [str(field.column) for field in _fields(model)]
    marks = ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {quoted(model._meta.db_table)} ({quoted(*columns)}) VALUES ({marks})"  # noqa: S608


def _value(field: models.Field[Any, Any], row: models.Model) -> Any:
    return field.get_db_prep_save(field.pre_save(row, add=True), connection)

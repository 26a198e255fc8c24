"""Tables that only grow, because the database itself refuses anything else, whoever asks.

Every migration that touches such a table must end with `install`: Django's table remake on SQLite drops
triggers silently. Start-up calls `check`. Only the flush between tests may use `lifted`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper


class Unprotected(Exception):
    """A table that only grows could be changed: some of its triggers are gone, altered or switched off."""


@dataclass(frozen=True, slots=True)
class AppendOnly:
    """One such table and its triggers. They raise with `refusal` in their words.

    `sqlite` and `postgresql` are CREATE TRIGGER statements by name; those of PostgreSQL execute `function`,
    which `create_function` makes anew. `words` is how people call the table, `place` the module that has
    `install`.
    """

    table: str
    words: str
    place: str
    refusal: str
    sqlite: Mapping[str, str]
    function: str
    create_function: str
    postgresql: Mapping[str, str]

    def install(self, to: BaseDatabaseWrapper | None = None) -> None:
        """Puts every trigger in place, anew where one exists. Runs in the caller's transaction."""
        database = to or connection
        self.remove(database)
        with database.cursor() as cursor:
            if database.vendor == "postgresql":
                cursor.execute(self.create_function)
            for statement in self.wanted(database).values():
                cursor.execute(statement)

    def remove(self, from_: BaseDatabaseWrapper | None = None) -> None:
        """Takes the protection away: for going back before the table's migration, and for the flush of
        tests.
        """
        database = from_ or connection
        with database.cursor() as cursor:
            for name in self.wanted(database):
                on = f" ON {self.table}" if database.vendor == "postgresql" else ""
                cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")

    @contextmanager
    def lifted(self, on: BaseDatabaseWrapper | None = None) -> Iterator[None]:
        """Without triggers inside, with them after. For tests that flush their tables between each other."""
        self.remove(on)
        try:
            yield
        finally:
            self.install(on)

    def check(self, on: BaseDatabaseWrapper | None = None) -> None:
        """Raises Unprotected unless every trigger stands as it was installed and is switched on."""
        database = on or connection
        if missing := sorted(self.wanted(database).keys() - self._standing(database)):
            raise Unprotected(
                f"{self.words} is not protected: {', '.join(missing)} missing or altered. "
                "Find out who changed the database, then put them back with: manage.py shell -c "
                f"'from {self.place} import install; install()'"
            )

    def wanted(self, database: BaseDatabaseWrapper) -> Mapping[str, str]:
        """The triggers that this database should have."""
        return self.postgresql if database.vendor == "postgresql" else self.sqlite

    def _standing(self, database: BaseDatabaseWrapper) -> set[str]:
        with database.cursor() as cursor:
            if database.vendor == "postgresql":
                cursor.execute(
                    "SELECT t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
                    "WHERE t.tgrelid = to_regclass(%s) AND t.tgenabled IN ('O', 'A') "
                    "AND p.proname = %s AND p.prosrc LIKE %s",
                    [self.table, self.function, f"%{self.refusal}%"],
                )
                return {name for (name,) in cursor.fetchall()}
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [self.table]
            )
            return {name for name, sql in cursor.fetchall() if sql == self.sqlite.get(name)}

"""Makes the database itself refuse to change an audit event, and to remove one that was not pruned.

Migrations that touch the table end with `install`: Django's table remake on SQLite drops triggers silently.
Start-up calls `check`. Only the flush between tests may use `lifted`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "accounts_auditevent"
HEAD = "accounts_audithead"
REFUSAL = "the audit log is append-only"

SQLITE = {
    "accounts_audit_no_update": f"""CREATE TRIGGER accounts_audit_no_update BEFORE UPDATE ON {TABLE}
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
    "accounts_audit_no_delete": f"""CREATE TRIGGER accounts_audit_no_delete BEFORE DELETE ON {TABLE}
        WHEN OLD.number > COALESCE((SELECT pruned FROM {HEAD}), 0)
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",  # noqa: S608 - names of this module
    "accounts_audit_no_replace": f"""CREATE TRIGGER accounts_audit_no_replace BEFORE INSERT ON {TABLE}
        WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE number = NEW.number)
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",  # noqa: S608 - names of this module
}
POSTGRESQL_FUNCTION = f"""CREATE OR REPLACE FUNCTION accounts_audit_refuse() RETURNS trigger
LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.number <= COALESCE((SELECT pruned FROM {HEAD}), 0) THEN RETURN OLD; END IF;
    END IF;
    RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation';
END $$"""  # noqa: S608 - names of this module
POSTGRESQL = {
    "accounts_audit_no_change": f"""CREATE TRIGGER accounts_audit_no_change BEFORE UPDATE OR DELETE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION accounts_audit_refuse()""",
    "accounts_audit_no_truncate": f"""CREATE TRIGGER accounts_audit_no_truncate BEFORE TRUNCATE ON {TABLE}
        FOR EACH STATEMENT EXECUTE FUNCTION accounts_audit_refuse()""",
}


class AuditUnprotected(Exception):
    """The audit log could be changed: some of its triggers are gone, altered or switched off."""


def install(to: BaseDatabaseWrapper | None = None) -> None:
    """Puts every trigger in place, anew where one exists. Runs in the caller's transaction."""
    database = to or connection
    remove(database)
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute(POSTGRESQL_FUNCTION)
        for statement in _wanted(database).values():
            cursor.execute(statement)


def remove(from_: BaseDatabaseWrapper | None = None) -> None:
    """Takes the protection away: for going back before the table's migration, and for the flush of tests."""
    database = from_ or connection
    with database.cursor() as cursor:
        for name in _wanted(database):
            on = f" ON {TABLE}" if database.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


@contextmanager
def lifted(on: BaseDatabaseWrapper | None = None) -> Iterator[None]:
    """Without triggers inside, with them after. For tests that flush their tables between each other."""
    remove(on)
    try:
        yield
    finally:
        install(on)


def check(on: BaseDatabaseWrapper | None = None) -> None:
    """Raises AuditUnprotected unless every trigger stands as it was installed and is switched on."""
    database = on or connection
    if missing := sorted(_wanted(database).keys() - _standing(database)):
        raise AuditUnprotected(
            f"The audit log's table is not protected: {', '.join(missing)} missing or altered. "
            "Find out who changed the database, then put them back with: manage.py shell -c "
            "'from accounts.audit_triggers import install; install()'"
        )


def _wanted(database: BaseDatabaseWrapper) -> dict[str, str]:
    return POSTGRESQL if database.vendor == "postgresql" else SQLITE


def _standing(database: BaseDatabaseWrapper) -> set[str]:
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            cursor.execute(
                "SELECT t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
                "WHERE t.tgrelid = to_regclass(%s) AND t.tgenabled IN ('O', 'A') "
                "AND p.proname = 'accounts_audit_refuse' AND p.prosrc LIKE %s",
                [TABLE, f"%{REFUSAL}%"],
            )
            return {name for (name,) in cursor.fetchall()}
        cursor.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE]
        )
        return {name for name, sql in cursor.fetchall() if sql == SQLITE.get(name)}

"""Makes the database itself refuse to change or remove ledger lines, whoever asks (accounts.append_only)."""

from __future__ import annotations

from accounts.append_only import AppendOnly

TABLE = "usage_ledgerline"
REFUSAL = "the ledger is append-only: write a corrected line instead"

# REPLACE removes rows on SQLite without firing DELETE triggers, so inserting over an existing line is refused
# too.
SQLITE = {
    "usage_ledger_no_update": f"""CREATE TRIGGER usage_ledger_no_update BEFORE UPDATE ON {TABLE}
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
    "usage_ledger_no_delete": f"""CREATE TRIGGER usage_ledger_no_delete BEFORE DELETE ON {TABLE}
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",
    "usage_ledger_no_replace": f"""CREATE TRIGGER usage_ledger_no_replace BEFORE INSERT ON {TABLE}
        WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id OR
            (call_id = NEW.call_id AND attempt = NEW.attempt AND line = NEW.line))
        BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END""",  # noqa: S608 - names of this module
}
POSTGRESQL_FUNCTION = f"""CREATE OR REPLACE FUNCTION usage_ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$
    BEGIN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$"""
POSTGRESQL = {
    "usage_ledger_no_change": f"""CREATE TRIGGER usage_ledger_no_change BEFORE UPDATE OR DELETE ON {TABLE}
        FOR EACH ROW EXECUTE FUNCTION usage_ledger_refuse()""",
    "usage_ledger_no_truncate": f"""CREATE TRIGGER usage_ledger_no_truncate BEFORE TRUNCATE ON {TABLE}
        FOR EACH STATEMENT EXECUTE FUNCTION usage_ledger_refuse()""",
}

LEDGER = AppendOnly(
    table=TABLE,
    words="The ledger's table",
    place="usage.ledger.triggers",
    refusal=REFUSAL,
    sqlite=SQLITE,
    function="usage_ledger_refuse",
    create_function=POSTGRESQL_FUNCTION,
    postgresql=POSTGRESQL,
)
install, remove, lifted, check = LEDGER.install, LEDGER.remove, LEDGER.lifted, LEDGER.check

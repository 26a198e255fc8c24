"""Makes the database itself refuse to change an audit event, and to remove one that was not pruned
(accounts.append_only).
"""

from __future__ import annotations

from accounts.append_only import AppendOnly

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

AUDIT_LOG = AppendOnly(
    table=TABLE,
    words="The audit log's table",
    place="accounts.audit.triggers",
    refusal=REFUSAL,
    sqlite=SQLITE,
    function="accounts_audit_refuse",
    create_function=POSTGRESQL_FUNCTION,
    postgresql=POSTGRESQL,
)
install, remove, lifted, check = AUDIT_LOG.install, AUDIT_LOG.remove, AUDIT_LOG.lifted, AUDIT_LOG.check

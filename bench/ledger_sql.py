"""The statement that writes a day's ledger lines, on SQLite and on PostgreSQL the same lines.

A call is a number. What it is comes from remainders of the number times large primes, which spread evenly and
look like chance; so a line needs no random numbers, and both databases get the same ones.
"""

from __future__ import annotations

from bench.ledger_cast import CLOCK, PATTERNS, SIZES

# Of 10,000 calls so many fail, most of them before anything was billed, are stopped, break off or are
# refused; the others complete. Half of the failed ones are tried again, a third of the estimates corrected.
UNBILLED, FAILED, STOPPED, BROKEN, REFUSED = 200, 300, 400, 440, 480
TRIED_AGAIN = 150

# Its values: the first number of the day and the last; the day's begin (seconds); again the first number, how
# many there are, and which part of the day has passed.
_LINES = """
INSERT INTO usage_ledgerline ({names})
WITH {numbers},
calls AS (
    SELECT n,
        (n * 2654435761) %% 4294967291 / 65536 %% {patterns} AS pattern,
        (n * 1597334677) %% 4294967291 / 65536 %% {sizes} AS size,
        (n * 3266489917) %% 4294967291 / 65536 %% 10000 AS fate,
        CAST(%s AS bigint) * 1000000 + CAST(
            (c.begins + c.wide * ((n - f.first) * {clock} %% f.count) / f.count) * f.part AS bigint
        ) AS micros
    FROM numbers
    CROSS JOIN (
        SELECT CAST(%s AS bigint) AS first, CAST(%s AS bigint) AS count, CAST(%s AS double precision) AS part
    ) f
    JOIN b_clock c ON c.place = (n - f.first) * {clock} / f.count
),
parts AS (
    SELECT c.n, c.micros, c.fate, c.pattern, p.*, s.input, s.cached, s.written, s.thinking, s.ttft,
        s.duration, t.attempt, t.line,
        CASE
            WHEN t.attempt = 2 OR c.fate >= {refused} THEN 'completed'
            WHEN c.fate < {failed} THEN 'failed'
            WHEN c.fate < {stopped} THEN 'stopped'
            WHEN c.fate < {broken} THEN 'interrupted'
            ELSE 'refused'
        END AS outcome,
        CASE
            WHEN t.line = 1 THEN 'corrected'
            WHEN t.attempt = 1 AND c.fate >= {unbilled} AND c.fate < {broken} THEN 'estimated'
            ELSE 'reported'
        END AS source,
        CASE WHEN t.line = 1 OR (t.attempt = 1 AND c.fate < {unbilled}) THEN 0 ELSE 1 END AS many,
        CASE
            WHEN t.line = 1 THEN -(s.output / 10)
            WHEN t.attempt = 1 AND c.fate < {unbilled} THEN 0
            ELSE s.output
        END AS answered
    FROM calls c
    JOIN b_pattern p ON p.place = c.pattern
    JOIN b_size s ON s.place = c.size
    JOIN (SELECT 1 AS attempt, 0 AS line UNION ALL SELECT 1, 1 UNION ALL SELECT 2, 0) t ON
        (t.attempt = 1 AND t.line = 0)
        OR (t.line = 1 AND c.fate >= {unbilled} AND c.fate < {broken} AND n %% 3 = 0)
        OR (t.attempt = 2 AND c.fate < {tried_again})
)
SELECT {columns} FROM parts ORDER BY n, attempt, line
"""
_ERROR = """CASE
    WHEN outcome <> 'failed' THEN ''
    WHEN fate < 120 THEN 'overloaded_error'
    WHEN fate < 200 THEN 'rate_limit_error'
    WHEN fate < 260 THEN 'api_error'
    ELSE 'timeout'
END"""
_COST = """(
    (input * input_rate + cached * cached_rate + written * written_rate) * many + answered * output_rate
) / 1000"""
_COLUMNS = {
    '"user"': '"user"',
    "team": "team",
    "token": "token",
    "conversation": "CASE WHEN token IS NULL THEN {conversation} END",
    "run": "CASE WHEN token IS NULL THEN {run} END",
    "credential_scope": "credential_scope",
    "provider": "provider",
    "purpose": "purpose",
    "call_id": "{call}",
    "attempt": "attempt",
    "line": "line",
    "accounted_at": "{asked}",
    "day": "{day}",
    "written_at": "{ended}",
    "model_asked": "model",
    "model_served": "model",
    "input_tokens": "input * many",
    "output_tokens": "answered",
    "cache_read_input_tokens": "cached * many",
    "cache_creation_input_tokens": "written * many",
    "cache_creation_5m": "written * many",
    "cache_creation_1h": "0",
    "thinking_tokens": "thinking * many",
    "web_search_requests": "0",
    "web_fetch_requests": "0",
    "service_tier": "'standard'",
    "speed": "''",
    "inference_geo": "''",
    "price_source": "'catalogue'",
    "cost_nano": _COST,
    "source": "source",
    "outcome": "outcome",
    "error": _ERROR,
    "ttft_ms": "CASE WHEN many = 1 THEN ttft END",
    "duration_ms": "CASE WHEN line = 0 THEN duration END",
    "vendor_request_id": "'req_' || n",
}
_NUMBERS = {
    "sqlite": "RECURSIVE numbers(n) AS (SELECT %s UNION ALL SELECT n + 1 FROM numbers WHERE n < %s)",
    "postgresql": "numbers AS (SELECT n::bigint AS n FROM generate_series(%s, %s) n)",
}
# A moment, the day, and an id that rises with the moment, as those of real calls do.
_MOMENT = {
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%S', ({0}) / 1000000, 'unixepoch')"
    " || printf('.%%06d', ({0}) %% 1000000)",
    "postgresql": "timestamptz 'epoch' + ({0}) * interval '1 microsecond'",
}
_DAY = {
    "sqlite": "date(micros / 1000000, 'unixepoch')",
    "postgresql": "(timestamp 'epoch' + micros * interval '1 microsecond')::date",
}
_ID = {
    "sqlite": "printf('%%012x7%%03x{2}%%015x', {0}, n %% 4096, {1})",
    "postgresql": "(lpad(to_hex({0}), 12, '0') || '7' || lpad(to_hex(n %% 4096), 3, '0') || '{2}'"
    " || lpad(to_hex({1}), 15, '0'))::uuid",
}


def lines(vendor: str) -> str:
    """The statement for this kind of database."""
    moment, identity = _MOMENT[vendor], _ID[vendor]
    values = {
        "call": identity.format("micros / 1000", "n", "8"),
        "run": identity.format("micros / 1000", "n", "9"),
        "conversation": identity.format("micros / 86400000000", "pattern", "a"),
        "asked": moment.format("micros"),
        "ended": moment.format("micros + duration * 1000"),
        "day": _DAY[vendor],
    }
    return _LINES.format(
        names=", ".join(_COLUMNS),
        columns=", ".join(column.format(**values) for column in _COLUMNS.values()),
        numbers=_NUMBERS[vendor],
        patterns=PATTERNS,
        sizes=SIZES,
        clock=CLOCK,
        failed=FAILED,
        unbilled=UNBILLED,
        stopped=STOPPED,
        broken=BROKEN,
        refused=REFUSED,
        tried_again=TRIED_AGAIN,
    )

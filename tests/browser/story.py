"""What the pictures of `tests.screens` show: questions of a small company, and what a model answers."""

# ruff: noqa: E501 - a paragraph, a row of a table or a title is one line

from __future__ import annotations

from collections.abc import Mapping

from providers.types import Json
from tests.browser.story_program import importer

OWNER = "Marta Kowalska"
GUEST = "ليلى منصور"
HOUSE = "Harbour & Daughters"

LEDGER = (
    "Which of the four import plans should we take before the quarter ends, and what does each cost a month?"
)
LEDGER_TITLE = "Which import plan to take before the quarter ends, and when"
CODE = (
    "Write the importer for plan C. Keep it in one file, with types, and say what a rejected row looks like."
)
MATHS = "How sure can we be that fewer than 2 % of the rows are wrong, if 3 of 400 checked rows were?"
SOURCES = (
    "Is the exchange rate of the invoice date the right one for the books? Look it up and check my numbers."
)
ARABIC = "اكتبي رسالة قصيرة إلى المورّد نطلب فيها تأجيل التسليم أسبوعًا، مع جدول بالمواعيد الجديدة."
STOPPED = "Draft the announcement for the team, please."
CUT = "List the steps for rolling back the import on Monday."
OVERLOADED = "Summarise the supplier contract in five points."
BROKEN = "Compare the three quotes for the new scanner."
RUNNING = "Write the paragraph for the newsletter about the new ledger."
THINKING = "Which of our twelve reports can we stop making?"
LONG = "Write the whole manual for the new scanner."
DECLINED = "Which of our competitors' accounts can you get into?"
PAGED = "How do we tell the two suppliers that the order moves to spring?"
REWORDED = "How do we tell the two suppliers, without naming a reason, that the order moves to spring?"
STEP = "And the step after that?"
EMPTIED = "Forget this again, please."
PICTURE = "What does the floor plan of the exhibition look like?"

_LEDGER_ANSWER = """**Take plan C.** It imports the same rows as D for about a third of the price, and it is the only one \
that leaves the old ledger readable while both run.

## What the four plans do

Each was tried on the 41,300 rows of September, on the machine that would run it.

| Plan | Rows per minute | Rejected | By hand (hours) | Old ledger readable | First run (min) | Each month | Setup |
| :--- | ---: | ---: | ---: | :---: | ---: | ---: | ---: |
| A, as today | 310 | 2.1 % | 14.0 | yes | 133 | $0 | $0 |
| B, nightly file | 1,900 | 1.4 % | 9.5 | no | 22 | $38 | $400 |
| C, two steps | 4,200 | 0.3 % | 2.0 | yes | 10 | $61 | $950 |
| D, everything new | 4,600 | 0.3 % | 2.0 | yes | 9 | $190 | $4,100 |

What speaks for each:

1. **A** costs nothing but 14 hours of Tom's month.
2. **B** is quick to set up, yet nobody can look anything up between 22:00 and 6:00.
3. **C** needs `import_rows` to run twice; the second run only reads.
   - the first takes ten minutes,
   - every later one under a minute.
4. **D** is worth it only if the archive moves too.

> Finance asked that nothing is deleted before the audit of 12 January. All four plans respect that.

If you agree, I would write the importer next.
"""


_CODE_ANSWER = f"""The importer is one file. `--write` makes the second run; without it nothing is changed.

```python
{importer()}
```

A rejected row is named by its line and its reason, so that it can be repaired in the file itself:

```
line 118: vat: 2026-0312 (Lindqvist Papper)
line 407: '1.2O4,50' is not an amount
```

Run it with `python import_rows.py september.csv` first.
"""

_MATHS_ANSWER = r"""Three wrong rows in 400 are a rate of $\hat p = 3/400 = 0.75\,\%$. How far the true rate may be
from that is a question of the binomial distribution.

**The exact bound.** We look for the largest $p$ for which three or fewer wrong rows would still be likely:

$$
\sum_{k=0}^{3} \binom{400}{k}\, p^{k} (1-p)^{400-k} = 0.05
\quad\Longrightarrow\quad p \approx 1.93\,\%
$$

**The quick check** by Poisson, with $\lambda = np$:

$$
P(X \le 3) = e^{-\lambda}\left(1 + \lambda + \frac{\lambda^2}{2} + \frac{\lambda^3}{6}\right)
\;=\; 0.05 \;\Longrightarrow\; \lambda \approx 7.75,\qquad p \approx \frac{7.75}{400} = 1.94\,\%
$$

So with a certainty of 95 % fewer than 2 % of the rows are wrong, but only just. Checking 200 more rows would settle
it: with the same rate the bound falls to about $1.6\,\%$.
"""

_ARABIC_ANSWER = """**الموضوع: طلب تأجيل التسليم**

السيد لينكفيست المحترم،

نشكركم على تعاونكم الدائم. نرجو منكم تأجيل تسليم الطلبية رقم 2026-0312 أسبوعًا واحدًا، لأن المستودع في **روتردام** مغلق \
للجرد.

| الدفعة | الموعد القديم | الموعد الجديد | الكمية |
| :--- | :--- | :--- | ---: |
| الأولى | 24 نوفمبر | 1 ديسمبر | 1,200 |
| الثانية | 1 ديسمبر | 8 ديسمبر | 800 |

1. لا تتغيّر الأسعار ولا الكميات.
2. يبقى رقم الطلبية `PO-2026-0312` كما هو.

مع خالص التحية،
ليلى منصور

The English summary for the file: *one week later, same prices, both batches.*
"""

_ROLLBACK = """Rolling back is a change of settings, not of data. In this order:

1. Stop the nightly job: set `import.enabled` to `false` and wait until its last run has ended.
2. Put the old ledger back in front: in **Settings → Books**, choose *September (old)*.
3. Tell finance that rows entered after 14:00 must be"""

_NEWS = """From 1 December our invoices live in a **new ledger**. For most of us nothing changes: the search field \
stays where it is, and every invoice keeps its number.

Two things are better:

- rows that do not add up are found *before* they are booked,
- the month closes on its second working day instead of its fifth.

If you approve invoices, you will be asked to"""

_TERMS = [
    "European Central Bank: euro foreign exchange reference rates",
    "Invoices in foreign currencies: a guide",
]


def _search() -> list[Json]:
    """A search, a run of code, and an answer that cites."""

    def cited(url: str, title: str, words: str) -> Json:
        kind = "web_search_result_location"
        return {"type": kind, "cited_text": words, "url": url, "title": title, "encrypted_index": "x"}

    bank, guide = "https://www.bank.example/reference-rates", "https://tax.example.org/guide/foreign-currency"
    hits = [
        (_TERMS[0], bank),
        (_TERMS[1], guide),
        ("Rates of 14 November 2026", "https://rates.example.com/2026-11-14"),
    ]
    results = [
        {
            "type": "web_search_result",
            "title": title,
            "url": url,
            "encrypted_content": "x",
            "page_age": "3 days ago",
        }
        for title, url in hits
    ]
    program = (
        "net = [1204.50, 880.00, 312.25]\nrate = 1.0832  # 14 November\n"
        "print([round(n / rate, 2) for n in net], round(sum(net) / rate, 2))"
    )
    return [
        {
            "type": "thinking",
            "thinking": "The person asks two things: which rate the rules want, and whether the sums are right. I look "
            "the rule up first, then compute the three amounts with the rate of that day.",
            "signature": "c2lnbmVk",
        },
        {
            "type": "server_tool_use",
            "id": "srvtoolu_1",
            "name": "web_search",
            "input": {"query": "exchange rate invoice date bookkeeping rule"},
        },
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": results},
        {"type": "server_tool_use", "id": "srvtoolu_2", "name": "code_execution", "input": {"code": program}},
        {
            "type": "code_execution_tool_result",
            "tool_use_id": "srvtoolu_2",
            "content": {
                "type": "code_execution_result",
                "stdout": "[1111.98, 812.41, 288.27] 2212.66",
                "stderr": "",
                "return_code": 0,
                "content": [],
            },
        },
        {"type": "text", "text": "**Yes: the rate of the invoice date is the right one.** "},
        {
            "type": "text",
            "text": "The rule names the day on which the tax becomes due, which is the day of the invoice",
            "citations": [
                cited(guide, _TERMS[1], "The rate is that of the day on which the tax becomes due.")
            ],
        },
        {"type": "text", "text": ", and accepts the central bank's reference rate"},
        {
            "type": "text",
            "text": " of that day or of the last day before it",
            "citations": [
                cited(bank, _TERMS[0], "Rates are published at about 16:00 on every working day."),
                cited(guide, _TERMS[1], "Where none is published on that day, the last one before it holds."),
            ],
        },
        {
            "type": "text",
            "text": ".\n\nYour three amounts come to $1,111.98, $812.41 and $288.27, together **$2,212.66**. Your sheet says "
            "$2,214.10: it uses the rate of the day of payment in the second row.",
        },
    ]


_LETTER = """Short, and the date first, so that nobody has to look for it:

> **The order of 1 December moves to 2 March.** Prices and quantities stay as agreed. We know that you have planned \
with December, and would like to hear by Friday what the change costs you.

Send it to both on the same day; they talk to each other."""

SCRIPTS: Mapping[str, Json] = {
    PAGED: {"text": _LETTER, "thinking": False, "title": "Moving the order to spring"},
    REWORDED: {"text": _LETTER.replace("We know", "We also know"), "thinking": False},
    STEP: {
        "text": "Count the boxes that are left, write the number on the sheet, and **sign it**. Then the next shelf.",
        "thinking": False,
        "title": "Stocktaking, step by step",
    },
    EMPTIED: {"text": "It is forgotten.", "thinking": False, "title": "Something to forget"},
    LEDGER: {"text": _LEDGER_ANSWER, "thinking": "Compare cost, speed and risk.", "title": LEDGER_TITLE},
    CODE: {"text": _CODE_ANSWER, "thinking": False},
    MATHS: {"text": _MATHS_ANSWER, "thinking": False},
    SOURCES: {"blocks": _search(), "thinking": False, "rate": 40},
    ARABIC: {
        "text": _ARABIC_ANSWER,
        "thinking": False,
        "title": "رسالة إلى المورّد لتأجيل التسليم أسبوعًا واحدًا",
    },
    STOPPED: {
        "text": _NEWS,
        "deltas": 40,
        "thinking": False,
        "gates": {"stopped": 24},
        "title": "Announcement",
    },
    CUT: {
        "text": _ROLLBACK,
        "deltas": 30,
        "thinking": False,
        "cut_after": 32,
        "title": "Rolling back on Monday",
    },
    OVERLOADED: {"status": 529, "message": "Overloaded", "title": "Supplier contract"},
    BROKEN: {
        "text": "The three quotes differ mostly in what they leave out: only the second names the price of repairs after",
        "deltas": 10,
        "thinking": False,
        "error_event_after": 12,
        "message": "Overloaded",
        "title": "Quotes for the scanner",
    },
    RUNNING: {
        "text": _NEWS,
        "deltas": 40,
        "thinking": False,
        "gates": {"running": 36},
        "title": "Newsletter",
    },
    THINKING: {
        "text": "Four of them.",
        "thinking": "Each report costs an hour a month. I would first ask who opened which of them since summer: the "
        "sales report is opened daily, the one on returns by nobody since June. Then there is the question of",
        "gates": {"thinking": 14},
        "title": "Reports to stop",
    },
    LONG: {
        "text": "# The new scanner\n\n## Before you switch it on\n\nPut it on a table that does not move, at least",
        "thinking": False,
        "stop_reason": "max_tokens",
        "title": "Manual for the scanner",
    },
    DECLINED: {"text": "", "thinking": False, "stop_reason": "refusal", "title": "Accounts of others"},
    PICTURE: {
        "text": "The plan is on the organiser's page:\n\n![Floor plan of hall 4](https://fair.example.com/hall-4.png)\n\n"
        "Our stand is **4.112**, beside the [west entrance](https://fair.example.com/entrances?from=west).",
        "thinking": False,
        "title": "Floor plan of the exhibition",
    },
    "Regex for invoice numbers": {"text": "`^\\d{4}-\\d{4}$`", "title": "Regex for invoice numbers"},
    "Agenda for Thursday": {"text": "Three points.", "title": "Agenda for Thursday"},
    "Why is this index not used": {
        "text": "Because of the cast.",
        "title": "Postgres: why is this index not used",
    },
    "Translate the onboarding e-mail": {
        "text": "Done.",
        "title": "Translate the onboarding e-mail into Polish",
    },
}

OLDER = [
    "Regex for invoice numbers",
    "Agenda for Thursday",
    "Why is this index not used",
    "Translate the onboarding e-mail",
]

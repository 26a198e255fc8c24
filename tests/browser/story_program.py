"""Two hundred lines of code, for the pictures of an answer that holds them."""

from __future__ import annotations


def importer() -> str:
    """Two hundred lines of a plausible program."""
    head = '''"""Reads the supplier's rows and writes them to the new ledger, in two steps."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

VAT = Decimal("0.21")  # since 2026-01-01
LONGEST_NOTE = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One line of an invoice. Amounts are in cents."""

    number: str
    supplier: str
    day: date
    net: int
    vat: int
    note: str = ""

    @property
    def gross(self) -> int:
        return self.net + self.vat


@dataclass(slots=True)
class Report:
    written: int = 0
    rejected: list[tuple[int, str]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.written} written, {len(self.rejected)} rejected"


class Rejected(Exception):
    """A row that cannot be written; the message says why, for the person who repairs it."""


def cents(text: str) -> int:
    """1.204,50 -> 120450. Raises Rejected."""
    try:
        return int(Decimal(text.replace(".", "").replace(",", ".")) * 100)
    except InvalidOperation:
        raise Rejected(f"{text!r} is not an amount") from None

'''
    checks = "\n".join(
        f'''
def check_{name}(row: Row) -> None:
    """Raises Rejected unless {rule}."""
    if {wrong}:
        raise Rejected(f"{name}: {{row.number}} ({{row.supplier}})")
'''
        for name, rule, wrong in (
            ("number", "the number has its year in front", "not row.number[:4].isdigit()"),
            ("supplier", "the supplier is known", "row.supplier not in SUPPLIERS"),
            ("day", "the day is not in the future", "row.day > date.today()"),
            ("amount", "the amount is above zero", "row.net <= 0"),
            ("vat", "the tax fits the amount", "abs(row.vat - int(row.net * VAT)) > 1"),
            ("note", "the note is short enough", "len(row.note) > LONGEST_NOTE"),
            ("period", "the books of that month are open", "row.day < OPEN_SINCE"),
            ("twice", "the row was not written before", "row.number in WRITTEN"),
        )
    )
    tail = '''

CHECKS = [value for name, value in sorted(globals().items()) if name.startswith("check_")]


def read(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        yield from enumerate(csv.DictReader(file, delimiter=";"), start=2)


def to_row(cells: dict[str, str]) -> Row:
    day, month, year = (int(part) for part in cells["date"].split("."))
    return Row(
        number=cells["number"].strip(),
        supplier=cells["supplier"].strip(),
        day=date(year, month, day),
        net=cents(cells["net"]),
        vat=cents(cells["vat"]),
        note=cells.get("note", "").strip(),
    )


def import_rows(rows: Iterable[tuple[int, dict[str, str]]], *, dry: bool) -> Report:
    """The first run (dry) only checks; the second writes what passed."""
    report = Report()
    for line, cells in rows:
        try:
            row = to_row(cells)
            for check in CHECKS:
                check(row)
        except (Rejected, KeyError, ValueError) as problem:
            report.rejected.append((line, str(problem)))
            continue
        if not dry:
            LEDGER.append(row)
        report.written += 1
    return report


def main(arguments: list[str]) -> int:
    path, dry = Path(arguments[0]), "--write" not in arguments
    report = import_rows(read(path), dry=dry)
    print(report)
    for line, reason in report.rejected:
        print(f"line {line}: {reason}", file=sys.stderr)
    return 1 if report.rejected else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
'''
    lines = (head + checks + tail).splitlines()
    padding = [f'SUPPLIERS["{1000 + n}"] = "Supplier {n} of the old list"' for n in range(200 - len(lines))]
    return "\n".join([*lines[:-3], *padding, *lines[-3:]])

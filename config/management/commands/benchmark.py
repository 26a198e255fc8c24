"""`manage.py benchmark`: one set of prompts over several models, and what came of it (docs/benchmark.md)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from argparse import ArgumentTypeError
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from accounts.keys import credentials
from accounts.models import User
from config import demo
from config.progress import Progress
from providers.catalogue import ModelSpec
from usage import policy
from usage.benchmark import prompts, report
from usage.benchmark.judge import Judging, Score, is_judged, question
from usage.benchmark.prompts import Prompt, UnreadablePrompts
from usage.benchmark.purse import Purse
from usage.benchmark.runs import Benchmark, Plan, Row, bound_nano, bounds_nano
from usage.caller import Caller
from usage.catalogue import known_models
from usage.errors import CallRefused
from usage.models import Outcome
from usage.writer import writer

INTERRUPTED = 130  # the status by which a shell tells Ctrl+C
# they log a line for each call
LOUD = ("usage.calls.calls", "usage.calls.asking", "providers.resilience_guard")
JUDGED_ANSWER = "x" * 4000  # about what an answer is reckoned with before there is one


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is going to happen, and the most that it can cost (nano-dollars)."""

    plan: Plan
    judge: ModelSpec | None
    models_nano: int
    judge_nano: int


class Command(BaseCommand):
    help = (
        "Runs a set of prompts over several models and writes a report: time to first token, tokens per "
        "second, cost, failures, and the answers side by side. Every call is held and in the ledger, and "
        "costs what it costs. Works beside a running server."
    )
    requires_migrations_checks = True

    def add_arguments(self, parser: CommandParser) -> None:
        count = partial(_count, most=10_000)
        parser.add_argument("--models", required=True, help="provider/model, several with commas")
        parser.add_argument(
            "--prompts", required=True, type=Path, metavar="FILE",
            help="JSON Lines (prompt or messages; id, system, max_tokens, expected), or text with --- lines",
        )  # fmt: skip
        parser.add_argument(
            "--runs", type=count, default=1, help="how often each prompt is asked (default 1)"
        )
        parser.add_argument("--concurrency", type=partial(_count, most=100), default=4, help="default 4")
        parser.add_argument(
            "--max-tokens", type=partial(_count, most=1_000_000), default=1024,
            help="of an answer, for prompts that name none (default 1024)",
        )  # fmt: skip
        parser.add_argument("--judge", default="", help="provider/model that scores the answers, blind")
        parser.add_argument("--out", type=Path, metavar="FOLDER", help="a folder that is new or empty")
        parser.add_argument(
            "--as", dest="email", default="", help="who makes and pays the calls (default: the first owner)"
        )
        parser.add_argument(
            "--max-cost", type=_dollars, metavar="DOLLARS", help="no call is begun that could exceed it"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask before money is spent")

    def handle(self, *args: Any, **options: Any) -> None:
        caller = Caller(user_id=_person(options["email"]).pk)
        try:
            asked = prompts.read(options["prompts"])
        except UnreadablePrompts as error:
            raise CommandError(str(error)) from None
        with _quiet(options["verbosity"]), asyncio.Runner() as runner, _closing(runner):
            try:
                prepared = runner.run(_prepare(caller, asked, options))
                self._agree(prepared, yes=options["yes"])
            except KeyboardInterrupt:
                raise CommandError("Nothing was done.", returncode=INTERRUPTED) from None
            folder = _folder(options["out"])
            self._run(runner, prepared, folder)

    def _agree(self, prepared: Prepared, *, yes: bool) -> None:
        """Says what it may cost, and asks. Raises CommandError for anything but a yes."""
        plan, limit = prepared.plan, prepared.plan.max_cost_nano
        most = report.dollars(prepared.models_nano)
        models = f"{len(plan.models)} model{'s' if len(plan.models) > 1 else ''}"
        self.stdout.write(f"{plan.calls} calls to {models}: at most {most}.")
        if prepared.judge is not None:
            judged = report.dollars(prepared.judge_nano)
            self.stdout.write(f"Judged by {prepared.judge.ref}: about {judged} at most.")
        if limit is not None and limit < prepared.models_nano + prepared.judge_nano:
            self.stdout.write(f"No call is begun that could bring the cost above {report.dollars(limit)}.")
        if yes:
            return
        try:
            answer = input("Make these calls? [y/N] ")
        except EOFError:
            raise CommandError("Nobody is there to agree. Say --yes.") from None
        if answer.strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was done.")

    def _run(self, runner: asyncio.Runner, prepared: Prepared, folder: Path) -> None:
        """Runs, judges, writes the report whatever happens. Ctrl+C settles what is under way."""
        plan, purse = prepared.plan, Purse(prepared.plan.max_cost_nano)
        benchmark = Benchmark(plan, purse)
        judging = _judging(plan, prepared.judge, purse) if prepared.judge is not None else None
        began_at, whole = datetime.now(UTC), False
        try:
            with Progress(self.stderr, plan.calls, "calls") as progress:
                benchmark.finished = partial(_show, progress)
                runner.run(benchmark.run())
            if judging is not None:
                with Progress(self.stderr, sum(map(is_judged, benchmark.rows)), "judged") as progress:
                    judging.finished = partial(_show_score, progress)
                    runner.run(judging.run(benchmark.rows))
            whole = True
        except KeyboardInterrupt:
            raise CommandError(
                "Stopped. What was under way is settled, and in the report.", returncode=INTERRUPTED
            ) from None
        finally:
            results = report.Results(
                began_at=began_at,
                ended_at=datetime.now(UTC),
                models=[spec.ref for spec in plan.models],
                prompts=plan.prompts,
                runs=plan.runs,
                rows=benchmark.rows,
                scores=judging.scores if judging is not None else (),
                judge=prepared.judge.ref if prepared.judge is not None else "",
                stopped=not whole,
                max_cost_nano=plan.max_cost_nano,
            )
            written = report.write(folder, results)
            self.stdout.write(report.summary(results))
            self.stdout.write(f"Report: {written}")


async def _prepare(caller: Caller, asked: list[Prompt], options: dict[str, Any]) -> Prepared:
    """Raises CommandError for a model that cannot be called, before anything is spent."""
    await demo.start()
    names = [name.strip() for name in options["models"].split(",") if name.strip()]
    if not names or len(set(names)) != len(names):
        raise CommandError("--models needs one model or more, each once.")
    specs = [await _usable(caller, name) for name in names]
    judge = await _usable(caller, options["judge"]) if options["judge"] else None
    plan = Plan(
        caller=caller,
        models=tuple(specs),
        prompts=tuple(asked),
        runs=options["runs"],
        concurrency=options["concurrency"],
        max_tokens=options["max_tokens"],
        max_cost_nano=options["max_cost"],
    )
    try:
        models_nano = await writer.run(partial(bounds_nano, plan, specs))
        judge_nano = await writer.run(partial(_judge_nano, plan, judge)) if judge is not None else 0
    except CallRefused as refusal:
        raise CommandError(refusal.message) from None
    return Prepared(plan, judge, models_nano, judge_nano)


async def _usable(caller: Caller, ref: str) -> ModelSpec:
    try:
        spec = await known_models.resolve(caller, ref)
    except CallRefused as refusal:
        raise CommandError(f"{ref}: {refusal.message}") from None
    refused = await writer.run(partial(policy.refused_model, caller.user_id, spec, caller.team_id))
    reason = refused or await writer.run(partial(_reason, caller, spec.provider))
    if reason:
        raise CommandError(f"{ref}: {reason}")
    return spec


def _reason(caller: Caller, provider: str) -> str:
    if credentials.for_call(caller.user_id, caller.team_id, provider):
        return ""
    return credentials.blocked_reason(caller.user_id, caller.team_id, provider)


def _judge_nano(plan: Plan, judge: ModelSpec) -> int:
    one = sum(bound_nano(judge, question(judge, prompt, JUDGED_ANSWER)) for prompt in plan.prompts)
    return one * plan.runs * len(plan.models)


def _judging(plan: Plan, judge: ModelSpec, purse: Purse) -> Judging:
    return Judging(
        caller=plan.caller,
        spec=judge,
        prompts={prompt.id: prompt for prompt in plan.prompts},
        purse=purse,
        concurrency=plan.concurrency,
    )


def _show(progress: Progress, row: Row) -> None:
    took = f" in {row.total_ms / 1000:.1f} s" if row.total_ms is not None else ""
    what = f"{row.model}, prompt {row.prompt}: {row.outcome}{took}"
    trouble = f" ({row.error}: {row.message})" if row.error else ""
    progress.step(f"{what}{trouble}", ok=row.outcome == Outcome.COMPLETED)


def _show_score(progress: Progress, score: Score) -> None:
    progress.step(f"score {score.score}", ok=score.score is not None)


def _person(email: str) -> User:
    people = User.objects.active()
    if email:
        people = people.filter(email__iexact=email)
    else:
        people = people.filter(role=User.Role.OWNER)
    found: User | None = people.order_by("id").first()
    if found is None and email:
        raise CommandError(f"Nobody active has the address {email}.")
    if found is None:
        raise CommandError("There is no owner yet. Make one: manage.py createuser --role owner.")
    return found


def _folder(given: Path | None) -> Path:
    """The report's folder, made for its owner alone."""
    folder = given or Path(f"benchmark-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty.")
    except OSError as error:
        raise CommandError(f"{folder} cannot be used: {error.strerror}.") from None
    return folder


@contextlib.contextmanager
def _quiet(verbosity: int) -> Iterator[None]:
    """Keeps the log's line for each call from tearing the bar: each call has its own there."""
    loggers = [logging.getLogger(name) for name in LOUD]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        if verbosity < 2 and logger.level <= logging.INFO:
            logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _closing(runner: asyncio.Runner) -> Iterator[None]:
    try:
        yield
    finally:
        runner.run(demo.stop())
        writer.stop()
        connection.close()


def _count(text: str, *, most: int) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise ArgumentTypeError(f"must be a whole number from 1 to {most}")
    return int(text)


def _dollars(text: str) -> int:
    """Nano-dollars."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not 0 <= amount <= 1_000_000:
        raise ArgumentTypeError("must be dollars, such as 0.50")
    return int(amount * report.NANO)

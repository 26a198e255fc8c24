"""Limits on what calls may cost, and how full they are."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ids import uuid7
from accounts.models.user import known_timezone
from usage.models.daily import NOBODY


class Budget(models.Model):
    """How much may be spent by whom in each period.

    `limit` is nano-dollars, requests (calls) or tokens (prompt and answer), as `measure` says. A `team`
    budget is one pool for all that the team pays; `member` gives each person as much of what that team pays.
    `scope_id` is the team, person, project or token, null for the organisation. Days, weeks (from Monday) and
    months are those of `timezone`; a total counts from the day on which the budget was made.

    When it is full: `block` refuses, `warn` lets through and marks the hold, `cheaper` has `cheaper_model`
    answer instead (a full reference), and lets that through, past the limit.
    Admission is `strict` (what a call can cost at most must fit) or `estimated` (what it likely costs).

    The counters of its periods count what FIXED says: to change one of those is to make another budget.
    Everything else may change at any time and is in force from the next call on.
    """

    class Scope(models.TextChoices):
        ORGANISATION = "organisation", "Organisation"
        TEAM = "team", "Team"
        MEMBER = "member", "Each member of a team"
        PERSON = "person", "Person"
        PROJECT = "project", "Project"
        TOKEN = "token", "Access token"

    class Measure(models.TextChoices):
        MONEY = "money", "Money"
        REQUESTS = "requests", "Requests"
        TOKENS = "tokens", "Tokens"

    class Period(models.TextChoices):
        DAY = "day", "Day"
        WEEK = "week", "Week"
        MONTH = "month", "Month"
        TOTAL = "total", "In total"

    class Mode(models.TextChoices):
        BLOCK = "block", "Refuse"
        WARN = "warn", "Only warn"
        CHEAPER = "cheaper", "Use a cheaper model"

    class Admission(models.TextChoices):
        STRICT = "strict", "Strict"
        ESTIMATED = "estimated", "Estimated"

    FIXED: ClassVar = ("scope", "scope_id", "measure", "period", "timezone")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=80)
    scope = models.CharField(max_length=12, choices=Scope)
    scope_id = models.UUIDField(null=True, blank=True)
    measure = models.CharField(max_length=8, choices=Measure, default=Measure.MONEY)
    period = models.CharField(max_length=5, choices=Period, default=Period.MONTH)
    timezone = models.CharField(max_length=64, default="UTC", validators=[known_timezone])
    limit = models.PositiveBigIntegerField()
    mode = models.CharField(max_length=7, choices=Mode, default=Mode.BLOCK)
    cheaper_model = models.CharField(max_length=264, blank=True, default="")
    admission = models.CharField(max_length=9, choices=Admission, default=Admission.STRICT)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.UUIDField(null=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name", "id"]
        indexes: ClassVar = [models.Index(fields=["scope", "scope_id"], name="budget_scope")]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(scope="organisation", scope_id__isnull=True)
                | (~Q(scope="organisation") & Q(scope_id__isnull=False)),
                name="budget_names_its_scope",
            ),
            models.CheckConstraint(
                condition=~Q(mode="cheaper") | ~Q(cheaper_model=""), name="budget_names_its_cheaper_model"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.limit} {self.measure} ({self.period})"


class BudgetPeriod(models.Model):
    """How full a budget is in one period: for everybody together, or for one person of a `member` budget.

    `settled` is the sum of the ledger's lines in the budget's scope with `accounted_at` from `begins_at` to
    before `ends_at` (null: for ever), `held` the sum of what open holds name for this row; both in the
    budget's measure. Rows are made by the first call of a period and change only with holds and lines, in
    their transactions.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="periods")
    subject = models.UUIDField(default=NOBODY)
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True)
    settled = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["budget", "subject", "begins_at"], name="budget_period_once"),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("begins_at")), name="budget_period_ends"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} from {self.begins_at:%Y-%m-%d}: {self.settled} settled, {self.held} held"


class LimitRequest(models.Model):
    """Somebody asks for more of a budget. `subject` is the row that is full for them (BudgetPeriod.subject);
    `wanted` is the limit asked for, in the budget's measure, null where that is left to the admin; `granted`
    the limit that an admin set, null while open and where refused; `answer` their words.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="requests")
    subject = models.UUIDField(default=NOBODY)
    asked_by = models.UUIDField()
    reason = models.CharField(max_length=500, blank=True, default="")
    wanted = models.PositiveBigIntegerField(null=True, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    granted = models.PositiveBigIntegerField(null=True, blank=True)
    answer = models.CharField(max_length=500, blank=True, default="")
    decided_by = models.UUIDField(null=True)
    decided_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["budget", "asked_by"], condition=Q(state="open"), name="limit_request_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asked_by} asks for more of {self.budget_id}: {self.state}"

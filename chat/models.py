"""Conversations, their trees of messages, and the runs that write answers.

    Conversation ── head ──> Message (a tree by `parent`)
                                └── Run (one live at a time) ── JournalEntry (numbered, until the end)

History is append-only: an edit or a retry is a sibling. A message's blocks are kept as the vendor sent them,
as text.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection, models
from django.db.models import Q

from accounts.ids import uuid7

TITLE_LENGTH = 120  # characters


class ConversationQuerySet(models.QuerySet["Conversation"]):
    def for_user(self, user: Any) -> Self:
        """The conversations that this person may open; a copy that is still being made is none yet."""
        return self.filter(owner=user, version__gt=0)

    def recent(self) -> Self:
        return self.order_by("-active_at")


class Conversation(models.Model):
    """One thread of a person with models. `head` is the last message of the branch that is shown.

    `version` rises with every change that an open page must learn of, and `changed_at` says when by the
    database's clock: other processes look for what is newer than their last look. Version 0 is a fork whose
    messages are still being copied. `settings` holds what the person chose for the next answers: system
    (text), max_tokens (tokens or null), thinking (off, on or null for the model's own way), effort (a level
    or null), web_search and code_execution (true: the vendor's tools of these names may be used).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="conversations"
    )
    team = models.ForeignKey(
        "accounts.Team", null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    title = models.CharField(max_length=TITLE_LENGTH)
    title_is_automatic = models.BooleanField(default=True)
    head = models.ForeignKey("Message", null=True, on_delete=models.SET_NULL, related_name="+")
    version = models.PositiveBigIntegerField(default=1)
    model = models.CharField(max_length=200)
    settings = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    active_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now_add=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["owner", "-active_at"], name="conversation_recent"),
            models.Index(fields=["owner", "changed_at"], name="conversation_changed"),
        ]

    def __str__(self) -> str:
        return self.title

    def path(self) -> list[Message]:
        """The messages from the first to the head, in one query."""
        return Message.objects.path_to(self.head_id) if self.head_id else []


class MessageQuerySet(models.QuerySet["Message"]):
    def for_user(self, user: Any) -> Self:
        return self.filter(conversation__in=Conversation.objects.for_user(user))

    def visible(self) -> Self:
        """Those that are not deleted themselves; what is above them decides as well."""
        return self.filter(deleted_at__isnull=True)

    def beside(self, message: Message) -> Self:
        """A message and its siblings, the visible ones, in the order of their making."""
        same = (
            {"parent": message.parent_id}
            if message.parent_id
            else {"parent": None, "conversation": message.conversation_id}
        )
        return self.visible().filter(**same).order_by("id")

    def path_to(self, head: UUID, *, last: int | None = None) -> list[Message]:
        """The branch that ends in `head`, first message first, in one query; or only its last so many."""
        table = connection.ops.quote_name(Message._meta.db_table)
        key = Message._meta.pk.get_db_prep_value(head, connection)
        limit = "" if last is None else f"WHERE b.depth < {last - 1:d}"
        query = f"""
            WITH RECURSIVE branch(id, parent_id, depth) AS (
                SELECT id, parent_id, 0 FROM {table} WHERE id = %s
                UNION ALL
                SELECT m.id, m.parent_id, b.depth + 1
                FROM {table} m JOIN branch b ON m.id = b.parent_id {limit}
            )
            SELECT m.* FROM {table} m JOIN branch b ON m.id = b.id ORDER BY b.depth DESC"""  # noqa: S608
        return list(Message.objects.raw(query, [key]))


class Message(models.Model):
    """A person's turn, or a whole answer: an ordered list of content blocks.

    An answer's blocks are empty while its run lives (the journal holds them) and immutable afterwards.
    """

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"

    class Status(models.TextChoices):
        RUNNING = "running"
        COMPLETED = "completed"
        STOPPED = "stopped"
        FAILED = "failed"
        INTERRUPTED = "interrupted"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="children")
    role = models.CharField(max_length=10, choices=Role)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    client_id = models.UUIDField(null=True)
    blocks_text = models.TextField(default="[]", db_column="blocks")
    # The text of a tool's input, when the answer was cut in the middle of it.
    cut_input = models.TextField(blank=True, default="")
    stop_reason = models.CharField(max_length=60, blank=True, default="")
    # What the vendor says of a refusal: type, category, explanation.
    stop_details = models.JSONField(null=True)
    # How long blocks took to arrive that a page folds away, such as thinking: {"index": seconds}.
    seconds = models.JSONField(default=dict)
    model = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.COMPLETED)
    created_at = models.DateTimeField(auto_now_add=True)
    # Hides the message and everything below it; the rows stay, so that it can be undone.
    deleted_at = models.DateTimeField(null=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["author", "client_id"], condition=Q(client_id__isnull=False), name="message_sent_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["conversation"], condition=Q(parent=None), name="message_first"),
            models.Index(
                fields=["conversation"], condition=Q(deleted_at__isnull=False), name="message_hidden"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.id}"

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The content blocks, as the vendor sent them (a person's turn: one text block)."""
        blocks: list[dict[str, Any]] = msgspec.json.decode(self.blocks_text)
        return blocks

    @property
    def text(self) -> str:
        return "\n\n".join(block["text"] for block in self.blocks if block.get("type") == "text")


class Run(models.Model):
    """The making of one answer. It belongs to no request and no socket.

    The process named in `host` writes; whoever claims the run raises `fence`, and writes under an older fence
    are refused. `lease_until` only shows that the host lives: a sweep watches whether it moves.

    A run is made of steps, one metered call each; `step` counts from 1, `call_id` is the present one's, and
    `step_seq` the journal's number when it began. Where the answer came from: `vendor_account`,
    `model_served` (the ref of the model that answered), `prefix_hash` (`thinking.Prefix` of what it was
    asked), `container` (the vendor's, in which its code ran). `notes` are what the page says beside the
    answer (`remarks`).
    """

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        WAITING = "waiting"
        COMPLETED = "completed"
        STOPPED = "stopped"
        FAILED = "failed"
        INTERRUPTED = "interrupted"

    LIVE = (Status.QUEUED, Status.RUNNING, Status.WAITING)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="runs")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="runs")
    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    host = models.CharField(max_length=200)
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=1)
    attempts = models.PositiveSmallIntegerField(default=0)
    step = models.PositiveSmallIntegerField(default=0)
    call_id = models.UUIDField(null=True)
    stop_requested_at = models.DateTimeField(null=True)
    step_seq = models.PositiveIntegerField(default=0)
    vendor_account = models.CharField(max_length=200, blank=True)
    model_served = models.CharField(max_length=200, blank=True, default="")
    prefix_hash = models.CharField(max_length=64, blank=True, default="")
    container = models.JSONField(null=True)
    notes = models.JSONField(default=list)
    error = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["message"],
                condition=Q(status__in=["queued", "running", "waiting"]),
                name="run_one_live_per_message",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["status"], condition=Q(status__in=["queued", "running", "waiting"]), name="run_live"
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.id} {self.status}"


class JournalEntry(models.Model):
    """What one commit stored of a run: a JSON list of stream events. `seq` counts from 1 without gaps."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="journal")
    seq = models.PositiveIntegerField()
    events = models.TextField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "seq"], name="journal_in_order")]

    def __str__(self) -> str:
        return f"{self.run_id} #{self.seq}"

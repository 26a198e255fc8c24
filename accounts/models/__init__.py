"""The tables of accounts: who there is, which teams they form, and the keys they hold."""

from .attempt import LoginAttempt
from .audit import AuditCheckpoint, AuditEvent, AuditHead
from .credential import Credential
from .data_key import DataKey
from .duty import DutyRun
from .invitation import Invitation
from .organisation import Membership, Organisation, Team
from .session import DeviceSession
from .token import AccessToken
from .user import User

__all__ = [
    "AccessToken",
    "AuditCheckpoint",
    "AuditEvent",
    "AuditHead",
    "Credential",
    "DataKey",
    "DeviceSession",
    "DutyRun",
    "Invitation",
    "LoginAttempt",
    "Membership",
    "Organisation",
    "Team",
    "User",
]

"""The tables of accounts: who there is, which teams they form, and the keys they hold."""

from .attempt import LoginAttempt
from .audit import AuditCheckpoint, AuditEvent, AuditHead
from .credential import Credential
from .data_key import DataKey
from .duty import DutyRun
from .invitation import Invitation
from .mail_server import MailServer
from .organisation import Membership, Organisation, Team
from .policy import Policy, PolicyStamp
from .session import DeviceSession
from .single_sign_on import (
    GivenMembership,
    SignInAttempt,
    SignInConnection,
    SignInDraft,
    SignInProvider,
    SignInSettings,
    SignInVendor,
)
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
    "GivenMembership",
    "Invitation",
    "LoginAttempt",
    "MailServer",
    "Membership",
    "Organisation",
    "Policy",
    "PolicyStamp",
    "SignInAttempt",
    "SignInConnection",
    "SignInDraft",
    "SignInProvider",
    "SignInSettings",
    "SignInVendor",
    "Team",
    "User",
]

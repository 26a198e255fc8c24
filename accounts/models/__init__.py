"""The tables of accounts: who there is, which teams they form, and the keys they hold."""

from .attempt import LoginAttempt
from .credential import Credential
from .data_key import DataKey
from .organisation import Membership, Organisation, Team
from .token import AccessToken
from .user import User

__all__ = [
    "AccessToken",
    "Credential",
    "DataKey",
    "LoginAttempt",
    "Membership",
    "Organisation",
    "Team",
    "User",
]

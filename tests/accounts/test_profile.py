"""A person's own page: name and time zone, and what they may do."""

from __future__ import annotations

from django.test import Client

from accounts.models import User
from accounts.people import people

HOST = {"host": "localhost"}


def test_people_name_themselves_and_see_why_they_may(client: Client, owner: User, member: User) -> None:
    people.put_in_team(
        by=owner, person=member, team=people.create_team(by=owner, name="Design"), role="manager"
    )
    client.force_login(member)
    page = client.get("/settings/profile/", headers=HOST).content.decode()
    assert "As manager of Design." in page and "/manage/teams/" in page
    sent = {"display_name": "Mo‮ <b>F</b>", "timezone": "Africa/Cairo", "role": "owner", "is_active": "0"}
    assert client.post("/settings/profile/", sent, headers=HOST).status_code == 302
    member.refresh_from_db()
    assert (member.display_name, member.timezone) == ("Mo <b>F</b>", "Africa/Cairo")
    assert (member.role, member.is_active) == ("member", True)
    assert "<b>F</b>" not in client.get("/settings/profile/", headers=HOST).content.decode()
    wrong = client.post("/settings/profile/", {"timezone": "Moon/Crater"}, headers=HOST)
    assert wrong.status_code == 422


def test_people_choose_the_language_that_they_write_in(client: Client, member: User) -> None:
    client.force_login(member)
    page = client.get("/settings/profile/", headers=HOST).content.decode()
    assert "Kiswahili" in page and "العربيّة" in page and "these pages stay in English" in page
    sent = {"display_name": "Mo", "timezone": "UTC", "language": "sw"}
    assert client.post("/settings/profile/", sent, headers=HOST).status_code == 302
    member.refresh_from_db()
    assert member.language == "sw"
    wrong = client.post("/settings/profile/", sent | {"language": "klingon"}, headers=HOST)
    assert wrong.status_code == 422
    client.post("/settings/profile/", sent | {"language": ""}, headers=HOST)
    member.refresh_from_db()
    assert member.language == ""

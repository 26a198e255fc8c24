"""Manage, Sign-in: a provider is typed, tested and saved, switched off, edited and removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts import actions
from accounts.models import (
    AuditEvent,
    DataKey,
    SignInAttempt,
    SignInConnection,
    SignInDraft,
    SignInProvider,
    Team,
    User,
)
from accounts.sign_in import policy as sign_in_policy
from accounts.single_sign_on import providers, sign_up
from providers import addresses
from tests.openid import CLIENT_SECRET, OpenIDProvider

from .conftest import PASSWORD, signed_in
from .signing_in import is_signed_in, verbs
from .signing_on import (
    PAGE,
    allow_redirect,
    back,
    confirmed,
    drafted,
    made,
    page_of,
    saved,
    sign_on,
    typed,
    went_through,
)

pytestmark = [pytest.mark.django_db, pytest.mark.services]


def review(client: Client, draft: SignInDraft) -> str:
    return str(client.get(f"{PAGE}drafts/{draft.pk}/review/").content.decode())


def test_a_provider_is_typed_tested_saved_and_used(owner: User, idp: OpenIDProvider) -> None:
    sign_up.decide(by=owner, mode="domain", domains=["example.org"])
    provider = saved(idp, confirmed(owner), typed(idp, makes_accounts="on"))
    assert (provider.name, provider.domains, provider.is_on) == ("Harbour ID", ["example.org"], True)
    assert is_signed_in(sign_on(idp, provider).browser)
    assert "sso.provider_saved" in verbs()


def test_a_test_shows_what_came_and_what_it_gives(owner: User, idp: OpenIDProvider) -> None:
    team = Team.objects.create(name="Design")
    idp.person["groups"] = ["designers", "staff"]
    client = confirmed(owner)
    draft = drafted(client)
    rules = {
        "rules-TOTAL_FORMS": "2",
        "rules-0-group": "designers",
        "rules-0-team": str(team.pk),
        "rules-0-team_role": "manager",
        "rules-1-group": "staff",
        "rules-1-role": "admin",
    }
    answer = went_through(idp, client, draft, typed(idp, groups_claim="groups") | rules)
    assert answer.headers["Location"] == f"{PAGE}drafts/{draft.pk}/review/"
    page = review(client, draft)
    for words in ("ada@example.org", "Verified by the provider", "Trusted domain", "ada-1", "designers"):
        assert words in page
    assert "Manager of <bdi>Design</bdi>" in page
    assert "the role admin" in page
    assert "nonce" in page, "the claims as they came"


def test_a_test_signs_nobody_in_and_changes_no_account(owner: User, idp: OpenIDProvider) -> None:
    actions.create_user(email="ada@example.org", password=PASSWORD)
    client, other = confirmed(owner), Client()
    draft = drafted(client)
    went_through(idp, client, draft, typed(idp, makes_accounts="on"))
    assert client.session["_auth_user_id"] == str(owner.pk)
    assert User.objects.count() == 2
    assert not SignInConnection.objects.exists()
    assert not SignInProvider.objects.exists()
    assert "Harbour ID" not in other.get("/login/").content.decode()


def test_what_was_not_tested_is_not_saved(owner: User, idp: OpenIDProvider) -> None:
    client = confirmed(owner)
    draft = drafted(client)
    assert client.post(f"{PAGE}drafts/{draft.pk}/review/").headers["Location"].endswith(f"{draft.pk}/")
    went_through(idp, client, draft, typed(idp))
    # Another client id: the test was of something else.
    client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "review", **typed(idp, client_id="another")})
    assert client.post(f"{PAGE}drafts/{draft.pk}/review/").headers["Location"].endswith(f"{draft.pk}/")
    assert not SignInProvider.objects.exists()


def test_a_name_is_changed_after_the_test_without_another(owner: User, idp: OpenIDProvider) -> None:
    client = confirmed(owner)
    draft = drafted(client)
    went_through(idp, client, draft, typed(idp))
    fields = typed(idp, name="Harbour & Sons", client_secret="")
    answer = client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "review", **fields})
    assert answer.headers["Location"].endswith("/review/")
    client.post(f"{PAGE}drafts/{draft.pk}/review/")
    assert SignInProvider.objects.get().name == "Harbour & Sons"


def test_saving_asks_who_it_is(owner: User, idp: OpenIDProvider) -> None:
    client = signed_in(owner)
    draft = drafted(client)
    went_through(idp, client, draft, typed(idp))
    answer = client.post(f"{PAGE}drafts/{draft.pk}/review/")
    assert answer.headers["Location"].startswith("/settings/security/confirm/")
    assert not SignInProvider.objects.exists()


def test_the_redirect_address_is_shown_before_anything_is_saved(owner: User, settings: Any) -> None:
    client = confirmed(owner)
    draft = drafted(client)
    path = f"/login/with/{draft.pk}/callback/"
    assert f"http://testserver{path}" in client.get(f"{PAGE}drafts/{draft.pk}/").content.decode()
    settings.PUBLIC_URL = "https://chat.example.org"
    assert f"https://chat.example.org{path}" in client.get(f"{PAGE}drafts/{draft.pk}/").content.decode()


def test_a_test_that_fails_says_why_to_the_admin(owner: User, idp: OpenIDProvider) -> None:
    client = confirmed(owner)
    draft = drafted(client)
    idp.twist = lambda claims: claims.update(aud="another")
    answer = went_through(idp, client, draft, typed(idp))
    assert answer.headers["Location"] == f"{PAGE}drafts/{draft.pk}/"
    page = client.get(answer.headers["Location"]).content.decode()
    assert "it was made for another client" in page
    assert client.get(f"{PAGE}drafts/{draft.pk}/review/").status_code == 302


def test_a_wrong_secret_is_told_as_the_provider_tells_it(owner: User, idp: OpenIDProvider) -> None:
    client = confirmed(owner)
    draft = drafted(client)
    went_through(idp, client, draft, typed(idp, client_secret="cs-canary-wrong-0000"))
    page = client.get(f"{PAGE}drafts/{draft.pk}/").content.decode()
    assert "invalid_client" in page
    assert "cs-canary-wrong" not in page


def test_an_address_inside_the_network_is_told_in_one_sentence(owner: User, idp: OpenIDProvider) -> None:
    client = confirmed(owner)
    draft = drafted(client)
    addresses.allow(())
    for issuer in (idp.issuer, "https://10.0.0.1", "https://localhost:1"):
        answer = client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "test", **typed(idp, issuer=issuer)})
        assert answer.status_code == 422
        assert "PARLEY_PRIVATE_HOSTS" in answer.content.decode()
    assert idp.asked == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"client_id": ""},
        {"client_secret": ""},
        {"client_secret": "with a space"},
        {"issuer": "http://login.example.org"},
        {"issuer": "javascript:alert(1)"},
        {"issuer": "https://user:pass@login.example.org"},
        {"domains": "not a domain"},
        {"domains": "*.example.org"},
        {"domains": "", "vouches": "on"},
        {"rules-TOTAL_FORMS": "1", "rules-0-group": "staff", "rules-0-role": "owner"},
        {
            "rules-TOTAL_FORMS": "1",
            "rules-0-group": "staff",
            "rules-0-team": "0199b1c2-0000-7000-8000-000000000000",
        },
        {"rules-TOTAL_FORMS": "1", "rules-0-group": "staff"},
        {"rules-TOTAL_FORMS": "1", "rules-0-role": "admin"},
    ],
)
def test_nonsense_is_refused(owner: User, idp: OpenIDProvider, wrong: dict[str, str]) -> None:
    client = confirmed(owner)
    draft = drafted(client)
    assert client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "test", **typed(idp, **wrong)}).status_code == 422
    assert idp.asked == []


def test_the_secret_is_sealed_shown_nowhere_and_asked_again_for_another_place(
    owner: User, idp: OpenIDProvider, caplog: pytest.LogCaptureFixture
) -> None:
    client = confirmed(owner)
    provider = saved(idp, client, typed(idp))
    pages = [client.get(PAGE).content.decode()]
    draft_id = client.post(f"{PAGE}{provider.pk}/edit/").headers["Location"]
    pages.append(client.get(draft_id).content.decode())
    assert provider.secret_hint == CLIENT_SECRET[-4:]
    assert CLIENT_SECRET[-4:] in pages[0]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_signinprovider")
        kept = str(
            [[bytes(value) if isinstance(value, memoryview) else value for value in row] for row in cursor]
        )
    kept += "".join(event.after for event in AuditEvent.objects.all())
    assert CLIENT_SECRET not in "".join([*pages, kept, caplog.text, repr(provider.secret)])
    # Kept for the same place, and only for it.
    assert client.post(draft_id, {"do": "test", **typed(idp, client_secret="")}).status_code == 200
    draft = drafted(client)
    client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "test", **typed(idp)})
    for path, moved in (
        (draft_id, {"client_id": "another"}),
        (f"{PAGE}drafts/{draft.pk}/", {"issuer": "https://login.example.org"}),
    ):
        answer = client.post(path, {"do": "test", **typed(idp, client_secret="", **moved)})
        assert answer.status_code == 422
        assert "Enter the client secret again" in answer.content.decode()


def test_rotating_the_data_key_seals_the_secret_anew(owner: User, idp: OpenIDProvider) -> None:
    provider = saved(idp, confirmed(owner), typed(idp))
    first = DataKey.objects.get(state="active").pk
    call_command("rotate_keys", "--data")
    assert DataKey.objects.get(state="active").pk != first
    provider = SignInProvider.objects.get(pk=provider.pk)
    assert provider.secret is not None and provider.secret.reveal() == CLIENT_SECRET


def test_a_secret_that_does_not_open_any_more_is_asked_for_again(owner: User, idp: OpenIDProvider) -> None:
    provider = made(idp)
    SignInProvider.objects.filter(pk=provider.pk).update(issuer=f"{idp.issuer}/")
    client = confirmed(owner)
    address = client.post(f"{PAGE}{provider.pk}/edit/").headers["Location"]
    answer = client.post(address, {"do": "test", **typed(idp, client_secret="")})
    assert answer.status_code == 422
    assert "credential.opened-wrongly" in verbs()


def test_a_draft_is_its_admins_alone_and_ends_after_a_day(owner: User, idp: OpenIDProvider) -> None:
    client = confirmed(owner)
    draft = drafted(client)
    admin = confirmed(actions.create_user(email="adam@example.org", password=PASSWORD, role="admin"))
    for path in ("", "review/"):
        assert admin.get(f"{PAGE}drafts/{draft.pk}/{path}").status_code == 404
        assert admin.post(f"{PAGE}drafts/{draft.pk}/{path}", typed(idp)).status_code == 404
    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1)):
        assert confirmed(owner).get(f"{PAGE}drafts/{draft.pk}/").status_code == 404
        providers.forget_old()
    assert not SignInDraft.objects.exists()


def test_a_test_that_another_person_finishes_is_refused(
    owner: User, member: User, idp: OpenIDProvider
) -> None:
    client = confirmed(owner)
    draft = drafted(client)
    allow_redirect(idp, draft)
    page = page_of(client.post(f"{PAGE}drafts/{draft.pk}/", {"do": "test", **typed(idp)}))
    browser = client.session["single_sign_on"]
    client.logout()
    client.force_login(member)
    session = client.session
    session["single_sign_on"] = browser
    session.save()
    assert back(client, idp.sign_in(page)).status_code == 404
    draft.refresh_from_db()
    assert draft.tested == {}


def test_editing_keeps_people_and_counts_from_saving_on(owner: User, idp: OpenIDProvider) -> None:
    sign_up.decide(by=owner, mode="domain", domains=["example.org"])
    client = confirmed(owner)
    provider = saved(idp, client, typed(idp, makes_accounts="on"))
    sign_on(idp, provider)
    address = client.post(f"{PAGE}{provider.pk}/edit/").headers["Location"]
    client.post(address, {"do": "review", **typed(idp, name="Another name", client_secret="")})
    assert "Harbour ID" in Client().get("/login/").content.decode()
    client.post(f"{address}review/")
    page = Client().get("/login/").content.decode()
    assert "Another name" in page and "Harbour ID" not in page
    assert SignInConnection.objects.get().provider_id == provider.pk
    assert is_signed_in(sign_on(idp, provider).browser)
    event = AuditEvent.objects.filter(verb="sso.provider_saved").latest("number")
    assert event.before == '{"makes_accounts": true, "name": "Harbour ID"}'


def test_a_provider_that_stands_keeps_its_issuer(owner: User, idp: OpenIDProvider) -> None:
    """Or an admin could put a provider of their own under the connections of an owner."""
    provider, client = made(idp), confirmed(owner)
    address = client.post(f"{PAGE}{provider.pk}/edit/").headers["Location"]
    assert idp.issuer in client.get(address).content.decode()
    client.post(address, {"do": "review", **typed(idp, issuer="https://login.example.org")})
    assert SignInDraft.objects.get().issuer == idp.issuer


def test_a_replaced_secret_is_noted_without_it(owner: User, idp: OpenIDProvider) -> None:
    client = confirmed(owner)
    provider = made(idp)
    provider.secret = None
    provider.save()
    draft = SignInDraft.objects.get(
        pk=client.post(f"{PAGE}{provider.pk}/edit/").headers["Location"].rstrip("/").rpartition("/")[2]
    )
    went_through(idp, client, draft, typed(idp))
    client.post(f"{PAGE}drafts/{draft.pk}/review/")
    event = AuditEvent.objects.filter(verb="sso.provider_saved").get()
    assert '"key_replaced": true' in event.after


def test_a_provider_is_switched_off_and_on_again(owner: User, idp: OpenIDProvider) -> None:
    provider, client = made(idp), confirmed(owner)
    for on in ("0", "1"):
        client.post(f"{PAGE}{provider.pk}/switch/", {"on": on})
        shown = "Harbour ID" in Client().get("/login/").content.decode()
        assert shown == (on == "1")
    assert verbs().count("sso.provider_switched") == 2


def test_a_removed_provider_leaves_the_accounts(owner: User, idp: OpenIDProvider) -> None:
    sign_up.decide(by=owner, mode="domain", domains=["example.org"])
    provider, client = made(idp), confirmed(owner)
    sign_on(idp, provider)
    assert "1 person is connected" in client.get(f"{PAGE}{provider.pk}/remove/").content.decode()
    client.post(f"{PAGE}{provider.pk}/remove/")
    assert User.objects.filter(email="ada@example.org").exists()
    assert not SignInConnection.objects.exists()
    assert not SignInAttempt.objects.exists()
    assert "sso.provider_removed" in verbs()


def test_the_rule_on_accounts_is_decided_on_the_page(owner: User, idp: OpenIDProvider) -> None:
    client = confirmed(owner)
    client.post(f"{PAGE}sign-up/", {"mode": "domain", "domains": "@Example.ORG, example.com"})
    assert sign_up.SignUp.current() == sign_up.SignUp("domain", frozenset({"example.org", "example.com"}))
    client.post(f"{PAGE}sign-up/", {"mode": "domain", "domains": ""})
    assert sign_up.SignUp.current().domains
    client.post(f"{PAGE}sign-up/", {"mode": "sso"})
    assert sign_up.SignUp.current().mode == "domain"
    assert "Add a sign-in provider" in client.get(PAGE).content.decode()
    event = AuditEvent.objects.filter(verb="policy.changed").latest("number")
    assert event.object == "sign_up"


def test_for_members_the_pages_do_not_exist(member: User, idp: OpenIDProvider) -> None:
    client, provider = confirmed(member), made(idp)
    for path in (
        "add/oidc/",
        "sign-up/",
        f"{provider.pk}/edit/",
        f"{provider.pk}/switch/",
        f"{provider.pk}/remove/",
    ):
        assert client.post(f"{PAGE}{path}").status_code == 404
    assert not SignInDraft.objects.exists()
    assert confirmed(User.objects.get(role="owner")).post(f"{PAGE}add/kerberos/").status_code == 404


def test_the_page_asks_as_often_however_many_providers_there_are(owner: User, idp: OpenIDProvider) -> None:
    client = confirmed(owner)
    counts = []
    for number in (1, 4):
        for place in range(number):
            made(idp, name=f"Provider {number} {place}")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            client.get(PAGE)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert sign_in_policy.current().roles == frozenset()

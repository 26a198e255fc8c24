"""The chat's addresses."""

from django.urls import URLPattern, URLResolver, include, path

from .views import branches, conversations, money, organisation, turns

app_name = "chat"

of_message: list[URLPattern | URLResolver] = [
    path("", turns.turn, name="turn"),
    path("stop/", turns.stop, name="stop"),
    path("edit/", turns.edit, name="edit"),
    path("retry/", turns.retry, name="retry"),
    path("continue/", turns.go_on, name="continue"),
    path("delete/", branches.delete, name="delete"),
    path("restore/", branches.restore, name="restore"),
    path("fork/", branches.fork, name="fork"),
]

of_conversation: list[URLPattern | URLResolver] = [
    path("", conversations.conversation, name="conversation"),
    path("settings/", conversations.settings, name="settings"),
    path("turns/", turns.turns, name="turns"),
    path("messages/", turns.send, name="send"),
    path("head/", branches.head, name="head"),
    path("estimate/", money.estimate, name="estimate"),
    path("details/", money.details, name="details"),
    path("m/<uuid:message_id>/", include(of_message)),
]

urlpatterns = [
    path("", conversations.new, name="new"),
    path("sidebar/", conversations.listed, name="sidebar"),
    path("c/estimate/", money.estimate_new, name="estimate_new"),
    path("c/", conversations.start, name="start"),
    path("c/<uuid:conversation_id>/", include(of_conversation)),
    path("manage/settings/", organisation.organisation, name="organisation"),
    path("manage/settings/name/", organisation.name, name="organisation_name"),
    path("manage/settings/conversations/", organisation.keep, name="organisation_keep"),
    path("manage/settings/model/", organisation.default_model, name="organisation_model"),
    path("manage/settings/vendors/test/", organisation.test_vendor, name="organisation_vendor"),
]

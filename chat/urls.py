"""The chat's addresses."""

from django.urls import path

from . import views

app_name = "chat"

urlpatterns = [
    path("", views.new, name="new"),
    path("sidebar/", views.sidebar, name="sidebar"),
    path("c/", views.start, name="start"),
    path("c/<uuid:conversation_id>/", views.conversation, name="conversation"),
    path("c/<uuid:conversation_id>/messages/", views.send, name="send"),
    path("c/<uuid:conversation_id>/turns/", views.turns, name="turns"),
    path("c/<uuid:conversation_id>/settings/", views.configure, name="settings"),
    path("c/<uuid:conversation_id>/m/<uuid:message_id>/", views.turn, name="turn"),
    path("c/<uuid:conversation_id>/m/<uuid:message_id>/stop/", views.stop, name="stop"),
    path("c/<uuid:conversation_id>/m/<uuid:message_id>/continue/", views.go_on, name="continue"),
    path("c/<uuid:conversation_id>/m/<uuid:message_id>/retry/", views.retry, name="retry"),
]

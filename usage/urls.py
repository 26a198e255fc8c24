"""The pages of Manage that are about models and their health."""

from django.urls import path

from .views import endpoints, health, models

app_name = "usage"
urlpatterns = [
    path("manage/health/", health.health, name="health"),
    path("manage/health/try/", health.try_now, name="try_now"),
    path("manage/models/", models.models, name="models"),
    path("manage/models/new/", models.new_model, name="new_model"),
    path("manage/models/endpoints/new/", endpoints.new_endpoint, name="new_endpoint"),
    path("manage/models/endpoints/<slug:slug>/", endpoints.endpoint, name="endpoint"),
    path("manage/models/endpoints/<slug:slug>/remove/", endpoints.remove_endpoint, name="remove_endpoint"),
    # A vendor's ids hold slashes and colons, so they come last, and no slash follows.
    path("manage/models/price/<slug:provider>/<path:model>", models.price, name="model_price"),
    path("manage/models/chain/<slug:provider>/<path:model>", models.chain, name="model_chain"),
    path("manage/models/default/<slug:provider>/<path:model>", models.default, name="model_default"),
    path("manage/models/of/<slug:provider>/<path:model>", models.model, name="model"),
]

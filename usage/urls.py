"""The pages of Manage that are about models, their health and what they cost, and everybody's own usage."""

from django.urls import path

from .views import budgets, endpoints, health, models, usage

app_name = "usage"
urlpatterns = [
    path("manage/budgets/", budgets.budgets, name="budgets"),
    path("manage/budgets/new/", budgets.new_budget, name="new_budget"),
    path("manage/budgets/requests/", budgets.limit_requests, name="limit_requests"),
    path("manage/budgets/requests/<uuid:request_id>/", budgets.decide_request, name="decide_request"),
    path("manage/budgets/<uuid:budget>/", budgets.budget, name="budget"),
    path("manage/budgets/<uuid:budget>/switch/", budgets.switch_budget, name="switch_budget"),
    path("usage/more/", budgets.ask_for_more, name="ask_for_more"),
    path("usage/", usage.mine, name="mine"),
    path("usage.csv", usage.mine_csv, name="mine_csv"),
    path("usage/calls/", usage.my_calls, name="my_calls"),
    path("usage/calls/<uuid:call_id>/", usage.my_call, name="my_call"),
    path("manage/overview/", usage.overview, name="overview"),
    path("manage/usage/", usage.usage, name="usage"),
    path("manage/usage.csv", usage.usage_csv, name="usage_csv"),
    path("manage/usage/calls/", usage.calls, name="calls"),
    path("manage/usage/calls/<uuid:call_id>/", usage.call, name="call"),
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

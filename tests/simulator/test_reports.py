"""Anthropic's Admin API as the simulator plays it: what is laid down is told, to admin keys alone."""

import pytest

from tests.simulator.conftest import Caller

USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
ADMIN = {"x-api-key": "sk-ant-admin01-made-up"}
SCRIPT = {
    "usage": [
        {
            "day": "2026-11-18",
            "model": "a",
            "api_key_id": "k1",
            "uncached_input_tokens": 1,
            "output_tokens": 2,
        },
        {
            "day": "2026-11-18",
            "model": "a",
            "api_key_id": "k2",
            "uncached_input_tokens": 4,
            "output_tokens": 8,
        },
        {"day": "2026-11-20", "model": "b", "ephemeral_1h_input_tokens": 16},
    ],
    "costs": [{"day": "2026-11-18", "amount": "1.25"}, {"day": "2026-11-18", "amount": "2"}],
    "keys": [{"id": "k1"}, {"id": "k2"}, {"id": "k3"}],
}


async def test_what_is_laid_down_is_grouped_as_asked(caller: Caller) -> None:
    assert (await caller.http.post("/_simulator/reports", json=SCRIPT)).status_code == 200
    span = "starting_at=2026-11-18T00:00:00Z&ending_at=2026-11-21T00:00:00Z"
    whole = (await caller.http.get(f"{USAGE}?{span}&group_by[]=model", headers=ADMIN)).json()
    assert [len(bucket["results"]) for bucket in whole["data"]] == [1, 0, 1]
    added = whole["data"][0]["results"][0]
    assert (added["model"], added["api_key_id"], added["uncached_input_tokens"]) == ("a", None, 5)
    assert whole["data"][2]["results"][0]["cache_creation"]["ephemeral_1h_input_tokens"] == 16
    cost = (await caller.http.get(f"{COST}?{span}", headers=ADMIN)).json()
    assert [item["amount"] for item in cost["data"][0]["results"]] == ["3.25"]
    first = (await caller.http.get(f"{USAGE}?{span}&limit=2", headers=ADMIN)).json()
    assert (len(first["data"]), first["has_more"]) == (2, True)
    rest = (await caller.http.get(f"{USAGE}?{span}&page={first['next_page']}", headers=ADMIN)).json()
    assert [bucket["starting_at"] for bucket in rest["data"]] == ["2026-11-20T00:00:00Z"]
    keys = (await caller.http.get("/v1/organizations/api_keys?limit=2", headers=ADMIN)).json()
    assert (keys["has_more"], keys["last_id"]) == (True, "k2")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (USAGE, 400),
        (f"{USAGE}?starting_at=yesterday", 400),
        (f"{USAGE}?starting_at=2026-11-18T00:00:00Z&limit=32", 400),
        (f"{COST}?starting_at=2026-11-18T00:00:00Z&group_by[]=api_key_id", 400),
        ("/v1/organizations/api_keys?after_id=unknown", 400),
        ("/v1/organizations/nothing", 404),
    ],
)
async def test_what_the_vendor_refuses_is_refused(caller: Caller, path: str, status: int) -> None:
    assert (await caller.http.get(path, headers=ADMIN)).status_code == status
    assert (await caller.http.get(path, headers={"x-api-key": "sk-ant-api03-calls"})).status_code == 401


async def test_a_report_that_cannot_be_read_is_refused(caller: Caller) -> None:
    answer = await caller.http.post("/_simulator/reports", json={"usage": [{"day": "never"}]})
    assert answer.status_code == 400

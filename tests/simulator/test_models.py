"""The list of models."""

from pathlib import Path

import pytest

from tests.simulator.conftest import Caller, Serve


async def test_a_fresh_install_lists_the_demo_alone(serve: Serve) -> None:
    page = (await (await serve()).http.get("/v1/models")).json()
    assert [(model["id"], model["display_name"]) for model in page["data"]] == [
        ("parley-demo", "Demo (no key)")
    ]
    assert page["has_more"] is False
    assert page["first_id"] == page["last_id"] == "parley-demo"
    model = page["data"][0]
    assert model["type"] == "model" and model["lifecycle"] == "active" and model["created_at"].endswith("Z")
    assert model["capabilities"]["thinking"]["types"]["adaptive"] == {"supported": True}


async def test_pages_forward_and_backward_show_every_model_once(caller: Caller) -> None:
    everything = (await caller.http.get("/v1/models?limit=1000")).json()
    ids = [model["id"] for model in everything["data"]]
    assert len(ids) > 20 and len((await caller.http.get("/v1/models")).json()["data"]) == 20

    forward: list[str] = []
    query = "limit=7"
    while True:
        page = (await caller.http.get(f"/v1/models?{query}")).json()
        forward += [model["id"] for model in page["data"]]
        if not page["has_more"]:
            break
        query = f"limit=7&after_id={page['last_id']}"
    assert forward == ids

    backward: list[str] = []
    query = f"limit=7&before_id={ids[-1]}"
    while True:
        page = (await caller.http.get(f"/v1/models?{query}")).json()
        backward = [model["id"] for model in page["data"]] + backward
        if not page["has_more"]:
            break
        query = f"limit=7&before_id={page['first_id']}"
    assert backward == ids[:-1]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "after_id=unheard-of", "lifecycle[]=new", "after_id=a&before_id=b"],
)
async def test_a_bad_query_is_refused(caller: Caller, query: str) -> None:
    assert (await caller.http.get(f"/v1/models?{query}")).status_code == 400


async def test_no_model_is_retired(caller: Caller) -> None:
    page = (await caller.http.get("/v1/models?lifecycle[]=retired")).json()
    assert page == {"data": [], "has_more": False, "first_id": None, "last_id": None}


async def test_one_model_by_id(serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "a stem.sse").write_bytes(b"")
    caller = await serve(replay=tmp_path, models=["my-model"])
    for model, encoded in (("a stem", "a%20stem"), ("my-model", "my-model")):
        answer = await caller.http.get(f"/v1/models/{encoded}")
        assert (answer.json()["id"], answer.json()["display_name"]) == (model, model)

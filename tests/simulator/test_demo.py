"""The demo model of a fresh install."""

import pytest

from providers.fold import fold
from providers.simulator import demo
from tests.simulator.conftest import Caller, Serve, decoded


@pytest.fixture
async def demo_caller(serve: Serve) -> Caller:
    return await serve()


def text_of(message: dict[str, object]) -> str:
    blocks = message["content"]
    assert isinstance(blocks, list)
    return "".join(block["text"] for block in blocks if block["type"] == "text")


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Give me a list", "1. Write a question"),
        ("a TABLE, please", "| Jupiter | gas giant |"),
        ("some Python code", "```python"),
        ("the equation", "\\int_{-\\infty}"),
        ("a quotation", "> > an older remark"),
        ("a long essay", "### How an answer travels"),
        ("in Arabic", "نص من اليمين"),
        ("اكتب بالعربية", "نص من اليمين"),
        ("how does it search", "reserved for examples"),
        ("are you thinking", "## Thinking"),
    ],
)
async def test_a_word_chooses_a_prepared_answer(demo_caller: Caller, word: str, expected: str) -> None:
    text = text_of(fold(await demo_caller.events(word)))
    assert expected in text
    assert "no language model" in text and "do not understand" in text


async def test_several_words_choose_several_answers_in_their_order(demo_caller: Caller) -> None:
    text = text_of(await demo_caller.whole("some code, then a table"))
    assert 0 < text.index("## Code") < text.index("## A table")


async def test_everything_shows_all_kinds_of_content(demo_caller: Caller) -> None:
    message = fold(await demo_caller.events("Show me everything"))
    kinds = [block["type"] for block in message["content"]]
    assert kinds[0] == "thinking"
    assert kinds.index("server_tool_use") + 1 == kinds.index("web_search_tool_result")
    text = text_of(message)
    for sign in ("## ", "1. ", "| ---: |", "```python", "$$", "> ", "نص"):
        assert sign in text
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}


async def test_a_tool_call_comes_with_its_result_and_a_citation(demo_caller: Caller) -> None:
    message = fold(await demo_caller.events("use a tool"))
    blocks = message["content"]
    call = next(block for block in blocks if block["type"] == "server_tool_use")
    result = next(block for block in blocks if block["type"] == "web_search_tool_result")
    cited = next(block for block in blocks if block.get("citations"))
    assert call["name"] == "web_search" and call["input"]["query"]
    assert result["tool_use_id"] == call["id"]
    assert cited["citations"][0]["url"] in [entry["url"] for entry in result["content"]]
    assert "nothing was searched" in text_of(message)


async def test_other_words_are_quoted_back_and_answers_vary(demo_caller: Caller) -> None:
    texts = [text_of(await demo_caller.whole(f"Good morning number {number}")) for number in range(8)]
    assert all(f"Good morning number {number}" in text for number, text in enumerate(texts))
    assert len({text.partition("### A small sample")[2] for text in texts}) > 1


async def test_the_same_question_gets_the_same_text(demo_caller: Caller) -> None:
    first, second = [text_of(await demo_caller.whole("Good morning")) for _ in range(2)]
    assert first == second


@pytest.mark.parametrize(
    "words",
    [
        "<img src=x onerror=alert(1)>",
        "[a link](javascript:alert(1)) and ![](https://example.com/x.png)",
        "# heading\n\n```\ncode",
        "$\\href{javascript:x}{y}$ `tick` **bold** | a | b |",
        "&lt;b&gt; http://example.com/ @somebody",
    ],
)
def test_quoted_words_keep_no_markup(words: str) -> None:
    quotation = demo.quoted(words)
    assert quotation.startswith("> ") and "\n" not in quotation
    unescaped = quotation.removeprefix("> ")
    position = 0
    while position < len(unescaped):
        character = unescaped[position]
        assert character == "\\" or character.isalnum() or character.isspace(), quotation
        position += 2 if character == "\\" else 1


def test_a_long_question_is_quoted_shortened_and_an_empty_one_named() -> None:
    assert len(demo.quoted("word " * 500)) < 300
    assert demo.quoted("\x00\x07") == "> *(no text)*"


async def test_thinking_comes_first_when_it_is_asked_for(demo_caller: Caller) -> None:
    thinking = {"type": "adaptive", "display": "summarized"}
    blocks = (await demo_caller.whole("Good morning", thinking=thinking))["content"]
    assert blocks[0]["type"] == "thinking" and blocks[0]["thinking"] and blocks[0]["signature"]
    assert blocks[1]["type"] == "text"


async def test_thinking_without_display_has_a_signature_and_no_text(demo_caller: Caller) -> None:
    message = fold(await demo_caller.events("Good morning", thinking={"type": "adaptive"}))
    assert message["content"][0]["thinking"] == "" and message["content"][0]["signature"]


async def test_thinking_that_is_switched_off_stays_off(demo_caller: Caller) -> None:
    message = await demo_caller.whole("are you thinking", thinking={"type": "disabled"})
    assert [block["type"] for block in message["content"]] == ["text"]
    assert "switched off" in message["content"][0]["text"]


async def test_usage_counts_the_prompt_the_answer_and_the_thinking(demo_caller: Caller) -> None:
    message = fold(await demo_caller.events("Show me everything " + "please " * 100))
    usage = message["usage"]
    assert 150 < usage["input_tokens"] < 200
    characters = sum(len(block.get("text", "") + block.get("thinking", "")) for block in message["content"])
    assert usage["output_tokens"] == pytest.approx(characters / 4, rel=0.05)
    assert 0 < usage["output_tokens_details"]["thinking_tokens"] < usage["output_tokens"]


@pytest.mark.parametrize("limit", [1, 30, 100])
async def test_max_tokens_cuts_the_answer(demo_caller: Caller, limit: int) -> None:
    message = fold(await demo_caller.events("a table", max_tokens=limit))
    assert message["stop_reason"] == "max_tokens"
    assert message["usage"]["output_tokens"] <= limit
    assert len(text_of(message)) == limit * 4


async def test_a_stop_sequence_ends_the_answer_before_it(demo_caller: Caller) -> None:
    message = await demo_caller.whole("a table", stop_sequences=["Saturn", "Mars"])
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "Mars")
    assert text_of(message).endswith("| ")


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How do I boil an egg?", "How do I boil an egg"),
        ("Please show me the weather in Ghent and in Liège tomorrow", "The weather in Ghent and in"),
        ("Question: where is the station", "Where is the station"),
        ("ما عاصمة بلجيكا؟", "ما عاصمة بلجيكا؟"),
        ("**bold**", "Bold"),
        ("hello", "Hello"),
        ("???", "A new conversation"),
        ("", "A new conversation"),
    ],
)
def test_titles_are_made_of_the_questions_words(question: str, title: str) -> None:
    assert demo.title_of(question) == title


async def test_a_request_for_a_title_gets_one_line(demo_caller: Caller) -> None:
    system = "Write a title of at most six words for the conversation."
    message = await demo_caller.whole("Can you make a table of the planets?", system=system, max_tokens=30)
    assert text_of(message) == "Make a table of the planets"


async def test_the_demo_is_paced_like_a_model(serve: Serve) -> None:
    caller = await serve(demo_rate=400)
    answer = await caller.ask("a quotation")
    deltas = sum(event["type"] == "content_block_delta" for event in decoded(answer.content))
    assert answer.elapsed.total_seconds() >= demo.FIRST_DELAY + (deltas - 2) / 400
    assert 40 <= demo.RATE <= 60


async def test_the_demo_is_the_same_on_every_wire(serve: Serve) -> None:
    caller = await serve()
    message = await caller.whole("show me a table")
    chat = await caller.http.post(
        "/openai/v1/chat/completions",
        json={"model": "parley-demo", "messages": [{"role": "user", "content": "show me a table"}]},
    )
    said = "".join(block["text"] for block in message["content"] if block["type"] == "text")
    assert chat.json()["choices"][0]["message"]["content"] == said
    response = await caller.http.post(
        "/openai/v1/responses", json={"model": "parley-demo", "input": "show me a table"}
    )
    assert response.json()["output"][0]["content"][0]["text"] == said
    listed = (await caller.http.get("/openai/v1/models")).json()["data"]
    assert [model["id"] for model in listed] == ["parley-demo"]

"""Who answers a request to a model, on whatever wire: a directive, a title, a recording, or the demo, in this
order.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from providers.simulator import demo, faults, recordings, scripted
from providers.simulator.answer import Answer
from providers.simulator.call import Call
from providers.simulator.estimate import PromptCounter
from providers.simulator.replies import Refusal, Reply, encode_json, encode_odd_json
from providers.simulator.rules import Asked
from providers.simulator.script import Directive, Scripts
from providers.simulator.steps import ByteStep
from providers.simulator.wire import Wire

EVENT_STREAM: Final = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """An answer that is sent step by step. rate: deltas per second, 0 for as fast as possible; times in
    seconds; ping: the sign of life that is sent every `ping_every`; delay: before the head of the answer;
    headers: besides the usual ones.
    """

    steps: Iterable[ByteStep]
    rate: float = 0.0
    jitter: float = 0.0
    seed: int = 0
    ping_every: float = 0.0
    ping: bytes = b""
    delay: float = 0.0
    content_type: str = EVENT_STREAM
    headers: Mapping[str, str] = field(default_factory=dict)


class Messages:
    """The answers of one simulator.

    recordings: bytes by stem, None when nothing is replayed; rate and random_cuts: as in Simulator;
    demo_rate: deltas per second of the demo.
    """

    def __init__(
        self,
        *,
        scripts: Scripts | None,
        recordings: Mapping[str, bytes] | None,
        rate: float,
        random_cuts: int | None,
        demo_rate: float,
    ) -> None:
        self._scripts = scripts
        self._recordings = recordings
        self._rate = rate
        self._random_cuts = random_cuts
        self._demo_rate = demo_rate
        self.prompts = PromptCounter()

    def plan(self, asked: Asked, wire: Wire, call: Call) -> Reply | Streamed:
        """The answer to an accepted request. Raises Refusal, also for a malformed directive."""
        titled = demo.wants_title(asked)
        directive = None
        if self._scripts is not None:
            directive = self._scripts.find_for_title(asked) if titled else self._scripts.find(asked)
        if directive is not None:
            return self._scripted(directive, asked, wire, call)
        prompt = self.prompts.count_and_cache(asked.body)
        if titled:
            return self._unscripted(demo.title_answer(asked, prompt), asked, wire)
        if asked.max_tokens == 0:
            return self._unscripted(demo.empty_answer(asked, prompt), asked, wire)
        known = self._recordings
        if known is not None:
            stem = asked.model if asked.model in known else recordings.asked_for(asked.text, known)
            if stem is not None:
                return self._replayed(stem, asked, wire, known)
        return self._unscripted(demo.demo_answer(asked, prompt), asked, wire)

    def _unscripted(self, answer: Answer, asked: Asked, wire: Wire) -> Reply | Streamed:
        if not self._demo_rate:
            answer = replace(answer, first_delay=0.0)
        if not asked.stream:
            return Reply(200, encode_json(wire.whole(answer)), delay=answer.first_delay)
        steps = faults.encoded(wire.events(answer), wire.frame)
        seed = len(asked.text)
        return Streamed(steps=steps, rate=self._demo_rate, jitter=demo.JITTER, seed=seed, ping=wire.ping)

    def _replayed(self, stem: str, asked: Asked, wire: Wire, known: Mapping[str, bytes]) -> Streamed:
        steps: Iterable[ByteStep] = self._recorded(stem, asked, known)
        if self._random_cuts is not None:
            steps = faults.chunked(steps, None, self._random_cuts)
        return Streamed(steps=steps, rate=self._rate, ping=wire.ping)

    def _recorded(self, stem: str, asked: Asked, known: Mapping[str, bytes]) -> Iterator[ByteStep]:
        recording = known.get(stem)
        if recording is None:
            raise Refusal(404, f"replay: there is no recording {stem}")
        if not asked.stream:
            raise Refusal(400, "replay: a recording can only be streamed")
        return recordings.steps(recording)

    def _scripted(self, directive: Directive, asked: Asked, wire: Wire, call: Call) -> Reply | Streamed:
        if directive.error_event_after is None or not asked.stream:
            try:
                refused = scripted.refused(directive, call.headers)
            except Refusal as refusal:
                refusal.delay = directive.header_delay
                raise
            if refused is not None:
                return replace(refused, delay=directive.header_delay)
        if directive.replay is not None:
            recorded = self._recorded(directive.replay, asked, self._recordings or {})
            return self._paced(directive, wire, recorded)
        prompt = self.prompts.count_and_cache(asked.body)
        if directive.demo is not None:
            answer = demo.demo_answer(asked, prompt, directive.demo)
        else:
            answer = scripted.answer(directive, asked, prompt)
        if directive.garbage == "html_200":
            return Reply(200, scripted.HTML, "text/html", directive.headers, directive.header_delay)
        odd = directive.usage is not None
        if directive.garbage == "json_200" or not asked.stream:
            body = (encode_odd_json if odd else encode_json)(wire.whole(answer))
            if scripted.spoils(directive):
                return self._paced(directive, wire, scripted.whole(directive, body), "application/json")
            return Reply(200, body, headers=directive.headers, delay=directive.header_delay)
        steps = scripted.streamed(directive, answer, wire, call.request_id, odd=odd)
        return self._paced(directive, wire, steps)

    def _paced(
        self, directive: Directive, wire: Wire, steps: Iterable[ByteStep], content_type: str = EVENT_STREAM
    ) -> Streamed:
        more: dict[str, str] = {}
        if directive.garbage == "empty_200":
            steps = ()
        elif directive.garbage == "gzip":
            steps = scripted.gzip_bomb(wire.around_text, directive.size)
            more = {"content-encoding": "gzip"}
        return Streamed(
            steps=scripted.broken(directive, steps),
            rate=directive.rate,
            jitter=directive.jitter,
            seed=directive.seed,
            ping_every=directive.ping_every,
            ping=wire.ping,
            delay=directive.header_delay,
            content_type=content_type,
            headers={**more, **directive.headers},
        )

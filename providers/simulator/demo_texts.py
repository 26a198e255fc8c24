"""The prepared answers of the demo model, in Markdown. They say what they are: no answer pretends to understand."""

# ruff: noqa: E501 - a paragraph or a table row of Markdown is one line

from typing import Final

NAME: Final = "Parley's built-in demo"

INTRODUCTION: Final = (
    f"I am {NAME}. There is no language model behind me: I do not understand what you write, "
    "I look for simple words and send a prepared answer.\n\n"
)

NEXT_STEPS: Final = (
    "Try a message with one of these words: **list**, **table**, **code**, **math**, **quote**, **thinking**, "
    "**tool**, **long**, **arabic** or **everything**. For real answers, add a provider's key and choose one of its "
    "models.\n"
)

LIST: Final = """## Headings and lists

An answer can be structured with headings, and with lists of several kinds.

### Steps in order

1. Write a question in the box below.
2. Press Enter to send it; Shift and Enter start a new line.
3. Watch the answer arrive. You may reload the page meanwhile:
   - the answer goes on where it was,
   - a second window shows the same.
4. Stop the answer whenever you have seen enough.

### Things to look at

- **Strong words**, *stressed words*, ~~withdrawn words~~ and `short pieces of code`
- A list inside a list:
  - first level
    - second level, with a [link to an example](https://example.com/)
- Text after a rule:

---

The paragraph after the rule is plain again.

"""

TABLE: Final = """## A table

The planets, as they are given in common tables (rounded):

| Planet | Kind | Mean radius (km) | Mass (Earth = 1) | Rotation (hours) | Year (Earth years) | Gravity (m/s²) | Rings |
| :--- | :--- | ---: | ---: | ---: | ---: | ---: | :---: |
| Mercury | rocky | 2,440 | 0.055 | 1,407.6 | 0.24 | 3.7 | no |
| Venus | rocky | 6,052 | 0.815 | 5,832.5 | 0.62 | 8.9 | no |
| Earth | rocky | 6,371 | 1.000 | 23.9 | 1.00 | 9.8 | no |
| Mars | rocky | 3,390 | 0.107 | 24.6 | 1.88 | 3.7 | no |
| Jupiter | gas giant | 69,911 | 317.8 | 9.9 | 11.9 | 24.8 | faint |
| Saturn | gas giant | 58,232 | 95.2 | 10.7 | 29.4 | 10.4 | **yes** |
| Uranus | ice giant | 25,362 | 14.5 | 17.2 | 84.0 | 8.9 | faint |
| Neptune | ice giant | 24,622 | 17.1 | 16.1 | 164.8 | 11.2 | faint |

A table that is wider than the page scrolls by itself.

"""

CODE: Final = '''## Code

A Python function, with a doctest:

```python
from collections.abc import Iterable


def running_mean(values: Iterable[float]) -> list[float]:
    """The mean of everything seen so far, after each value.

    >>> running_mean([2, 4, 9])
    [2.0, 3.0, 5.0]
    """
    means: list[float] = []
    total = 0.0
    for count, value in enumerate(values, start=1):
        total += value
        means.append(total / count)
    return means
```

The same idea in SQL, where a window does the work:

```sql
SELECT day,
       amount,
       avg(amount) OVER (ORDER BY day ROWS UNBOUNDED PRECEDING) AS running_mean
FROM takings
ORDER BY day;
```

And a line for the shell: `python -m doctest running_mean.py -v`.

'''

MATH: Final = r"""## Mathematics

Inline, the roots of $ax^2 + bx + c = 0$ are $x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}$ for $a \neq 0$.

Set apart, the area under the bell curve:

$$
\int_{-\infty}^{\infty} e^{-x^2}\,dx = \sqrt{\pi}
$$

A rotation by the angle $\theta$, and a sum that takes its time to converge:

$$
R(\theta) = \begin{pmatrix} \cos\theta & -\sin\theta \\ \sin\theta & \cos\theta \end{pmatrix},
\qquad
\sum_{n=1}^{\infty} \frac{1}{n^2} = \frac{\pi^2}{6}
$$

Prices such as 5 dollars are written without a formula.

"""

QUOTE: Final = """## A quotation

> A quotation is set apart from the text around it.
>
> It may hold several paragraphs, and a quotation of its own:
>
> > an older remark, kept for reference.

After it the text goes on as before.

"""

ARABIC: Final = """## نص من اليمين إلى اليسار

هذا جواب مُعدّ مسبقًا من النموذج التجريبي. لا يفهم هذا النموذج ما تكتبه، بل يبحث عن كلمات بسيطة ثم يرسل نصًا جاهزًا.

1. تبدأ الفقرات من اليمين.
2. الأرقام مثل 2026 والكلمات اللاتينية مثل Parley تبقى في مواضعها.
3. والقوائم كذلك من اليمين.

يبقى المقطع البرمجي من اليسار إلى اليمين:

```python
print("مرحبا")
```

The paragraph in English after it runs from left to right again.

"""

SEARCH_INTRODUCTION: Final = (
    "## A tool of the provider\n\n"
    "Some models can search the web while they answer. The call below and its results are prepared: nothing was "
    "searched, and the pages are examples.\n\n"
)

SEARCH_QUERY: Final = "example domains reserved for documentation"

SEARCH_RESULTS: Final = (
    ("Example Domain", "https://example.com/"),
    ("Example pages, a prepared result", "https://example.org/prepared"),
)

CITED: Final = "The names example.com and example.org are reserved for examples in documents"

CITED_SENTENCE: Final = "The domain example.com is reserved for use in documentation."

SEARCH_END: Final = (
    ", so a prepared result can point there without sending anybody to a stranger's page.\n\n"
    "Open the block above to see what was asked and what came back.\n\n"
)

THINKING: Final = (
    "The person would like to see how thinking is shown. This text is prepared, like everything else the demo says.\n\n"
    "What could be shown here? A model that thinks writes down its considerations before it answers: what is asked, "
    "what is known, which way looks best. It may also change its mind.\n\n"
    "First idea: explain it in one long paragraph. That would be hard to read.\n"
    "Second idea: a short explanation, and a hint where to look. That is better.\n\n"
    "The answer should stay short, because the thinking is what is on show."
)

THOUGHT: Final = """## Thinking

Above this text there is a folded block with the thinking that came first. It streams like the answer does, and it costs tokens like the answer does, so its share is shown with the cost.

"""

NO_THINKING: Final = """## Thinking

A thinking block comes first when thinking is switched on in the settings of this conversation. It is switched off now, so there is nothing to unfold.

"""

LONG: Final = """## A long answer

This text is long on purpose: it shows how the page behaves while an answer is still growing. Scroll up while it arrives and you stay where you are; return to the end and the page follows the text again.

### How an answer travels

The model's provider sends an answer in small pieces, often only a word or two at a time. Each piece is an event: one says that a message begins, others that a block begins, grows or ends, and the last ones say why the answer ended and how many tokens it took. A block is one kind of content: text, thinking, a call of a tool, or the result of one.

The pieces do not go straight to your browser. They are written to the database first, in small groups, and then shown. This takes a few thousandths of a second, and it means that everything you have been shown is also stored. When the page is loaded again, it begins with what is stored and goes on with what arrives.

### What happens when something breaks

Connections break: a laptop is closed, a train enters a tunnel, a proxy loses patience. The answer does not depend on your connection. It is made by the server, and a browser that comes back says which number it saw last and receives everything after it, in order and without a gap.

If the provider's own connection breaks, the answer ends early and is marked as interrupted. What had arrived stays readable, its tokens are counted, and the answer can be continued from there.

### How the text takes shape

The text is Markdown. While it arrives, the page keeps the blocks that are finished and draws only the last one again, so that a long answer stays quick. A table begins as a line of text and becomes a table when its second line is there; a formula is drawn when it is closed; code is coloured as it grows.

1. A finished paragraph is not touched again.
2. A list grows item by item.
3. A code block keeps its place while lines are added.

### What it costs

Providers count tokens, not words. A token is a piece of a word, in English about four characters. The question counts as input, together with everything that was said before in the same conversation, and the answer counts as output. Output usually costs several times as much as input, and parts of the input that were sent before may be read from a cache at a lower price.

Each answer therefore shows its tokens and its price. The demo costs nothing, and its token numbers are estimates; they are there so that you can see where the numbers will stand.

### The end

A long answer ends like a short one: with a reason. This one ends because everything has been said.

"""

OPENINGS: Final = (
    "You wrote:\n\n{quote}\n\nI cannot tell what it means, but I can show what an answer looks like here.\n\n",
    "This is what reached me:\n\n{quote}\n\nI return it unread, with a small sample of what can be shown.\n\n",
    "Your message arrived:\n\n{quote}\n\nA real model would think about it now. I send something prepared instead.\n\n",
)

SAMPLES: Final = (
    """### A small sample

- Text with **weight**, *stress* and `code`
- A formula: $e^{i\\pi} + 1 = 0$
- A table:

| Word | What it shows |
| :--- | :--- |
| table | eight columns of planets |
| code | Python and SQL, coloured |
| math | formulas, inline and set apart |

""",
    """### A small sample

```python
def greet(name: str) -> str:
    return f"Hello, {name}."
```

> Code is coloured, and quotations are set apart.

1. Lists may be numbered,
2. and have several items.

""",
    """### A small sample

| Part | Example |
| :--- | :--- |
| strong | **like this** |
| code | `answer = 6 * 7` |
| formula | $a^2 + b^2 = c^2$ |

1. streamed piece by piece,
2. kept when the page is reloaded,
3. ~~understood~~ looked up.

""",
)

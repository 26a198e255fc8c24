/** Markdown for tests: every construct that answers use, and those whose beginning looks like another one. */

const FENCE = "```";

export const DOCUMENTS = {
  prose: `# A heading with *words*

First paragraph with **bold**, *slanted*, ~~struck~~ and \`code\`; a [link](https://docs.example.org/a?b=c "title")
and a bare https://example.org/path address. 2 * 3 * 4 stays as it is, snake_case_name too.

> A quotation
> of two lines, with **bold that
> goes on** and on

Last words: \`\`a \` b\`\`, an image ![a plan](https://img.example.net/plan.png) and a [reference][one].

[one]: https://one.example.org/ "One"
`,
  lists: `Steps:
- first **thing**
- second thing

  with a paragraph inside
- third
  1. deep one
  2. deep two
     - deeper \`code\`

1. one
2. two

${FENCE}
not numbered
${FENCE}

3. three

* other bullet
+ and another
- [ ] task
- [x] done
`,
  table: `Intro line
| Name | Count | Cost in $ |
|:-----|------:|:---------:|
| **a** | 1 | 2.40 |
| b \\| c | 22 | \`x\` |

After the table, *** is text, and

***

that was a rule.

Title
=====

Sub title
---------

***bold and slanted*** text
`,
  code: `Before
${FENCE}python
def f(x):
    return "\`\`\`" + x

# last line with trailing blank

${FENCE}
between
~~~~ts
const a = 1;
~~~
still code
~~~~

    indented code

    more of it

- list with a fence:
  ${FENCE}sh
  echo "hi"
  ${FENCE}
  after it

 ${FENCE}
 indented fence
   keeps two
 ${FENCE}

${FENCE}js
unclosed(
`,
  maths: `With a mean wait $W$ and arrivals $\\lambda$, Little says
$$
L = \\lambda W
$$
and \\(a^2 + b^2\\) holds; it costs $5 or $10, not $x.

\\[
\\int_0^1 x\\,dx = \\frac{1}{2}
\\]

- item $x_1$
- $$y = 2$$
`,
  scripts: `مرحبا **بالعالم** في [موقع](https://example.org/ar) واحد.

日本語の文章と\`コード\`と絵文字 👩‍👩‍👧‍👦 です。

Line with trailing spaces  
breaks here\\
and here.
`,
  odd: `[not a link] and [half](http and ![half]( and <http://a.b> and <notatag> & &amp; &copy;

**open bold
*open slant

\`open code

[later]: http://later.example.org
`,
};

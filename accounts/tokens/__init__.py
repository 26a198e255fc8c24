"""Access tokens: how people's own programs show whose they are (docs/tokens.md).

    text            what a token looks like
    policy          who may have tokens, and for how long
    standing        whether a token may be used now, and why not
    authentication  from the text that a program sends to the person it speaks for
    uses            when, where and by what a token was last used
    actions         making, changing, revoking
    expiry          the letter before a token's end

What a token spends, and its budget, is known to usage.access_tokens.
"""

"""Access tokens and money: what each spends, its budget, and the pages that show both (docs/tokens.md).

actions   making a token with its budget; changing and ending both
lines     tokens as pages list them
forms     what is asked about a token, and about who may have some
snippets  how a program is told of its token
"""

"""Conversations and live runs: the tree of messages, the journal of what was shown, the socket, the pages."""

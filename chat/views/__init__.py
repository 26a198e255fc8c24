"""The chat's pages and partials. Each fetches through the person: what is not theirs is not found."""

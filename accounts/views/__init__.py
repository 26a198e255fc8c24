"""The pages of accounts: the door (set-up, passwords), and the keys of the organisation."""

"""People, teams, credentials and access tokens of this installation."""

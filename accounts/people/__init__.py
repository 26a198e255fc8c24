"""People and teams: what they may, how they come, change and go."""

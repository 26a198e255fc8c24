"""The audit log: its events, their chain, its protection, its pages."""

"""Alerts: raised once, brought to those who are to be told."""

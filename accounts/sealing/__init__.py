"""Sealed secrets: how they are sealed, where they are stored, and how their keys are changed."""

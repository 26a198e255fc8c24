"""The rules of models and features as people meet them: in words, as a form, explained (docs/policy.md)."""

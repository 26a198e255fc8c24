"""Controls of forms as the door shows them."""

from __future__ import annotations

from django import template
from django.forms import BoundField
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def control(field: BoundField) -> SafeString:
    """The field's control. In a form that was refused, the first wrong field has the focus, and no other."""
    wrong = next((name for name in field.form.fields if name in field.form.errors), None)
    if wrong is None:
        return field.as_widget()
    return field.as_widget(attrs={"autofocus": "" if field.name == wrong else False})

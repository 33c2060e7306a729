"""Numbers for people.

In: numbers. Out: text.
Never: a locale; the site speaks one language.
"""

from django import template

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    """1234567 as `1,234,567`."""
    return f"{number:,}"

"""Numbers and times for people.

In: numbers, times. Out: text.
Never: a locale; the site speaks one language.
"""

import datetime as dt

from django import template
from django.utils import timezone
from django.utils.timesince import timesince

register = template.Library()


@register.filter
def thousands(number: int) -> str:
    """1234567 as `1,234,567`."""
    return f"{number:,}"


@register.filter
def synced(moment: dt.datetime) -> str:
    """`synced just now` within the last minute, else how long ago."""
    if timezone.now() - moment < dt.timedelta(minutes=1):
        return "synced just now"
    return f"synced {timesince(moment, depth=1)} ago"

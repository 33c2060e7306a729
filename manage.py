#!/usr/bin/env python
"""Django's command line for the calendar application.

In: arguments. Out: the command's exit status.
Never: settings other than those of DJANGO_SETTINGS_MODULE.
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "calendar_sync.settings")
    execute_from_command_line(sys.argv)

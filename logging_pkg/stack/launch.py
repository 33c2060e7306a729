"""Becomes another program that ends when its parent does.

In: argv of parent pid, signal number, program path and its arguments. Out: that program, in this process. Never:
imports beyond the standard library (it runs with -I -S, in 20 ms) or a program that survives its parent on Linux.

A wrapper instead of subprocess's preexec_fn: that runs Python between fork and exec, which can deadlock in a process
with threads.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h


def main(arguments: list[str]) -> None:
    """Ask the kernel for the signal at the parent's death, then exec."""
    parent, signal_number, *command = arguments
    if sys.platform == "linux":
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        if os.getppid() != int(parent):
            # The parent died before prctl took effect, so its signal will never come.
            sys.exit(f"{command[0]}: not started, the starting process {parent} has ended")
    os.execv(command[0], command)  # noqa: S606 a shell would be one more process between parent and server


if __name__ == "__main__":
    main(sys.argv[1:])

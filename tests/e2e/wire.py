"""What the byte-level tests share: recording backends, usher, clients, checks.

To be run by way of run_python in lib.sh, which makes the directory, shows the
logs of a test that failed, and removes everything.
"""

from checks import (HOST, PATIENCE, RESIDENT, Failure, Skipped, check, expect,
                    isolation, now, run_checks, same, shared, tmp, wait_for)
from ends import Backend, Client, closed_port, passed_socket
from hellos import extension, hello, hello_message, records
from serving import (Usher, is_sanitized, limit, parent, program, static,
                     stop_all, title)

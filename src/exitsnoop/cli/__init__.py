"""The command line: arguments in, an exit status out. It uses the public API and no more."""

import os
import sys
from collections.abc import Sequence

from exitsnoop.cli import trace
from exitsnoop.cli.options import parser
from exitsnoop.cli.output import Output, complain
from exitsnoop.errors import KernelRefused, NoSuchProcess, NotPermitted

EX_USAGE = 2  # argparse's


def main(argv: Sequence[str] | None = None) -> int:
    """Run exitsnoop with these arguments (the process's, if None); return the exit status.

    Raises SystemExit where argparse does: after --help and after a wrong option.
    """
    try:
        output = Output()
        options = parser().parse_args(argv)
        return trace.run(options, output)
    except KeyboardInterrupt:  # before tracing was on
        return os.EX_OK
    except BrokenPipeError:  # the reader has what it wanted
        return os.EX_OK
    except NoSuchProcess as error:
        complain(str(error))
        return EX_USAGE
    except NotPermitted as error:
        complain(str(error))
        return os.EX_NOPERM
    except KernelRefused as error:
        complain(str(error), error.log)
        return os.EX_SOFTWARE
    except OSError as error:
        complain(f"cannot write: {error.strerror}")
        return os.EX_IOERR


if __name__ == "__main__":
    sys.exit(main())

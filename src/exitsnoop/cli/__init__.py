"""The command line: arguments in, an exit status out."""

import gc
import os
import sys

from exitsnoop.cli.output import CannotWrite, complain, hold_standard_descriptors
from exitsnoop.errors import NoSuchProcess, NotPermitted, TraceError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from exitsnoop.cli.options import Options

EX_USAGE = 2  # argparse's


def main(argv: "Sequence[str] | None" = None) -> int:
    """Run exitsnoop with these arguments (the process's, if None); return the exit status.

    Raises SystemExit where argparse does: after --help and after a wrong option.
    """
    hold_standard_descriptors()
    gc.disable()  # nothing that a start makes is garbage; garbage.enable() enables it again
    gc.set_threshold(50_000)  # what waits to be written is thousands of objects, and no garbage
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except KeyboardInterrupt:  # before tracing was on, and so before COMMAND ran
        from signal import SIGINT  # slow to import

        return 128 + SIGINT if "--" in words else os.EX_OK
    except BrokenPipeError:  # the reader has what it wanted
        return os.EX_OK
    except NoSuchProcess as error:
        complain(str(error))
        return EX_USAGE
    except NotPermitted as error:
        complain(str(error))
        return os.EX_NOPERM
    except TraceError as error:
        complain(str(error), getattr(error, "log", ""))
        return os.EX_SOFTWARE
    except CannotWrite as error:
        complain(str(error))
        return os.EX_IOERR
    except (OSError, ImportError) as error:
        complain(_explained(error))
        return os.EX_SOFTWARE
    except MemoryError:
        complain("there is not enough memory: the rows end here, and later exits are not reported")
        return os.EX_IOERR
    finally:
        gc.enable()  # if it did not come to that


def _explained(error: OSError | ImportError) -> str:
    try:
        from exitsnoop.kernel.refusals import lacking
    except ImportError:  # without privileges the package may be unreadable
        return str(error)
    return str(lacking(error))


def _run(words: list[str]) -> int:
    from exitsnoop.cli.options import UsageError

    try:
        return _dispatch(words)
    except UsageError as error:
        from exitsnoop.cli.parser import parser

        parser().error(str(error))


def _dispatch(words: list[str]) -> int:
    if words and not words[0].startswith("-"):
        from exitsnoop.cli import verbs

        return verbs.run(words)
    from exitsnoop.cli.options import refuse

    ours, separator, command = words, False, []
    if "--" in words:
        at = words.index("--")
        ours, separator, command = words[:at], True, words[at + 1 :]
    options = parse(ours)
    if separator and not command:
        refuse("there is no COMMAND after --")
    if command:
        from exitsnoop.cli import command as runner

        return runner.run(options, command)
    if options.linger or options.as_root:
        given = "--linger" if options.linger else "--as-root"
        refuse(f"{given} is for COMMAND, which goes after --")
    from exitsnoop.cli import trace

    return trace.run(options)


def parse(words: "list[str]") -> "Options":
    """Return the options that the words give. argparse is left alone where all are switches.

    Raises SystemExit: after --help, and for a word that is wrong.
    """
    from exitsnoop.cli.options import ONE_OF, SWITCHES, Options

    options = Options()
    given = set(words)
    if given <= SWITCHES.keys() and not given >= ONE_OF:
        for word in words:
            setattr(options, SWITCHES[word], True)
        return options
    from exitsnoop.cli.parser import parse_into

    parse_into(options, words)
    return options


if __name__ == "__main__":
    sys.exit(main())

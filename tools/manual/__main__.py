"""Write the man pages and the completions: `python -m tools.manual DIRECTORY`.

They lie in DIRECTORY as a package installs them below /usr/share.
"""

import sys
from pathlib import Path

from tools.manual import bash, fish, man, zsh
from tools.manual.commands import commands


def main() -> None:
    """Do it."""
    (directory,) = map(Path, sys.argv[1:])
    every = commands()
    made = {f"man/man1/{one.name.replace(' ', '-')}.1": man.page(one, every) for one in every}
    made["bash-completion/completions/exitsnoop"] = bash.completion(every)
    made["zsh/vendor-completions/_exitsnoop"] = zsh.completion(every)
    made["fish/vendor_completions.d/exitsnoop.fish"] = fish.completion(every)
    for name, text in made.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


main()

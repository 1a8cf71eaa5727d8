"""`lambent restore`: a data folder from a backup, without a server."""

from pathlib import Path
from typing import Annotated, Any

import typer

from lambent.cli.failure import CommandFailed
from lambent.cli.setting_options import settings_from, with_settings
from lambent.cli.terminal import progress_of


@with_settings("data_dir")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `lambent backup` wrote.")], **given: Any
) -> None:
    """
    Make a new data folder of a backup.

    The folder must be empty or absent. It becomes one that `lambent serve` takes only when every byte in it has been
    compared with what was backed up; interrupted, the same command begins anew.

    A server that starts with it goes on where the backup was made: events that waited then run now, also those that the
    first server has run meanwhile.
    """
    folder = settings_from(given).data.data_dir

    from lambent.errors.families import DependencyError
    from lambent.store.backup_format import BadBackup
    from lambent.store.restore import restore as fill

    # What cannot be asked for its size cannot be read, as it turns out below.
    total = file.stat().st_size if file.is_file() else None
    try:
        with progress_of("restoring") as show:
            header = fill(file, folder, lambda done: show("restoring", done, total))
    except BadBackup as error:
        raise CommandFailed(f"{error}; nothing was restored", exit_code=2) from error
    except DependencyError as error:
        raise CommandFailed(f"{error}; nothing was restored") from error
    print(f"{folder}: restored from {file}, made {header.created} by Lambent {header.lambent}")

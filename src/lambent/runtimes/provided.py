"""The `provided` runtimes, whatever is after the dot: the package brings an executable named `bootstrap`."""

from pathlib import Path

from lambent.runtimes.catalogue import CatalogueEntry
from lambent.runtimes.contract import InvalidEntrypoint, LayersAt, RuntimeCommand


class ProvidedRuntimes:
    """All `provided` identifiers. There is nothing to prepare."""

    def command(self, package: Path, task_root: str, layers: LayersAt | None = None) -> RuntimeCommand:
        """
        Return how to start the runtime that the package brings, or else a layer.

        Raises:
            InvalidEntrypoint: there is no `bootstrap`. Whether it can be executed shows when it is.
        """
        # A folder of that name is passed over, as one that is missing. The package comes first.
        # Observed: aws/aws-lambda-runtime-interface-emulator, which looks for a bootstrap that is a file.
        opt = "/opt" if layers is None else layers.root
        if _may_be_file(package / "bootstrap"):
            root = task_root
        elif layers is not None and _may_be_file(layers.folder / "bootstrap"):
            root = opt
        else:
            raise InvalidEntrypoint(f"Couldn't find valid bootstrap(s): [{task_root}/bootstrap {opt}/bootstrap]")
        return RuntimeCommand(
            argv=[f"{root}/bootstrap"],
            environ={
                "PATH": f"/usr/local/bin:/usr/bin/:/bin:{opt}/bin",
                "LD_LIBRARY_PATH": f"/lib64:/usr/lib64:{task_root}:{task_root}/lib:{opt}/lib",
            },
            # No AWS_EXECUTION_ENV. Documented: developer guide, defined runtime environment variables.
            reserved={"LAMBDA_RUNTIME_DIR": "/var/runtime"},
        )

    def version_label(self, entry: CatalogueEntry) -> str:
        """Return e.g. `provided:al2023.v1`. Assumed: the number has no meaning here, AWS counts its own images."""
        # Amazon Linux 1 has no name in its identifier, which is `provided` alone.
        return f"provided:{entry.version or 'al1'}.v1"


def _may_be_file(path: Path) -> bool:
    """Whether a bootstrap is a file, or a link that may lead to one: absolute ones lead elsewhere on this machine."""
    if path.is_symlink() and path.readlink().is_absolute():
        return True
    return path.is_file()

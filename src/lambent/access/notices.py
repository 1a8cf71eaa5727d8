"""What an operator has to know of access when the server starts. Pure."""

from lambent.settings import Settings


def about_access(settings: Settings) -> str:
    """Return lines on who gets in, where that is more than one may think; nothing where it is not."""
    server, said = settings.server, []
    if not settings.is_on_loopback and not settings.verifies_signatures:
        said.append(
            f"insecure: no signature is verified at {server.host}, and --insecure was given: whoever reaches the port "
            "may run code, and read and delete all there is"
        )
    if not settings.is_on_loopback and server.tls == "off" and server.tls_cert is None:
        said.append(
            f"no TLS at {server.host}: payloads, presigned URLs and session tokens can be read on their way; --tls "
            "self-signed or --tls-cert helps, or a proxy that speaks it"
        )
    if not settings.verifies_signatures and settings.access.iam in {"audit", "enforce"}:
        said.append(
            f"--iam {settings.access.iam} without --auth required: policies count for keys of this server, whose "
            "signatures nobody verifies; any other key may do everything"
        )
    return "\n".join(said)

"""The X-Ray trace header that travels with an invocation."""

_ROOT_HEX = 24


def next_trace_header(given: str | None, now: float, root_hex: str, parent_hex: str) -> str:
    """
    Return the header that the runtime sees for a request that came with `given`.

    A given Root, sampling decision and lineage are kept, the parent is new. Without one, a root is made, not sampled.

    Args:
        given: the request's `X-Amzn-Trace-Id`, as sent; anything malformed counts as absent.
        now: seconds since the epoch, for a new root.
        root_hex: 24 random hexadecimal digits.
        parent_hex: 16 random hexadecimal digits.

    Documented: Lambda developer guide, tracing; X-Ray developer guide, tracing header.
    """
    fields: dict[str, str] = {}
    if given and len(given) <= 1024 and given.isascii() and given.isprintable():
        for part in given.split(";"):
            key, separator, value = part.strip().partition("=")
            if separator:
                fields[key] = value
    root = fields.get("Root")
    if not root:
        return f"Root=1-{int(now):08x}-{root_hex[:_ROOT_HEX]};Parent={parent_hex};Sampled=0"
    header = f"Root={root};Parent={parent_hex};Sampled={fields.get('Sampled', '0')}"
    lineage = fields.get("Lineage")
    return f"{header};Lineage={lineage}" if lineage else header

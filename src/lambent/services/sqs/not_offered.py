"""Operations of the SQS model that are not offered: none."""

from collections.abc import Mapping

NOT_OFFERED: Mapping[str, str] = {}
"""Operation to the reason."""

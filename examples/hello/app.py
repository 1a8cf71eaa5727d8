"""Greets, and shows what a function learns about the invocation that it serves."""

import os
import platform


def handler(event, context):
    name = event.get("name", "world")
    print(f"about to greet {name}")  # What a function prints goes to its log.
    return {
        "greeting": f"Hello, {name}!",
        "function": context.function_name,
        "version": context.function_version,
        "request_id": context.aws_request_id,
        "memory_mib": int(context.memory_limit_in_mb),
        "time_left_ms": context.get_remaining_time_in_millis(),
        "log": f"{context.log_group_name} {context.log_stream_name}",
        "python": platform.python_version(),
        "runtime": os.environ.get("AWS_EXECUTION_ENV"),
    }

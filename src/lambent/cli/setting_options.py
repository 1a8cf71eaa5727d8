"""Settings as command line options, straight from `settings.options()`."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from lambent.settings import Option, Settings, load_settings, options

PANELS = {
    "server": "The HTTP edge",
    "data": "Where things are kept",
    "sandbox": "Execution environments",
    "api": "What the APIs answer",
    "access": "Who may do what",
    "telemetry": "Logs, metrics, traces",
    "usage": "Usage and its price",
    "neighbours": "Other AWS services",
}
METAVARS: dict[Any, str] = {int: "INTEGER", float: "NUMBER", str: "TEXT"}


def with_settings(*names: str) -> Callable[[Callable[..., object]], Callable[..., Any]]:
    """
    Give a command the named settings as options, all of them when none is named.

    The command takes them as `**given`, by name, None where an option was not given; `settings_from` makes
    the settings of that.
    """

    def decorate(command: Callable[..., object]) -> Callable[..., Any]:
        own = [
            parameter
            for parameter in inspect.signature(command).parameters.values()
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD
        ]
        added = [_parameter(option) for option in options() if not names or option.name in names]
        # Typer reads a command's parameters from its signature, whether or not they are spelled out in the source.
        command.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
        return command

    return decorate


def settings_from(given: dict[str, Any]) -> Settings:
    """
    Build the settings from the options that were given, the environment and the file.

    Raises:
        SettingsError: a value that does not fit.
    """
    return load_settings({name: value for name, value in given.items() if value is not None})


def _parameter(option: Option) -> inspect.Parameter:
    # All values arrive as text and None means not given: conversion, the environment, the file and the default
    # are the business of `settings.py` alone, so that a bad value reads the same wherever it came from.
    is_flag = option.type is bool
    is_list = option.type == tuple[str, ...]
    declared = typer.Option(
        f"{option.flag}/--no-{option.flag.removeprefix('--')}" if is_flag else option.flag,
        help=" ".join([option.help, _default_text(option)]).strip(),
        metavar="" if is_flag else "LIST" if is_list else METAVARS.get(option.type, "PATH"),
        show_default=False,
        rich_help_panel=PANELS[option.section],
    )
    return inspect.Parameter(
        option.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[list[str] | None if is_list else bool | None if is_flag else str | None, declared],
    )


def _default_text(option: Option) -> str:
    # In the help text, since Typer knows only the default None.
    if option.default in (None, ()) or option.type is bool:
        return ""
    text = f"{option.default:g}" if isinstance(option.default, float) else str(option.default)
    return rf"\[default: {text}]"

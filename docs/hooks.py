"""Hooks of mkdocs: the reference of the commands, pages from files outside of docs/, and links.

The text of the format, of SECURITY.md, CONTRIBUTING.md and CHANGELOG.md is in the repository once. Here it becomes a
page of the site. Links in all pages are written as they work in a checkout. What the commands take is asked of them.
"""

from __future__ import annotations

import inspect
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import click
from mkdocs.structure.files import File

from pemncodec.cli.main import cli

ROOT = Path(__file__).resolve().parents[1]
# Files of the repository that are pages of the site.
PAGES = {
    "spec/pemn-v1.md": "format.md",
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
COMMANDS = "<!-- commands -->"
_SOURCES = {page: source for source, page in PAGES.items()}
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")
_FENCED = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)
_log = logging.getLogger("mkdocs.hooks.pemncodec")


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages that are files elsewhere."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Put in the commands, and point links that lead out of docs/ to a page of the site.

    Of a link to a file that is no page only the text is left.
    """
    if COMMANDS in markdown:
        markdown = markdown.replace(COMMANDS, "\n".join(described(cli, "pemn", 2)))
    parts = _FENCED.split(markdown)
    parts[::2] = [_LINK.sub(lambda found: link_in_site(page.file.src_uri, found), part) for part in parts[::2]]
    return "".join(parts)


def link_in_site(page: str, found: re.Match[str]) -> str:
    """A link of a page, as it is in the site."""
    target, _, anchor = found["target"].partition("#")
    if "://" in target or target.startswith("mailto:") or not target:
        return found[0]
    source = _SOURCES.get(page, f"docs/{page}")
    path = os.path.normpath(PurePosixPath(source).parent / target).replace(os.sep, "/")
    if path in PAGES:
        there = PAGES[path]
    elif path.startswith("docs/"):
        there = path.removeprefix("docs/")
    elif (ROOT / path).exists():
        return found["text"]
    else:
        _log.warning("%s refers to %s, which is not in the repository", source, found["target"])
        return found[0]
    away = os.path.relpath(there, PurePosixPath(page).parent).replace(os.sep, "/")
    return f"[{found['text']}]({away}{'#' if anchor else ''}{anchor})"


def described(command: click.Command, name: str, level: int) -> Iterator[str]:
    """Yield lines of Markdown about a command, and about those in it."""
    context = click.Context(command, info_name=name, **command.context_settings)
    yield f"{'#' * level} {name}\n"
    help_text = inspect.cleandoc(command.help or "")
    for paragraph in help_text.split("\n\n"):
        verbatim = paragraph.startswith("\b\n")
        yield f"```text\n{paragraph[2:]}\n```\n" if verbatim else f"{paragraph}\n"
    yield f"```text\n{' '.join([name, *command.collect_usage_pieces(context)])}\n```\n"
    yield "| option | |\n| --- | --- |"
    for parameter in command.get_params(context):
        option, text = parameter.get_help_record(context) or ("", "")
        if text:  # arguments have none
            option, choices = re.match(r"(.*?)(?: \[(\w[\w|-]+)\])?$", option).groups()  # type: ignore[union-attr]
            rest = f" One of {', '.join(f'`{choice}`' for choice in choices.split('|'))}." if choices else ""
            yield f"| `{option}` | {escaped(text)}{rest} |"
    yield ""
    if isinstance(command, click.Group):
        for other in command.list_commands(context):
            inner = command.get_command(context, other)
            assert inner is not None
            yield from described(inner, f"{name} {other}", level + 1)


def escaped(text: str) -> str:
    """Text of a help page as Markdown that shows it, with options and quoted words as code."""
    text = re.sub(r"(?<![\w`])(--[\w-]+|'[^' ]+'|\{.*?\})", r"`\1`", text)
    return re.sub(r"(?<!`)([*_])", r"\\\1", text) if "`" not in text else text

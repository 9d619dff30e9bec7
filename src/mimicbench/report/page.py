"""The report as one HTML page that needs nothing else: no network, no script, no file beside it."""

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from string import Template

import pandas as pd

from mimicbench.report.style import DARK, LIGHT


@dataclass(frozen=True)
class Picture:
    """A figure in both themes.

    Attributes:
        title: Its heading.
        caption: Plain text.
        alternative: Plain text for those who do not see it.
        light: SVG.
        dark: SVG.
    """

    title: str
    caption: str
    alternative: str
    light: bytes
    dark: bytes


def page(title: str, *sections: str) -> str:
    """The whole page.

    Args:
        title: Plain text.
        sections: HTML, as the other functions here give it.
    """
    colours = {
        f"{theme.name}_{name}": value
        for theme in (LIGHT, DARK)
        for name, value in (("ground", theme.background), ("ink", theme.ink), ("faint", theme.faint))
    }
    frame = Template((files("mimicbench.report") / "page.html").read_text(encoding="utf-8"))
    return frame.substitute(colours, title=escape(title), body="\n".join(section for section in sections if section))


def table(title: str, rows: pd.DataFrame, note: str = "") -> str:
    """A table with its heading; commands in a column of that name are set as code."""
    head = "".join(f'<th scope="col">{escape(str(column))}</th>' for column in rows.columns)
    body = "\n".join(
        "<tr>" + "".join(_cell(column, value) for column, value in zip(rows.columns, row, strict=True)) + "</tr>"
        for row in rows.itertuples(index=False)
    )
    whole = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
    return f'<h2>{escape(title)}</h2>\n<div class="scroll" tabindex="0">{whole}</div>{paragraph(note)}'


def picture(one: Picture) -> str:
    """A figure that follows the reader's theme."""
    dark, light = (f"data:image/svg+xml;base64,{b64encode(svg).decode()}" for svg in (one.dark, one.light))
    return (
        f"<h2>{escape(one.title)}</h2>\n<figure><picture>"
        f'<source media="screen and (prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{escape(one.alternative, quote=True)}"></picture>'
        f"<figcaption>{escape(one.caption)}</figcaption></figure>"
    )


def paragraph(text: str) -> str:
    """Plain text as a note."""
    return f'<p class="note">{escape(text)}</p>' if text else ""


def warnings(title: str, sentences: list[str]) -> str:
    """A list that must be seen."""
    items = "\n".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<section class="missing"><h2>{escape(title)}</h2><ul>\n{items}\n</ul></section>' if sentences else ""


def _cell(column: str, value: str) -> str:
    return f"<td><code>{escape(value)}</code></td>" if column == "Command" else f"<td>{escape(value)}</td>"

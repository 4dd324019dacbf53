"""The page itself: title, lead, sections, provenance; rendered to one HTML string with a strict content policy."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from jinja2 import Template

__all__ = ["Page", "Section"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Section:
    """One message of a page.

    Parameters
    ----------
    id : str
        Anchor, unique within the page: letters, digits and hyphens.
    title : str
        What to conclude, or the question answered.
    html : Markup or str
        Content; a plain `str` is escaped, parts of this package give `Markup`.
    short : str
        Name in the list of contents; the title where empty.
    listed : bool
        Whether it stands in the list of contents.
    """

    id: str
    title: str
    html: Markup | str
    short: str = ""
    listed: bool = True


@dataclass(frozen=True)
class Page:
    """A self-contained page: no request, no script but one of ours, light and dark, screen and print.

    Parameters
    ----------
    title : str
        What was asked.
    lead : Markup or str
        First screen under the title: of whom, the number that matters with its interval.
    sections : sequence of Section
        Shown in order and listed under the lead.
    caution : Markup or str
        What the reader must not conclude; set apart on the first screen.
    kicker : str
        A few words over the title.
    provenance : mapping of str to str
        Facts about how the page was made, written in the footer.
    script : str
        Name of the one script that the page carries, a file of this package; no script by default. The page's policy
        admits it by its SHA-256 and nothing else.
    """

    title: str
    lead: Markup | str
    sections: Sequence[Section]
    caution: Markup | str = ""
    kicker: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)
    script: str = ""

    def render(self) -> str:
        """Give the whole page as HTML; every plain string in it is escaped."""
        script = _resource(self.script) if self.script else ""
        return _template().render(
            page=self,
            policy=_policy(script),
            style=Markup(_resource("page.css")),  # noqa: S704
            script=Markup(script),  # noqa: S704
            contents=[section for section in self.sections if section.listed],
        )

    def write(self, path: Path) -> None:
        """Write the page to `path`, whole or not at all.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        from prodromal.files import write_text

        write_text(path, self.render())


def _policy(script: str) -> str:
    """What the page may do: nothing from outside, and of scripts only this one."""
    if not script:
        return POLICY
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"{POLICY}; script-src 'sha256-{digest}'"


def _resource(name: str) -> str:
    return files("prodromal.page").joinpath(name).read_text(encoding="utf-8")


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_resource("page.html.j2"))

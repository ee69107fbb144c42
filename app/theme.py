"""The app's own colours: quiet greys and one accent; dark, light, and with high contrast.

It knows colours only; words and signs, never a colour alone, carry the meaning.
"""

from __future__ import annotations

from textual.theme import Theme


def _theme(
    name: str,
    *,
    dark: bool,
    back: str,
    lift: str,
    line: str,
    text: str,
    accent: str,
    quiet: str,
    warning: str,
    error: str,
) -> Theme:
    """back: behind everything; lift: dialogs; line: borders and scroll bars; quiet: hints."""
    return Theme(
        name=name,
        primary=accent,
        secondary=accent,
        accent=accent,
        foreground=text,
        background=back,
        surface=back,
        panel=lift,
        success=accent,
        warning=warning,
        error=error,
        dark=dark,
        variables={
            "footer-background": back,
            "footer-key-foreground": accent,
            "footer-description-foreground": quiet,
            "input-selection-background": f"{accent} 30%",
            "border": accent,
            "border-blurred": line,
            "scrollbar": line,
            "scrollbar-hover": quiet,
            "scrollbar-active": accent,
            "scrollbar-background": back,
            "scrollbar-background-hover": back,
            "scrollbar-background-active": back,
            "scrollbar-corner-color": back,
        },
    )


EDGE = _theme(
    "edge",
    dark=True,
    back="#14171a",
    lift="#1d2226",
    line="#30373d",
    text="#d5dadf",
    accent="#5fb3a1",
    quiet="#8b959e",
    warning="#d3a866",
    error="#dd7f70",
)
EDGE_LIGHT = _theme(
    "edge-light",
    dark=False,
    back="#fbfbf9",
    lift="#efefec",
    line="#cfd2cf",
    text="#23282c",
    accent="#16705f",
    quiet="#5d666d",
    warning="#8a5a00",
    error="#b3382a",
)
EDGE_CONTRAST = _theme(
    "edge-contrast",
    dark=True,
    back="#000000",
    lift="#000000",
    line="#ffffff",
    text="#ffffff",
    accent="#ffd75f",
    quiet="#ffffff",
    warning="#ffd75f",
    error="#ff8787",
)
THEMES = (EDGE, EDGE_LIGHT, EDGE_CONTRAST)

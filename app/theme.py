"""The app's own colours: quiet greys and one accent.

It knows colours only; words and signs, never a colour alone, carry the meaning.
"""

from __future__ import annotations

from textual.theme import Theme

EDGE = Theme(
    name="edge",
    primary="#5fb3a1",
    secondary="#5fb3a1",
    accent="#5fb3a1",
    foreground="#d5dadf",
    background="#14171a",
    surface="#14171a",
    panel="#1d2226",
    success="#5fb3a1",
    warning="#d3a866",
    error="#dd7f70",
    dark=True,
    variables={
        "footer-background": "#14171a",
        "footer-key-foreground": "#5fb3a1",
        "footer-description-foreground": "#8b959e",
        "input-selection-background": "#5fb3a1 30%",
        "border": "#5fb3a1",
        "border-blurred": "#30373d",
        "scrollbar": "#30373d",
        "scrollbar-hover": "#454e56",
        "scrollbar-active": "#5fb3a1",
        "scrollbar-background": "#14171a",
        "scrollbar-background-hover": "#14171a",
        "scrollbar-background-active": "#14171a",
        "scrollbar-corner-color": "#14171a",
    },
)

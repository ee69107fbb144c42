"""The keys that do something now, in the last line.

It knows when they have to be drawn anew; Textual's footer draws them.
"""

from __future__ import annotations

from rich.cells import cell_len
from textual.widgets import Footer
from textual.widgets._footer import FooterKey

LASTING = ("quit", "app.quit", "command_palette", "app.command_palette")
"""Keys that are shown on the narrowest screen, too: the palette has all the others."""


class KeyLine(Footer):
    """A footer that is made anew only where other keys are to be shown, and keeps no old ones.

    Textual 8.2 makes it anew at every change of focus or text, and keeps all that it ever made
    (Textualize/textual#6666): 200 KB for each letter that is typed and taken back.
    """

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._shown: list[tuple[str, str, bool]] = []

    async def recompose(self) -> None:
        """Show the keys, if they are other ones than before."""
        if not self.is_attached:
            return
        active = self.screen.active_bindings.values()
        keys = [(key.key, key.description, enabled) for _, key, enabled, _ in active if key.show]
        if keys != self._shown:
            self._shown = keys
            await super().recompose()
            # What watches a value is forgotten, once it is gone, only when the value is set.
            self.mutate_reactive(Footer.compact)
        self._fit()

    def on_resize(self) -> None:
        """Show as many keys as there is room for."""
        self._fit()

    def _fit(self) -> None:
        """Hide the keys that would be cut off or written over."""
        keys = list(self.query(FooterKey))
        lasting = [key for key in keys if key.action in LASTING]
        room = self.content_size.width - sum(map(_width, lasting))
        for key in keys:
            if key not in lasting:
                room -= _width(key)
                key.display = room >= 0


def _width(key: FooterKey) -> int:
    """Cells of a key, what it does, and the space behind it."""
    return cell_len(f"{key.key_display} {key.description} ")

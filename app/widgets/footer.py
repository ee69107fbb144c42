"""The keys that do something now, in the last line.

It knows when they have to be drawn anew; Textual's footer draws them.
"""

from __future__ import annotations

from textual.widgets import Footer


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

"""Whoever asks a memory for words, in a simulation."""

from __future__ import annotations

import random
from typing import Any

from tests.firmware_images.gateware.streams import receive, send


class MemoryUser:
    """Requests of both kinds through one port; the reads pause with the given probability."""

    def __init__(self, port: Any, seed: int = 1) -> None:
        self.port = port
        self.rng = random.Random(seed)

    async def _request(self, ctx: Any, address: int, count: int, write: bool) -> None:
        request = {"address": address, "count": count, "write": write}
        await send(ctx, self.port.request, [request], self.rng)

    async def read(self, ctx: Any, address: int, count: int, pause: float = 0.0) -> list[int]:
        await self._request(ctx, address, count, write=False)
        return await receive(ctx, self.port.read, count, self.rng, pause)

    async def write(self, ctx: Any, address: int, words: list[int], pause: float = 0.0) -> None:
        await self._request(ctx, address, len(words), write=True)
        await send(ctx, self.port.write, words, self.rng, pause)

    async def mix(self, ctx: Any, model: list[int], bits: int, steps: int, most: int) -> None:
        """Random bursts of up to `most` words; what is read must be what `model` holds."""
        for _ in range(steps):
            count = self.rng.choice([1, self.rng.randint(1, most)])
            address = self.rng.randint(0, len(model) - count)
            pause = self.rng.choice([0.0, 0.0, 0.3, 0.8])
            if self.rng.random() < 0.5:
                words = [self.rng.getrandbits(bits) for _ in range(count)]
                await self.write(ctx, address, words, pause)
                model[address : address + count] = words
            else:
                assert (
                    await self.read(ctx, address, count, pause)
                    == (model[address : address + count])
                )

    async def check_that_requests_wait(self, ctx: Any) -> None:
        """A second request stands there until the last of three words has moved."""
        await self._request(ctx, 0, 3, write=False)
        ctx.set(self.port.request.valid, 1)
        for _ in range(3):
            for _ in range(20):
                await ctx.tick()
                assert not ctx.get(self.port.request.ready)
            await receive(ctx, self.port.read, 1, self.rng)
        await ctx.tick().until(self.port.request.ready)

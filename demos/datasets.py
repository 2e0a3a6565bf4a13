"""Points in the plane that several demos train on: lists of samples ([x₁, x₂], y), y = ±1, in random order.

Plain Python, so that they are the same in a browser. ``noise`` is the standard deviation around the ideal shape.
"""

import math
import random
from collections.abc import Callable

Sample = tuple[list[float], int]


def moons(count: int, noise: float = 0.1, seed: int = 0) -> list[Sample]:
    """Two half circles of radius 1 that reach into each other; the first is centred at (0, 0), the second at (1, ½)."""

    def point(angle: float, y: int) -> tuple[float, float]:
        return (math.cos(angle), math.sin(angle)) if y < 0 else (1 - math.cos(angle), 0.5 - math.sin(angle))

    return _drawn(count, noise, seed, lambda rng, y: point(rng.uniform(0, math.pi), y))


def circles(count: int, noise: float = 0.1, seed: int = 0) -> list[Sample]:
    """A circle of radius 1, and one of radius ½ inside it."""

    def point(angle: float, y: int) -> tuple[float, float]:
        radius = 1.0 if y < 0 else 0.5
        return radius * math.cos(angle), radius * math.sin(angle)

    return _drawn(count, noise, seed, lambda rng, y: point(rng.uniform(0, 2 * math.pi), y))


def clouds(count: int, noise: float = 0.4, seed: int = 0) -> list[Sample]:
    """Two round clouds, around (−1, 0) and (1, ½)."""
    return _drawn(count, noise, seed, lambda _, y: (-1.0, 0.0) if y < 0 else (1.0, 0.5))


def quadrants(count: int, noise: float = 0.1, seed: int = 0) -> list[Sample]:
    """Exclusive or: y = +1 where x₁ and x₂ have different signs."""

    def point(rng: random.Random, y: int) -> tuple[float, float]:
        x1, x2 = rng.uniform(0.1, 1), rng.uniform(0.1, 1)
        sign = rng.choice((-1, 1))
        return sign * x1, -y * sign * x2

    return _drawn(count, noise, seed, point)


def _drawn(
    count: int, noise: float, seed: int, point: Callable[[random.Random, int], tuple[float, float]]
) -> list[Sample]:
    """``count`` points, half of each class, moved by ``noise`` and shuffled."""
    rng = random.Random(seed)
    samples: list[Sample] = []
    for k in range(count):
        y = 1 if k % 2 else -1
        x1, x2 = point(rng, y)
        samples.append(([x1 + rng.gauss(0, noise), x2 + rng.gauss(0, noise)], y))
    rng.shuffle(samples)
    return samples

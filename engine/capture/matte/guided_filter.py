# SPDX-License-Identifier: GPL-3.0-or-later
"""The guided filter: a rough map made to follow the edges of a picture.

He, Sun and Tang, "Guided image filtering" (TPAMI 2013), with a colour guide: in every window the map is taken as a
linear function of the colour. The function is found on a small picture and read off at the full one ("Fast guided
filter", 2015).
"""

from __future__ import annotations

import cv2
import numpy as np


class GuidedFilter:
    """Windows of one picture, for any number of maps.

    guide: float32 [h,w,3]. radius: of the window, in pixels. smooth: the variance of colour (of values in 0..1) below
    which the map is averaged instead of following the picture.
    """

    def __init__(self, guide: np.ndarray, radius: int, smooth: float) -> None:
        self._guide = guide
        self._size = (2 * radius + 1, 2 * radius + 1)
        self._mean = self._average(guide)
        r, g, b = cv2.split(guide)
        mr, mg, mb = cv2.split(self._mean)
        same = cv2.split(self._average(cv2.merge([r * r, g * g, b * b])))
        other = cv2.split(self._average(cv2.merge([r * g, g * b, b * r])))
        rr, gg, bb = same[0] - mr * mr + smooth, same[1] - mg * mg + smooth, same[2] - mb * mb + smooth
        rg, gb, br = other[0] - mr * mg, other[1] - mg * mb, other[2] - mb * mr
        # the symmetric inverse by cofactors
        inverse: list[np.ndarray] = [
            gg * bb - gb * gb,
            gb * br - rg * bb,
            rg * gb - gg * br,
            rr * bb - br * br,
            rg * br - rr * gb,
            rr * gg - rg * rg,
        ]
        share = 1 / np.maximum(rr * inverse[0] + rg * inverse[1] + br * inverse[2], 1e-12)
        self._inverse = [c * share for c in inverse]

    def linear(self, value: np.ndarray) -> np.ndarray:
        """float32 [h,w,4]: factors of red, green and blue, and what is added, that make `value` [h,w] of the guide."""
        mean = self._average(value)
        with_colour = self._average(self._guide * value[..., None])
        red, green, blue = cv2.split(with_colour - self._mean * mean[..., None])
        c00, c01, c02, c11, c12, c22 = self._inverse
        factors = cv2.merge(
            [
                c00 * red + c01 * green + c02 * blue,
                c01 * red + c11 * green + c12 * blue,
                c02 * red + c12 * green + c22 * blue,
            ]
        )
        rest = mean - (factors * self._mean).sum(-1)
        return self._average(cv2.merge([*cv2.split(factors), rest]))

    def _average(self, value: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(value, -1, self._size, borderType=cv2.BORDER_REFLECT)


def read_off(linear: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """float32 [H,W]: the map at a picture `guide` float32 [H,W,3] of any size, from :meth:`GuidedFilter.linear`."""
    height, width = guide.shape[:2]
    if linear.shape[:2] != (height, width):
        linear = cv2.resize(linear, (width, height), interpolation=cv2.INTER_LINEAR)
    red, green, blue, rest = cv2.split(linear)
    r, g, b = cv2.split(guide)
    out: np.ndarray = red * r + green * g + blue * b + rest
    return out

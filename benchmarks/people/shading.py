# SPDX-License-Identifier: GPL-3.0-or-later
"""Light and colour: alpha cards front to back, then what is opaque, once for every material that a pixel shows."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .raster import FACE, MOUTH, SAMPLES, SKIN, mip_level, row_span

COVERED = 0.995
"""What lies behind this much opacity is not looked at."""


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _texel(texels, table, linear, texture, level, u, v, least):
    """Bilinear colour (linear light) and opacity, all 0 for less than `least`; textures repeat, v counts upwards."""
    start, w, h = table[texture, level, 0], table[texture, level, 1], table[texture, level, 2]
    fx = (u - math.floor(u)) * w - 0.5
    fy = (1.0 - (v - math.floor(v))) * h - 0.5
    ix, iy = math.floor(fx), math.floor(fy)
    fx -= ix
    fy -= iy
    x0, y0 = ix % w, iy % h
    x1, y1 = (ix + 1) % w, (iy + 1) % h
    i00, i01, i10, i11 = start + y0 * w + x0, start + y0 * w + x1, start + y1 * w + x0, start + y1 * w + x1
    w00, w01, w10, w11 = (1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy
    alpha = (1.0 / 255) * (w00 * texels[i00, 3] + w01 * texels[i01, 3] + w10 * texels[i10, 3] + w11 * texels[i11, 3])
    if alpha < least:
        return 0.0, 0.0, 0.0, 0.0
    red = w00 * linear[texels[i00, 0]] + w01 * linear[texels[i01, 0]]
    red += w10 * linear[texels[i10, 0]] + w11 * linear[texels[i11, 0]]
    green = w00 * linear[texels[i00, 1]] + w01 * linear[texels[i01, 1]]
    green += w10 * linear[texels[i10, 1]] + w11 * linear[texels[i11, 1]]
    blue = w00 * linear[texels[i00, 2]] + w01 * linear[texels[i01, 2]]
    blue += w10 * linear[texels[i10, 2]] + w11 * linear[texels[i11, 2]]
    return red, green, blue, alpha


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _nearest_texel(texels, table, linear, texture, level, u, v, least):
    """The same without interpolation: enough where texels are smaller than samples."""
    start, w, h = table[texture, level, 0], table[texture, level, 1], table[texture, level, 2]
    x = min(int((u - math.floor(u)) * w), w - 1)
    y = min(int((1.0 - (v - math.floor(v))) * h), h - 1)
    i = start + y * w + x
    alpha = texels[i, 3] * (1.0 / 255)
    if alpha < least:
        return 0.0, 0.0, 0.0, 0.0
    return linear[texels[i, 0]], linear[texels[i, 1]], linear[texels[i, 2]], alpha


@njit(cache=True, nogil=True, fastmath=True, inline="always")
def _light(nx, ny, nz, vx, vy, vz, lights, sky, ground, up, open_, key, red_wrap, squarings):
    """Diffuse light (red, green, blue) and glossy light (one number per colour) on a point seen along -v.

    lights [L,6]: unit direction towards the lamp, colour. `open_` (0..1) is how much of the surroundings is not hidden,
    `key` how much of the first lamp.
    """
    half = 0.5 + 0.5 * (nx * up[0] + ny * up[1] + nz * up[2])
    red = (sky[0] * half + ground[0] * (1 - half)) * open_
    green = (sky[1] * half + ground[1] * (1 - half)) * open_
    blue = (sky[2] * half + ground[2] * (1 - half)) * open_
    shine_r = shine_g = shine_b = 0.0
    for i in range(lights.shape[0]):
        hidden = key if i == 0 else open_ * (0.5 + 0.5 * open_)
        lx, ly, lz = lights[i, 0], lights[i, 1], lights[i, 2]
        facing = nx * lx + ny * ly + nz * lz
        # light that went through skin comes out redder and beyond the terminator
        red += lights[i, 3] * hidden * max((facing + red_wrap) / (1 + red_wrap), 0.0)
        cool = 0.4 * red_wrap
        dim = hidden * max((facing + cool) / (1 + cool), 0.0)
        green += lights[i, 4] * dim
        blue += lights[i, 5] * dim
        if facing > 0 and squarings > 0:
            hx, hy, hz = lx + vx, ly + vy, lz + vz
            glint = (nx * hx + ny * hy + nz * hz) / math.sqrt(hx * hx + hy * hy + hz * hz + 1e-12)
            glint = max(glint, 0.0)
            for _ in range(squarings):
                glint *= glint
            glint *= hidden
            shine_r += lights[i, 3] * glint
            shine_g += lights[i, 4] * glint
            shine_b += lights[i, 5] * glint
    return red, green, blue, shine_r, shine_g, shine_b


@njit(cache=True, nogil=True, fastmath=True)
def light_cards(
    points, normals, openness, key_light, triangles, first, material, looks, squarings, lights, sky, ground, up
):  # fmt: skip
    """Light on the vertices of the triangles from `first` on: float32 [V,6], tinted diffuse and glossy light."""
    light = np.zeros((points.shape[0], 6), np.float32)
    done = np.zeros(points.shape[0], np.bool_)
    for t in range(first, triangles.shape[0]):
        m = material[t]
        for corner in range(3):
            v = triangles[t, corner]
            if done[v]:
                continue
            done[v] = True
            far = 1.0 / math.sqrt(points[v, 0] ** 2 + points[v, 1] ** 2 + points[v, 2] ** 2)
            vx, vy, vz = -points[v, 0] * far, -points[v, 1] * far, -points[v, 2] * far
            nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
            if nx * vx + ny * vy + nz * vz < 0:  # cards have two sides
                nx, ny, nz = -nx, -ny, -nz
            red, green, blue, shine_r, shine_g, shine_b = _light(
                nx, ny, nz, vx, vy, vz, lights, sky, ground, up, openness[v], key_light[v], looks[m, 4], squarings[m]
            )
            light[v, 0], light[v, 1], light[v, 2] = red * looks[m, 0], green * looks[m, 1], blue * looks[m, 2]
            light[v, 3], light[v, 4], light[v, 5] = shine_r * looks[m, 3], shine_g * looks[m, 3], shine_b * looks[m, 3]
    return light


@njit(cache=True, nogil=True, fastmath=True)
def draw_cards(
    screen, light, order, triangles, uvs, material, two_sided, textures, table, texels, linear, looks, classes, nearest,
    layer, face_layer,
):  # fmt: skip
    """Alpha cards, `order` from the nearest to the farthest, into `layer` [h,w,4] (premultiplied, linear light).

    Cards are small, so all but depth is taken as linear on the screen. face_layer [h,w]: the part of the opacity that
    belongs to the face (brows, lashes). Returns the box that was drawn in: first and last + 1 row, first and last + 1
    column.
    """
    height, width = nearest.shape
    top, bottom, left, right = height, 0, width, 0
    for index in range(order.shape[0]):
        t = order[index]
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        za, zb, zc = screen[a, 2], screen[b, 2], screen[c, 2]
        if za <= 0 or zb <= 0 or zc <= 0:
            continue
        ax, ay, bx, by, cx, cy = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1], screen[c, 0], screen[c, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-7 or (area > 0 and not two_sided[material[t]]):
            continue
        x0 = max(math.ceil(min(ax, bx, cx) - 0.5), 0)
        x1 = min(math.floor(max(ax, bx, cx) - 0.5), width - 1)
        y0 = max(math.ceil(min(ay, by, cy) - 0.5), 0)
        y1 = min(math.floor(max(ay, by, cy) - 0.5), height - 1)
        if x0 > x1 or y0 > y1:
            continue
        top, bottom, left, right = min(top, y0), max(bottom, y1 + 1), min(left, x0), max(right, x1 + 1)
        m = material[t]
        texture, opacity, of_face = textures[m], looks[m, 5], classes[m] == FACE
        level = mip_level(area, uvs, t, table, texture, 1.0)
        scale = 1.0 / area
        wbx, wby = (cy - ay) * scale, -(cx - ax) * scale
        wcx, wcy = -(by - ay) * scale, (bx - ax) * scale
        ua, va = uvs[t, 0, 0], uvs[t, 0, 1]
        ub, vb, uc, vc = uvs[t, 1, 0] - ua, uvs[t, 1, 1] - va, uvs[t, 2, 0] - ua, uvs[t, 2, 1] - va
        for y in range(y0, y1 + 1):
            py = y + 0.5 - ay
            first, last = row_span(wbx, wby, wcx, wcy, py, ax, x0, x1)
            for x in range(first, last + 1):
                through = 1.0 - layer[y, x, 3]
                if through < 1 - COVERED:
                    continue
                px = x + 0.5 - ax
                wb = wbx * px + wby * py
                wc = wcx * px + wcy * py
                if za + wb * (zb - za) + wc * (zc - za) <= nearest[y, x]:
                    continue
                u, v = ua + wb * ub + wc * uc, va + wb * vb + wc * vc
                if level == 0:
                    red, green, blue, alpha = _texel(texels, table, linear, texture, 0, u, v, 0.004)
                else:
                    red, green, blue, alpha = _nearest_texel(texels, table, linear, texture, level, u, v, 0.004)
                if alpha <= 0:
                    continue
                wa = 1 - wb - wc
                part = through * min(alpha * opacity, 1.0)
                lit = wa * light[a, 0] + wb * light[b, 0] + wc * light[c, 0]
                shine = wa * light[a, 3] + wb * light[b, 3] + wc * light[c, 3]
                layer[y, x, 0] += part * (red * lit + shine)
                lit = wa * light[a, 1] + wb * light[b, 1] + wc * light[c, 1]
                shine = wa * light[a, 4] + wb * light[b, 4] + wc * light[c, 4]
                layer[y, x, 1] += part * (green * lit + shine)
                lit = wa * light[a, 2] + wb * light[b, 2] + wc * light[c, 2]
                shine = wa * light[a, 5] + wb * light[b, 5] + wc * light[c, 5]
                layer[y, x, 2] += part * (blue * lit + shine)
                layer[y, x, 3] += part
                if of_face:
                    face_layer[y, x] += part
    return top, bottom, left, right


@njit(cache=True, nogil=True, fastmath=True)
def shade(
    screen, points, normals, openness, key_light, face_weight, triangles, uvs, material, textures, table, texels,
    linear, looks, squarings, classes, lights, sky, ground, up, ids, levels, layer, face_layer, box, colour, cover,
):  # fmt: skip
    """Average the samples of every pixel into `colour` [H,W,3] (premultiplied, linear light) and `cover` [H,W,4].

    box: first and last + 1 row, first and last + 1 column of the pixels that may show something.
    """
    share = 1.0 / (SAMPLES * SAMPLES)
    for y in range(box[0], box[1]):
        for x in range(box[2], box[3]):
            done = 0
            for s in range(SAMPLES * SAMPLES):
                sy, sx = y * SAMPLES + s // SAMPLES, x * SAMPLES + s % SAMPLES
                opacity = layer[sy, sx, 3]
                if opacity > 0:
                    colour[y, x, 0] += share * layer[sy, sx, 0]
                    colour[y, x, 1] += share * layer[sy, sx, 1]
                    colour[y, x, 2] += share * layer[sy, sx, 2]
                    cover[y, x, 1] += share * (opacity - face_layer[sy, sx])
                    cover[y, x, 0] += share * face_layer[sy, sx]
                t = ids[sy, sx]
                if t < 0 or done >> s & 1:
                    continue
                m = material[t]
                weight = 0.0
                same = s == 0
                for r in range(s, SAMPLES * SAMPLES):
                    ry, rx = y * SAMPLES + r // SAMPLES, x * SAMPLES + r % SAMPLES
                    other = ids[ry, rx]
                    if other == t or (other >= 0 and material[other] == m):
                        done |= 1 << r
                        weight += share * (1.0 - layer[ry, rx, 3])
                    same = same and other == t
                if weight < 1e-3:
                    continue
                a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                px = (x + 0.5) * SAMPLES if same else sx + 0.5
                py = (y + 0.5) * SAMPLES if same else sy + 0.5
                ax, ay, za, zb, zc = screen[a, 0], screen[a, 1], screen[a, 2], screen[b, 2], screen[c, 2]
                bx, by, cx, cy = screen[b, 0] - ax, screen[b, 1] - ay, screen[c, 0] - ax, screen[c, 1] - ay
                scale = 1.0 / (bx * cy - cx * by)
                wb = ((px - ax) * cy - (py - ay) * cx) * scale
                wc = ((py - ay) * bx - (px - ax) * by) * scale
                qa, qb, qc = (1 - wb - wc) * za, wb * zb, wc * zc
                z = 1.0 / (qa + qb + qc)
                qa, qb, qc = qa * z, qb * z, qc * z
                nx = qa * normals[a, 0] + qb * normals[b, 0] + qc * normals[c, 0]
                ny = qa * normals[a, 1] + qb * normals[b, 1] + qc * normals[c, 1]
                nz = qa * normals[a, 2] + qb * normals[b, 2] + qc * normals[c, 2]
                n = 1.0 / math.sqrt(nx * nx + ny * ny + nz * nz + 1e-12)
                u = qa * uvs[t, 0, 0] + qb * uvs[t, 1, 0] + qc * uvs[t, 2, 0]
                v = qa * uvs[t, 0, 1] + qb * uvs[t, 1, 1] + qc * uvs[t, 2, 1]
                red, green, blue, _ = _texel(texels, table, linear, textures[m], levels[t], u, v, -1.0)
                far = 1.0 / math.sqrt(points[a, 0] ** 2 + points[a, 1] ** 2 + points[a, 2] ** 2)
                open_ = qa * openness[a] + qb * openness[b] + qc * openness[c]
                key = qa * key_light[a] + qb * key_light[b] + qc * key_light[c]
                lr, lg, lb, sr, sg, sb = _light(
                    nx * n, ny * n, nz * n, -points[a, 0] * far, -points[a, 1] * far, -points[a, 2] * far,
                    lights, sky, ground, up, open_, key, looks[m, 4], squarings[m],
                )  # fmt: skip
                gloss = looks[m, 3]
                colour[y, x, 0] += weight * (red * looks[m, 0] * lr + gloss * sr)
                colour[y, x, 1] += weight * (green * looks[m, 1] * lg + gloss * sg)
                colour[y, x, 2] += weight * (blue * looks[m, 2] * lb + gloss * sb)
                if classes[m] == SKIN:
                    face = qa * face_weight[a] + qb * face_weight[b] + qc * face_weight[c] > 0.5
                    cover[y, x, 0 if face else 3] += weight
                elif classes[m] == MOUTH:
                    cover[y, x, 2] += weight
                else:
                    cover[y, x, 0 if classes[m] == FACE else 3] += weight


@njit(cache=True, nogil=True, fastmath=True)
def encode(colour, cover, behind, codes):
    """Lay premultiplied linear `colour` over `behind` and give out bytes by the table `codes`, and the opacity."""
    height, width = colour.shape[:2]
    rgb = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.float32)
    last = codes.shape[0] - 1
    for y in range(height):
        for x in range(width):
            a = min(cover[y, x, 0] + cover[y, x, 1] + cover[y, x, 2] + cover[y, x, 3], np.float32(1))
            alpha[y, x] = a
            for c in range(3):
                value = colour[y, x, c] + (1 - a) * behind[y, x, c]
                rgb[y, x, c] = codes[int(min(max(value, 0.0), 1.0) * last + 0.5)]
    return rgb, alpha

# SPDX-License-Identifier: GPL-3.0-or-later
"""The head as a native point cloud: its data, since no bpy on the index draws Gaussians itself yet."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

needs_resize = pytest.mark.skipif(
    "resize" not in bpy.types.PointCloud.bl_rna.functions, reason="scripts cannot make point clouds before Blender 5"
)


def shown(avatar, part):
    evaluated = avatar.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return part("hmtalker_blender.avatars_shown").of_object(evaluated, np.eye(4))


def read(cloud, name: str, field: str, width: int) -> np.ndarray:
    attribute = cloud.attributes[name]
    values = np.empty(len(attribute.data) * width, np.float32)
    attribute.data.foreach_get(field, values)
    return values.reshape(-1, width)


@needs_resize
def test_attributes_have_the_names_types_and_order_that_blender_reads(avatar, part):
    cloud = bpy.data.pointclouds.new("test")
    part("hmtalker_blender.point_cloud").show(cloud, shown(avatar, part))
    loaded = part("hmtalker_blender.avatar_object").load(shown(avatar, part).path).avatar
    count = loaded.face.count + loaded.mouth.count
    harmonics = max(loaded.face.sh.shape[1], loaded.mouth.sh.shape[1]) - 1
    kinds = {attribute.name: attribute.data_type for attribute in cloud.attributes if not attribute.is_internal}
    expected = {
        "position": "FLOAT_VECTOR",
        "rotation": "QUATERNION",
        "scale": "FLOAT_VECTOR",
        "radiance:base": "FLOAT4",
    }
    assert kinds == expected | {f"radiance:sh_{number}": "FLOAT_VECTOR" for number in range(harmonics)}
    assert len(cloud.points) == count
    assert (read(cloud, "scale", "vector", 3) > 0).all()  # linear, not logarithms
    opacities = read(cloud, "radiance:base", "vector", 4)[:, 3]
    assert opacities.min() >= 0
    assert opacities.max() <= 1
    assert opacities.std() > 0
    lengths = np.linalg.norm(read(cloud, "rotation", "value", 4), axis=1)
    assert (lengths > 0).all()


@needs_resize
def test_the_head_stands_where_its_card_does_and_turns_with_it(avatar, part):
    write, cloud = part("hmtalker_blender.point_cloud").show, bpy.data.pointclouds.new("test")
    write(cloud, shown(avatar, part))
    before = read(cloud, "position", "vector", 3)
    low, high = before.min(0), before.max(0)
    assert np.all(low < 0.3)
    assert np.all(high > -0.3)
    assert high[2] - low[2] > high[1] - low[1]  # taller than deep: z is up
    avatar.hmtalker.head_translation = (0.0, 0.0, 0.0)
    avatar.hmtalker.head_rotation = (0.0, 0.3, 0.0)
    avatar.update_tag()
    bpy.context.view_layer.update()
    write(cloud, shown(avatar, part))
    assert np.abs(read(cloud, "position", "vector", 3) - before).max() > 0.01


@needs_resize
def test_a_smaller_avatar_replaces_a_larger_one(avatar, part):
    module, cloud = part("hmtalker_blender.point_cloud"), bpy.data.pointclouds.new("test")
    cloud.resize(9)
    cloud.attributes.new("scale", "FLOAT", "POINT")
    module.show(cloud, shown(avatar, part))
    assert cloud.attributes["scale"].data_type == "FLOAT_VECTOR"
    assert len(cloud.points) > 9


def test_a_blender_that_does_not_draw_gaussians_says_so(avatar, part):
    operator = part("operators.add_point_cloud").HMT_OT_add_point_cloud
    if "type" in bpy.types.PointCloud.bl_rna.properties:
        assert operator.disabled_reason(bpy.context) == ""
    else:
        assert "5.3" in operator.disabled_reason(bpy.context)

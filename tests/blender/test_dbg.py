from conftest import bpy, speech_like
def test_x(avatar, add_sound, scene, part):
    add_sound(speech_like(0.4), "voice", start=11)
    bpy.ops.hmtalker.animate_from_strip()
    ms=part("hmtalker_blender.motion_state")
    def show(): print([round(float(s.action_units[8]),3) for _,s in ms.over_frames(scene, avatar, range(11,21))])
    show()
    for frame, value in ((15, 0.0), (16, 3.0), (17, 0.0)):
        avatar.hmtalker.AU12 = value
        print(avatar.hmtalker.keyframe_insert("AU12", frame=frame))
    show()
    ad=avatar.animation_data
    print(ad.action, ad.action_slot, ad.action_blend_type, ad.use_nla)
    print([ (s.frame_start,s.frame_end,s.blend_type,s.extrapolation) for t in ad.nla_tracks for s in t.strips])
    print(ad.action_influence, ad.action_extrapolation)
    scene.frame_set(16); print(avatar.hmtalker.AU12)
    assert 0

# SPDX-License-Identifier: GPL-3.0-or-later
"""The Flamenco job type, run by a JavaScript engine against a stand-in for what Flamenco Manager offers to scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

quickjs = pytest.importorskip("quickjs")

SCRIPT = Path(__file__).resolve().parents[2] / "assets" / "flamenco" / "talking_head.js"
MANAGER = """
"use strict";
const said = [];
function print() { said.push(Array.from(arguments).join(" ")); }
function formatTimestampLocal(moment) { return "2026-01-31_120000"; }
function frameChunker(frames, size) {
    const numbers = [];
    frames.split(",").forEach((part) => {
        const ends = part.trim().split("-").map(Number);
        for (let frame = ends[0]; frame <= ends[ends.length - 1]; frame++) numbers.push(frame);
    });
    const chunks = [];
    for (let at = 0; at < numbers.length; at += size) {
        const chunk = numbers.slice(at, at + size), last = chunk[chunk.length - 1];
        const whole = last - chunk[0] + 1 == chunk.length;
        chunks.push(chunk.length == 1 ? "" + chunk[0] : whole ? chunk[0] + "-" + last : chunk.join(","));
    }
    return chunks;
}
const path = {
    join: function () { return Array.from(arguments).join("/"); },
    dirname: (name) => name.slice(0, name.lastIndexOf("/")),
    stem: (name) => name.split("/").pop().replace(/[.][^.]*$/, ""),
};
const author = {
    Task: (name, type) => ({
        name, type, commands: [], needs: [],
        addCommand: function (command) { this.commands.push(command); },
        addDependency: function (task) { this.needs.push(task.name); },
    }),
    Command: (name, parameters) => ({ name, parameters }),
};
function submit(settings) {
    const tasks = [];
    compileJob({ created: 0, name: "job", settings, addTask: (task) => tasks.push(task) });
    return JSON.stringify({ tasks, said });
}
"""
SETTINGS = {
    "frames": "1-60",
    "chunk_size": 25,
    "bake": True,
    "join_sound": True,
    "render_output_path": "/farm/out/job/{timestamp}/######",
    "blendfile": "/farm/shots/talk.flamenco.blend",
    "fps": 25,
    "image_file_extension": ".png",
}


def submitted(**changes: object) -> tuple[dict[str, dict], list[str]]:
    """The job's tasks by name, and what the script said."""
    context = quickjs.Context()
    context.eval(MANAGER + SCRIPT.read_text("utf-8"))
    answer = json.loads(context.eval(f"submit({json.dumps(SETTINGS | changes)})"))
    return {task["name"]: task for task in answer["tasks"]}, answer["said"]


def test_frames_are_baked_then_rendered_then_joined_with_the_sound():
    tasks, _ = submitted()
    bakes, renders = ["bake-1-25", "bake-26-50", "bake-51-60"], ["render-1-25", "render-26-50", "render-51-60"]
    assert list(tasks) == [*bakes, *renders, "sound", "join"]
    assert all(tasks[name]["needs"] == [] for name in [*bakes, "sound"])
    assert all(tasks[name]["needs"] == bakes for name in renders)
    assert tasks["join"]["needs"] == [*renders, "sound"]


def test_every_frame_is_rendered_once_into_the_jobs_folder():
    tasks, _ = submitted(frames="3, 7-9", chunk_size=2)
    renders = [task["commands"][0] for name, task in tasks.items() if name.startswith("render-")]
    assert [command["name"] for command in renders] == ["blender-render"] * 2
    assert [command["parameters"]["args"][3] for command in renders] == ["3,7", "8..9"]
    assert {command["parameters"]["args"][1] for command in renders} == {"/farm/out/job/2026-01-31_120000/######"}
    assert {command["parameters"]["blendfile"] for command in renders} == {SETTINGS["blendfile"]}


def test_baking_is_the_extensions_own_command():
    tasks, _ = submitted()
    command = tasks["bake-26-50"]["commands"][0]
    assert command["name"] == "exec"
    assert command["parameters"]["args"] == [
        *("--background", SETTINGS["blendfile"], "--command", "hm_talker", "bake", "--frames", "26-50")
    ]


def test_the_video_has_the_sound_of_the_same_frames_and_says_that_it_is_synthetic():
    tasks, _ = submitted()
    sound = tasks["sound"]["commands"][0]["parameters"]["args"]
    assert sound[4:] == ["sound", "--frames", "1-60", "--output", "/farm/out/job/2026-01-31_120000/talk-1-60.flac"]
    video, mux = tasks["join"]["commands"]
    assert video["parameters"]["inputGlob"] == "/farm/out/job/2026-01-31_120000/*.png"
    assert video["parameters"]["fps"] == 25
    given = mux["parameters"]["args"]
    assert given[:4] == ["-i", video["parameters"]["outputFile"], "-i", sound[-1]]
    assert any("Synthetic media" in word for word in given)


def test_parts_can_be_left_out():
    tasks, _ = submitted(bake=False, join_sound=False, frames="5")
    assert list(tasks) == ["render-5"]
    assert tasks["render-5"]["needs"] == []


def test_layers_are_not_joined_and_it_says_so():
    tasks, said = submitted(image_file_extension=".dpx")
    assert "join" not in tasks
    assert any(".dpx" in line for line in said)


def test_blender_can_offer_every_setting():
    context = quickjs.Context()
    context.eval(SCRIPT.read_text("utf-8"))
    settings = json.loads(context.eval("JSON.stringify(JOB_TYPE.settings)"))
    keys = [entry["key"] for entry in settings]
    assert set(SETTINGS) <= set(keys)
    assert len(keys) == len(set(keys))
    for entry in settings:
        assert entry["type"] in ("string", "int32", "float", "bool")
        if "eval" in entry:  # Blender evaluates these as Python
            compile(entry["eval"], entry["key"], "eval")

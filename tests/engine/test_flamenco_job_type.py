# SPDX-License-Identifier: GPL-3.0-or-later
"""The Flamenco job type, run by a JavaScript engine against a stand-in for what Flamenco Manager offers to scripts.

The stand-in does what the job compiler of Flamenco 3 does (internal/manager/job_compilers: author.go, js_globals.go,
js_path.go; settings as in pkg/api/flamenco-openapi.yaml): tasks are copied when they are added, frames are merged into
runs of three or more, and frames below 0 are refused.
"""

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
    if (!(size >= 1)) throw "invalid chunk size";
    const numbers = new Set();
    frames.replaceAll("..", "-").split(",").forEach((part) => {
        const ends = part.split("-").map((word) => /^[0-9]+$/.test(word.trim()) ? Number(word) : NaN);
        if (ends.length > 2 || ends.some(isNaN)) throw "invalid range " + frames;
        for (let frame = ends[0]; frame <= ends[ends.length - 1]; frame++) numbers.add(frame);
    });
    const sorted = Array.from(numbers).sort((a, b) => a - b), chunks = [];
    for (let at = 0; at < sorted.length; at += size) chunks.push(merged(sorted.slice(at, at + size)));
    return chunks;
}
function merged(numbers) {
    const runs = [];
    numbers.forEach((frame) => {
        const run = runs[runs.length - 1];
        run && run[run.length - 1] + 1 == frame ? run.push(frame) : runs.push([frame]);
    });
    return runs.map((run) => run.length > 2 ? run[0] + "-" + run[run.length - 1] : run.join(",")).join(",");
}
const path = {
    join: function () { return Array.from(arguments).join("/"); },
    dirname: (name) => name.slice(0, name.lastIndexOf("/")),
    stem: (name) => name.split("/").pop().replace(/[.][^.]*$/, ""),
};
const author = {
    Task: (name, type) => {
        if (!name.trim() || !type.trim()) throw "author.Task(name, type): both are required";
        return {
            name: name.trim(), type: type.trim(), commands: [], needs: [],
            addCommand: function (command) { this.commands.push(command); },
            addDependency: function (task) { this.needs.push(task.name); },
        };
    },
    Command: (name, parameters) => ({ name, parameters }),
};
function submit(settings) {
    const tasks = [];
    // A task is copied as it is added: what is done to it later has no effect.
    const addTask = (task) => tasks.push(JSON.parse(JSON.stringify(task)));
    compileJob({ created: 0, name: "job", settings, addTask });
    return JSON.stringify({ tasks, said });
}
"""
COMMANDS = {
    "blender-render": {"exe", "exeArgs", "argsBefore", "blendfile", "args"},
    "exec": {"exe", "args"},
    "frames-to-video": {"exe", "fps", "inputGlob", "outputFile", "args"},
}
"""What the Worker knows, with the parameters that it needs."""
KEYS = {
    *("key", "type", "subtype", "choices", "propargs", "description", "label", "default", "eval", "evalInfo"),
    *("visible", "required", "editable"),
}
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
    tasks = {task["name"]: task for task in answer["tasks"]}
    assert len(tasks) == len(answer["tasks"])
    assert all(set(task["needs"]) <= set(tasks) for task in tasks.values())
    assert all(command["name"] in COMMANDS and COMMANDS[command["name"]] <= set(command["parameters"])
               for task in tasks.values() for command in task["commands"])  # fmt: skip
    return tasks, answer["said"]


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
    assert [command["parameters"]["args"][3] for command in renders] == ["3,7", "8,9"]
    assert {command["parameters"]["args"][1] for command in renders} == {"/farm/out/job/2026-01-31_120000/######"}
    assert {command["parameters"]["blendfile"] for command in renders} == {SETTINGS["blendfile"]}


def test_the_sound_and_the_video_span_all_frames_however_they_are_chunked():
    for frames, name in (("3, 7-8, 11", "3-11"), ("5..6", "5-6"), ("1-4,9", "1-9")):
        tasks, _ = submitted(frames=frames, chunk_size=3)
        assert tasks["sound"]["commands"][0]["parameters"]["args"][6] == name
        assert tasks["join"]["commands"][0]["parameters"]["outputFile"].endswith(f"talk-{name}-silent.mp4")


def test_frames_below_0_are_refused():
    with pytest.raises(quickjs.JSException, match="invalid range"):
        submitted(frames="-5-3")


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
        assert set(entry) <= KEYS
        assert entry["type"] in ("string", "int32", "float", "bool")
        assert entry.get("subtype", "file_path") in ("file_path", "dir_path", "hashed_file_path")
        assert entry.get("visible", "visible") in ("visible", "hidden", "submission", "web")
        if "eval" in entry:  # Blender evaluates these as Python
            compile(entry["eval"], entry["key"], "eval")

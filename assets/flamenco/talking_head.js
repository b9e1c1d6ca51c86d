// SPDX-License-Identifier: GPL-3.0-or-later
// Flamenco job type: bake talking avatars in parallel, render in parallel, join pictures and sound.
// Copy this file into the folder "scripts" of Flamenco Manager and press "Refresh from Manager" in Blender.

const JOB_TYPE = {
    label: "HM-Talker: Bake, Render, Join Sound",
    description: "Bakes what the avatars say on all workers, then renders the scene and joins it with its sound",
    settings: [
        { key: "frames", type: "string", required: true,
          eval: "f'{C.scene.frame_start}-{C.scene.frame_end}'",
          evalInfo: { showLinkButton: true, description: "The scene's frame range" },
          description: "Frames to render, such as '1-250' or '1, 5-20'" },
        { key: "chunk_size", type: "int32", default: 25, propargs: { min: 1 }, visible: "submission",
          description: "Frames of one task" },
        { key: "bake", type: "bool", default: true, visible: "submission",
          description: "Bake the avatars' frames first; off where the .blend shows baked frames already" },
        { key: "join_sound", type: "bool", default: true, visible: "submission",
          description: "Make a video with the scene's sound from the frames" },
        { key: "render_output_root", type: "string", subtype: "dir_path", required: true, visible: "submission",
          description: "Folder for the results, which all workers can reach" },
        { key: "render_output_path", type: "string", subtype: "file_path", editable: false,
          eval: "str(Path(abspath(settings.render_output_root), jobname, '{timestamp}', '######'))",
          description: "Where the frames go" },
        { key: "blendfile", type: "string", required: true, visible: "web",
          description: "The .blend file to render" },
        { key: "fps", type: "float", eval: "C.scene.render.fps / C.scene.render.fps_base", visible: "hidden" },
        { key: "image_file_extension", type: "string", required: true, visible: "hidden",
          eval: "C.scene.render.file_extension", description: "Ending of the rendered files" },
    ],
};

// What ffmpeg can join; a format with several layers stays as frames.
const JOINABLE = [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr"];

function compileJob(job) {
    const settings = job.settings;
    const output = settings.render_output_path.replace("{timestamp}", formatTimestampLocal(job.created));
    const chunks = frameChunker(settings.frames, settings.chunk_size);
    const bakes = settings.bake ? chunks.map((chunk) => bakeTask(settings, chunk)) : [];
    const renders = chunks.map((chunk) => renderTask(settings, chunk, output, bakes));
    const joins = settings.join_sound ? joinTasks(settings, chunks, output, renders) : [];
    bakes.concat(renders, joins).forEach((task) => job.addTask(task));
}

// The extension's own command: frames that are there and up to date are kept, so a task may be run twice.
function bakeTask(settings, chunk) {
    const task = author.Task("bake-" + chunk, "blender");
    task.addCommand(extensionCommand(settings, ["bake", "--frames", chunk]));
    return task;
}

function renderTask(settings, chunk, output, bakes) {
    const task = author.Task("render-" + chunk, "blender");
    task.addCommand(author.Command("blender-render", {
        exe: "{blender}",
        exeArgs: "{blenderArgs}",
        argsBefore: [],
        blendfile: settings.blendfile,
        args: ["--render-output", output, "--render-frame", chunk.replace(/-/g, "..")],
    }));
    // A scene may show any avatar at any time (a retimed strip), so every bake has to be there.
    bakes.forEach((bake) => task.addDependency(bake));
    return task;
}

function joinTasks(settings, chunks, output, renders) {
    if (JOINABLE.indexOf(settings.image_file_extension.toLowerCase()) < 0) {
        print("Frames of the kind " + settings.image_file_extension + " are not joined into a video.");
        return [];
    }
    const folder = path.dirname(output);
    const name = path.stem(settings.blendfile).replace(".flamenco", "");
    const numbers = chunks.join(",").split(/[-,]/);  // rising
    const range = numbers[0] + "-" + numbers[numbers.length - 1];
    const base = path.join(folder, name + "-" + range);

    const sound = author.Task("sound", "blender");
    sound.addCommand(extensionCommand(settings, ["sound", "--frames", range, "--output", base + ".flac"]));

    const join = author.Task("join", "ffmpeg");
    join.addCommand(author.Command("frames-to-video", {
        exe: "ffmpeg",
        fps: settings.fps,
        inputGlob: path.join(folder, "*" + settings.image_file_extension),
        outputFile: base + "-silent.mp4",
        args: ["-c:v", "h264", "-crf", "18", "-pix_fmt", "yuv420p", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-y"],
    }));
    join.addCommand(author.Command("exec", {
        exe: "ffmpeg",
        args: ["-i", base + "-silent.mp4", "-i", base + ".flac", "-c:v", "copy", "-c:a", "aac", "-b:a", "192k",
               "-metadata", "comment=Synthetic media: a talking head that was drawn by a computer.",
               "-y", base + ".mp4"],
    }));
    renders.concat([sound]).forEach((task) => join.addDependency(task));
    return [sound, join];
}

function extensionCommand(settings, args) {
    return author.Command("exec", {
        exe: "{blender}",
        args: ["--background", settings.blendfile, "--command", "hm_talker"].concat(args),
    });
}

// The page: what the visitor gives goes to the pictures, the video or the camera; their answers are drawn and told.

import { introduce } from "./about.js";
import { Answers } from "./answers.js";
import * as api from "./api.js";
import { Camera } from "./camera.js";
import { clock, Curve } from "./curve.js";
import { download, paint, save } from "./draw.js";
import { given } from "./given.js";
import { heatOf, heatShown } from "./heat.js";
import { Pictures } from "./pictures.js";
import { table } from "./table.js";
import { VideoView } from "./video.js";

const VIDEO = /\.(mp4|m4v|mov|avi|mkv|webm|mpe?g|wmv|3gp|m?ts|m2ts|flv|ogv)$/i;
const MEGA = 1e6;
const at = (id) => document.getElementById(id);
const show = (id, shown) => (at(id).hidden = !shown);

let model, curve, answers, pictures, camera, video;
let picture = null; // what is drawn
let marked = -1; // the answer that the visitor points at

function alert(error) {
  show("alert", Boolean(error));
  at("alert").textContent = error ? error.message : "";
}

function draw(next = picture) {
  picture = next;
  const canvas = at("canvas");
  show("canvas", Boolean(picture));
  show("drop", !picture);
  show("capture", Boolean(picture));
  if (picture) paint(canvas, { ...picture, marked }, Math.round((canvas.clientWidth || 640) * (devicePixelRatio || 1)));
}

function tell(result, heat, calm = false) {
  answers.show(result, heat);
  answers.speak(result.answers, result.reason, calm);
  const said = result.answers.map((answer, number) => answers.sentence(answer, number)).join(" ");
  at("canvas").setAttribute("aria-label", said || result.reason || "Nothing found");
}

// What came before is put away: pictures, a video or the camera have the page for themselves.
function begin() {
  alert(null);
  camera.stop();
  video?.stop();
  video = null;
  pictures.clear();
  answers.clear();
  curve?.clear();
  draw(null);
  for (const id of ["live", "transport", "job", "running", "table", "clear", "heat"]) show(id, false);
  at("camera").setAttribute("aria-pressed", "false");
  at("camera-text").textContent = "Start camera";
  at("capture-text").textContent = "Save picture";
  at("play").classList.remove("playing");
}

function choosePicture(entry) {
  alert(entry.error && { message: `${entry.file.name}: ${entry.error.message}` });
  if (!entry.answer) {
    answers.clear();
    at("empty").textContent = entry.error ? "There is no answer." : "Looking …";
    return draw(null);
  }
  const { width, height } = entry.answer;
  draw(entry.image && { source: entry.image, width, height, answers: entry.answer.answers });
  at("drop-lead").textContent = entry.image ? LEAD : "This browser cannot show the picture; its answers stand beside.";
  tell(entry.answer, heatOf(entry.answer, entry.file, answers, alert));
}

function takeFiles(files) {
  if (!files.length || !model) return;
  const moving = files.find((file) => VIDEO.test(file.name) || file.type.startsWith("video/"));
  const limit = moving ? model.limits.video_mb : model.limits.picture_mb;
  const large = (moving ? [moving] : files).find((file) => file.size > limit * MEGA);
  if (large) return alert(new Error(`${large.name} has ${(large.size / MEGA).toFixed(1)} MB, at most ${limit} MB are taken.`));
  if (moving || !pictures.entries.length) begin();
  show("clear", true);
  if (moving) return takeVideo(moving);
  show("table", true);
  at("empty").textContent = "Looking …";
  pictures.add(files);
}

async function takeVideo(file) {
  const own = (video = new VideoView(file, drawVideo, growVideo, endVideo));
  curve?.clear(model.limits.video_seconds);
  for (const id of ["job", "table"]) show(id, true);
  show("running", Boolean(curve));
  [at("job-bar").value, at("job-text").textContent, at("empty").textContent] = [0, "Sending the video", "Looking …"];
  try {
    await own.run();
  } catch (error) {
    if (own.gone) return;
    show("job", false);
    alert({ message: `${file.name}: ${error.message}` });
  }
}

function drawVideo(next, result, time) {
  show("transport", true);
  draw(next);
  if (result.answers.length) tell(result, null, true);
  curve?.at(time);
  [at("seek").max, at("seek").value] = [video.lasts, time];
  at("time").textContent = `${clock(time)} of ${clock(video.lasts)}`;
  at("seek").setAttribute("aria-valuetext", at("time").textContent);
  at("play").classList.toggle("playing", !video.video.paused);
  at("play").setAttribute("aria-label", video.video.paused ? "Play" : "Pause");
}

function growVideo(part) {
  if (curve) curve.lasts = video.lasts || part.seconds;
  for (const { timestamp_s, answers: some } of part.results) feed(timestamp_s, some);
  const newest = part.results.at(-1);
  if (newest && !video.plays) tell(newest, null, true);
  video.draw();
  curve?.draw();
  at("job-bar").value = part.progress;
  at("job-text").textContent = part.frames ? `Looked at ${clock(part.seconds)}` : "Waiting for a thread";
}

function endVideo(job) {
  show("job", false);
  alert(job.state === "failed" ? { message: `${video.file.name}: ${job.reason}` } : null);
  at("spoken").textContent = `The video is done: ${job.frames} frames.`;
  if (curve) at("curve").setAttribute("aria-label", summary());
}

function summary() {
  const shares = video.results.flatMap(({ answers: some }) => some.map((one) => one.cells[model.curve.columns[0]]));
  if (!shares.length) return "Nothing was found in the video";
  const mean = shares.reduce((sum, value) => sum + value, 0) / shares.length;
  return `${model.curve.names[0].replaceAll("_", " ")}: on average ${mean.toFixed(2)}, at most ${Math.max(...shares).toFixed(2)}`;
}

function feed(time, some) {
  if (curve) for (const answer of some) curve.add(time, answer.face_id || 1, answer.cells, answer.in_domain === false);
}

async function toggleCamera() {
  if (camera.running) return begin();
  begin();
  [at("empty").textContent, at("camera-text").textContent] = ["Looking …", "Starting …"];
  try {
    await camera.start();
  } catch (error) {
    begin();
    const denied = error.name === "NotAllowedError" ? "The browser was not allowed to use the camera." : `The camera cannot be started: ${error.message}`;
    return alert(new Error(denied));
  }
  at("camera").setAttribute("aria-pressed", "true");
  at("camera-text").textContent = "Stop camera";
  at("capture-text").textContent = "Capture";
  for (const id of ["live", "heat"]) show(id, true);
  show("running", Boolean(curve));
}

function answerCamera(result, time) {
  tell(result, camera.heat ? heatShown(answers) : null, true);
  feed(time, result.answers);
  curve?.draw();
  at("rate").textContent = camera.rate ? ` ${camera.rate.toFixed(1)} a second` : "";
}

function saveTable() {
  const parts = video
    ? video.results.map(({ frame, timestamp_s, answers: some, reason }) => ({ place: { file: video.file.name, frame, timestamp_s }, answers: some, reason }))
    : pictures.entries.map(({ file, answer, error }) => ({ place: { file: file.name }, answers: answer?.answers || [], reason: answer?.reason || error?.message || "" }));
  if (parts.length) download(table(parts, model.columns), "predictions.csv");
}

function wire() {
  given({ buttons: [at("choose"), at("drop")], input: at("files") }, takeFiles);
  at("camera").addEventListener("click", toggleCamera);
  at("capture").addEventListener("click", () => save(camera.last || picture, "paindistill.png"));
  at("heat").addEventListener("click", () => {
    camera.heat = !camera.heat;
    at("heat").setAttribute("aria-pressed", camera.heat);
  });
  at("table").addEventListener("click", saveTable);
  at("clear").addEventListener("click", () => {
    begin();
    reset();
    at("choose").focus();
  });
  at("job-cancel").addEventListener("click", () => at("clear").click());
  at("play").addEventListener("click", () => video.toggle());
  at("seek").addEventListener("input", ({ target }) => (video.video.currentTime = target.value));
  window.addEventListener("pagehide", () => begin());
  new ResizeObserver(() => draw()).observe(at("viewer"));
}

const LEAD = "Drop pictures or a video here";

function reset() {
  at("empty").textContent = "What is recognised will stand here, with how sure the network is.";
  at("drop-lead").textContent = LEAD;
}

async function start() {
  wire();
  try {
    model = await api.model();
  } catch (error) {
    at("server").classList.add("gone");
    at("server-text").textContent = "not reached";
    return alert(error);
  }
  at("server").classList.add("ready");
  at("server-text").textContent = "ready";
  answers = new Answers({ faces: at("faces"), empty: at("empty"), count: at("count"), spoken: at("spoken") }, model, (number) => {
    marked = number;
    if (picture && !camera.running) draw();
  });
  if (model.curve) {
    const first = model.curve.names.length > 1 ? 0 : model.card.classes.indexOf(model.curve.names[0]);
    curve = new Curve(at("curve"), at("legend"), { ...model.curve, first });
  }
  pictures = new Pictures(at("thumbs"), choosePicture, alert);
  camera = new Camera(draw, answerCamera, (error) => {
    begin();
    alert(error);
  });
  introduce(model, at);
  reset();
  if (Camera.possible) return;
  at("camera").disabled = true;
  at("camera-note").textContent = "Browsers give a camera to pages of https and of localhost alone.";
}

start();

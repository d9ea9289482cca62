// The visitor's camera: a frame goes to the server when the one before it was answered, and only while it runs.

import { predict } from "./api.js";
import { Tracks } from "./tracks.js";

const SENT_PIXELS = 640; // of the longer side
const QUALITY = 0.85;
const PAUSE_MS = 1000; // after a refusal, when the server has too much to do

export class Camera {
  // shown: called with every frame of the screen; answered: with every answer and its time in seconds.
  constructor(shown, answered, failed) {
    [this.shown, this.answered, this.failed] = [shown, answered, failed];
    this.video = document.createElement("video");
    [this.video.muted, this.video.playsInline] = [true, true];
    this.small = document.createElement("canvas");
    [this.running, this.heat, this.last] = [false, false, null];
  }

  static get possible() {
    return Boolean(navigator.mediaDevices?.getUserMedia);
  }

  async start() {
    this.stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 } },
      audio: false,
    });
    this.video.srcObject = this.stream;
    await this.video.play();
    [this.running, this.answers, this.tracks, this.times] = [true, [], new Tracks(), []];
    this.began = performance.now();
    this.leaving = new AbortController();
    for (const track of this.stream.getTracks()) track.addEventListener("ended", () => this.running && this.failed(new Error("The camera was taken away.")));
    this.screen();
    this.ask();
  }

  stop() {
    this.running = false;
    this.leaving?.abort();
    for (const track of this.stream?.getTracks() || []) track.stop();
    this.video.srcObject = null;
    this.last?.source.close();
    this.last = null;
  }

  get picture() {
    return { source: this.video, width: this.video.videoWidth, height: this.video.videoHeight, answers: this.answers };
  }

  // Answers a second, over the last ones.
  get rate() {
    const recent = this.times;
    return recent.length > 1 ? (recent.length - 1) / (recent.at(-1) - recent[0]) : 0;
  }

  screen() {
    if (!this.running) return;
    if (this.video.videoWidth) this.shown(this.picture);
    requestAnimationFrame(() => this.screen());
  }

  async ask() {
    while (this.running) {
      if (document.hidden || !this.video.videoWidth) {
        await pause(100);
        continue;
      }
      const time = (performance.now() - this.began) / 1000;
      try {
        const whole = await createImageBitmap(this.video);
        const answer = await predict(await this.frame(whole), { frame: true, heat: this.heat }, this.leaving.signal);
        if (!this.running) return;
        this.take(answer, time, whole);
      } catch (error) {
        if (!this.running) return;
        if (error.status !== 429 && error.status !== 503) return this.failed(error);
        await pause(PAUSE_MS);
      }
    }
  }

  frame(whole) {
    const scale = Math.min(1, SENT_PIXELS / Math.max(whole.width, whole.height));
    this.small.width = Math.round(whole.width * scale);
    this.small.height = Math.round(whole.height * scale);
    this.small.getContext("2d").drawImage(whole, 0, 0, this.small.width, this.small.height);
    return new Promise((resolve) => this.small.toBlob(resolve, "image/jpeg", QUALITY));
  }

  take(answer, time, whole) {
    const scale = whole.width / answer.width;
    const ids = this.tracks.assigned(answer.answers);
    this.answers = answer.answers.map((one, number) => scaled({ ...one, face_id: ids[number] }, scale));
    this.last?.source.close();
    // What is captured is the very frame that was answered, not the one that is shown by now.
    this.last = { source: whole, width: whole.width, height: whole.height, answers: this.answers };
    this.times = [...this.times.slice(-9), time];
    this.answered({ ...answer, answers: this.answers }, time);
  }
}

function scaled(answer, scale) {
  const points = answer.points.map(([x, y]) => [x * scale, y * scale]);
  return { ...answer, box: answer.box && answer.box.map((edge) => edge * scale), points };
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

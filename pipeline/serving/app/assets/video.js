// A video that the server looks at, frame by frame, while it can be played here: answers are shown at their time.

import { beginVideo, endVideo, patiently, videoResult } from "./api.js";

const POLL_MS = 400;
const HELD_S = 0.6; // that an answer is shown after its time

export class VideoView {
  // shown: called with what is to be drawn; grown: with new results; ended: with the job.
  constructor(file, shown, grown, ended) {
    [this.shown, this.grown, this.ended] = [shown, grown, ended];
    [this.file, this.results, this.gone] = [file, [], false];
    this.video = document.createElement("video");
    [this.video.muted, this.video.playsInline, this.video.preload] = [true, true, "auto"];
    this.video.src = URL.createObjectURL(file);
    for (const event of ["loadeddata", "seeked", "timeupdate"]) this.video.addEventListener(event, () => this.draw());
  }

  // Whether the browser can show it; the server may read what a browser does not.
  get plays() {
    return this.video.videoWidth > 0;
  }

  get lasts() {
    return Number.isFinite(this.video.duration) ? this.video.duration : this.results.at(-1)?.timestamp_s || 0;
  }

  async run() {
    const leaving = (this.leaving = new AbortController());
    const job = await patiently(() => beginVideo(this.file, leaving.signal));
    this.id = job.id;
    for (let after = 0; !this.gone; ) {
      const part = await videoResult(job.id, after);
      if (this.gone) return;
      after = part.next;
      this.results.push(...part.results);
      this.grown(part);
      if (!part.results.length && !["waiting", "running"].includes(part.state)) {
        await this.forget();
        return this.ended(part);
      }
      if (!part.results.length) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async forget() {
    const id = this.id;
    this.id = null;
    if (id) await endVideo(id).catch(() => {});
  }

  stop() {
    this.gone = true;
    this.video.pause();
    this.leaving?.abort();
    this.forget();
    URL.revokeObjectURL(this.video.src);
  }

  toggle() {
    if (!this.video.paused) return this.video.pause();
    this.video.play();
    const step = () => {
      this.draw();
      if (!this.video.paused && !this.gone) requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  // The answers at a time: those of the last frame that was looked at before it.
  at(time) {
    let [low, high] = [0, this.results.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.results[middle].timestamp_s <= time + 0.01) low = middle + 1;
      else high = middle;
    }
    const result = this.results[low - 1];
    return result && time - result.timestamp_s < HELD_S ? result : { answers: [], reason: "" };
  }

  get picture() {
    const { answers } = this.at(this.video.currentTime);
    return { source: this.video, width: this.video.videoWidth, height: this.video.videoHeight, answers };
  }

  draw() {
    if (this.plays && !this.gone) this.shown(this.picture, this.at(this.video.currentTime), this.video.currentTime);
  }
}

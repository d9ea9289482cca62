// The pictures that a visitor gave, one after the other, each with its answers.

import { patiently, predict } from "./api.js";
import { element } from "./answers.js";

const MOST = 60; // pictures at once

export class Pictures {
  // chosen: called with the entry that is to be shown, again when its answers are there.
  constructor(strip, chosen, failed) {
    [this.strip, this.chosen, this.failed] = [strip, chosen, failed];
    this.entries = [];
  }

  async add(files) {
    const fresh = files.slice(0, MOST).map((file) => this.entry(file));
    this.entries.push(...fresh);
    this.strip.hidden = this.entries.length < 2;
    this.choose(fresh[0]);
    for (const entry of fresh) await this.answer(entry);
    if (files.length > MOST) this.failed(new Error(`Only the first ${MOST} pictures were taken; drop the others after them.`));
  }

  entry(file) {
    const entry = { file, url: URL.createObjectURL(file), answer: null, image: null, leaving: new AbortController() };
    entry.button = element("button", "waiting");
    entry.button.type = "button";
    entry.button.setAttribute("aria-label", file.name);
    const small = element("img");
    [small.src, small.alt] = [entry.url, ""];
    entry.button.append(small);
    entry.button.addEventListener("click", () => this.choose(entry));
    const item = element("li");
    item.append(entry.button);
    this.strip.append(item);
    return entry;
  }

  choose(entry) {
    this.current = entry;
    for (const { button } of this.entries) button.removeAttribute("aria-current");
    entry.button.setAttribute("aria-current", "true");
    this.chosen(entry);
  }

  async answer(entry) {
    try {
      [entry.image, entry.answer] = await Promise.all([picture(entry.url), patiently(() => predict(entry.file, {}, entry.leaving.signal))]);
    } catch (error) {
      if (error.name === "AbortError") return;
      entry.error = error;
      entry.button.classList.add("failed");
    }
    entry.button.classList.remove("waiting");
    if (entry === this.current) this.chosen(entry);
  }

  clear() {
    for (const { url, leaving } of this.entries) {
      leaving.abort();
      URL.revokeObjectURL(url);
    }
    this.entries = [];
    this.current = null;
    this.strip.replaceChildren();
    this.strip.hidden = true;
  }
}

// A picture that the browser can draw, upright; null of a form that it does not know.
async function picture(url) {
  const image = new Image();
  image.src = url;
  return image.decode().then(() => image, () => null);
}

// What is served, in words.

import { element } from "./answers.js";

const RENDERED =
  "It learned from rendered pictures alone. Photographs are strange to it: where it notices, an answer is grey, and no class is called. It does not notice all of them.";
const FLAGGED = "What is unlike its training pictures is grey, where it notices; it does not notice all of it.";
const UNFLAGGED = "It does not know what its training pictures looked like: nothing is said of those that are unlike them.";

export function introduce(model, at) {
  const { card, limits } = model;
  at("subject").textContent = `Recognises ${model.subject}`;
  if (model.reads === "faces") at("caution").textContent = "It tells what a face shows, not what a person feels, and may be wrong.";
  const minutes = +(limits.video_seconds / 60).toFixed(1);
  at("drop-hint").textContent = `Up to ${limits.picture_mb} MB a picture, ${minutes} minutes of video. Nothing is stored.`;
  at("about-text").textContent = !card.domain ? UNFLAGGED : model.rendered ? RENDERED : FLAGGED;
  for (const [name, value] of Object.entries(facts(model))) if (value) at("about").append(element("dt", "", name), element("dd", "", value));
  at("files").accept = "image/*,video/*";
  if (model.curve?.columns.length === 1) at("running-title").textContent = `${model.curve.names[0].replaceAll("_", " ")} over time`;
}

function facts({ card, task }) {
  const { outputs, kind } = card.task;
  return {
    Task: task,
    Answers: kind === "points" ? `${outputs.length} points` : outputs.join(", ").replaceAll("_", " "),
    Network: card.label || card.architecture,
    Parameters: card.parameters?.toLocaleString("en"),
    Teacher: card.teacher,
    "Learned from": card.learned_from?.dataset,
    Fingerprint: card.fingerprint?.slice(0, 16),
  };
}

// Heat maps, on request: the server is asked for the same picture once more, with one for each answer.

import { element } from "./answers.js";
import { patiently, predict } from "./api.js";

const WORDS = "Show what it rests on";

// Makes for each answer of a picture a button, or the map that it was answered with.
export function heatOf(result, file, answers, failed) {
  const asked = () => (result.heated ||= patiently(() => predict(file, { heat: true })));
  return (answer, number) => {
    const place = element("div");
    place.tabIndex = -1;
    if (answer.heat) place.append(map(answer, number, answers));
    else place.append(button(place, answer, number, answers, asked, () => (result.heated = null), failed));
    return place;
  };
}

// Of a camera: the map that each frame's answers came with.
export const heatShown = (answers) => (answer, number) => (answer.heat ? map(answer, number, answers) : element("div"));

function button(place, answer, number, answers, asked, forget, failed) {
  const made = element("button", "small", WORDS);
  made.type = "button";
  made.addEventListener("click", async () => {
    [made.disabled, made.textContent] = [true, "Looking …"];
    try {
      answer.heat = (await asked()).answers[number].heat;
      place.replaceChildren(map(answer, number, answers));
      place.focus(); // the button that had it is gone
    } catch (error) {
      forget();
      [made.disabled, made.textContent] = [false, WORDS];
      failed(error);
    }
  });
  return made;
}

function map(answer, number, answers) {
  const row = element("div", "heat"), image = element("img"), top = answers.topOf(answer);
  [image.src, image.alt] = [answer.heat, `Heat map of ${answers.nameOf(answer, number)}`];
  const words = `Bright is what ${top ? `“${top}”` : "the answer"} rests on most. It explains the network, and nothing else.`;
  row.append(image, element("p", "face-note", words));
  return row;
}

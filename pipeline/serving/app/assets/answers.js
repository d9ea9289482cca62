// The list of answers beside the picture: a badge, a bar for every class, label or number, and whether it is familiar.

export class Answers {
  constructor(places, model, onMark) {
    this.places = places;
    this.model = model;
    this.onMark = onMark;
    this.said = 0;
    this.words = "";
  }

  clear() {
    this.places.faces.replaceChildren();
    this.places.count.textContent = "";
    this.places.empty.hidden = false;
  }

  // heat: of an answer, asks for its heat map; null where none can be had.
  show({ answers, reason }, heat = null) {
    const items = answers.map((answer, number) => this.item(answer, number, answers.length, heat));
    this.places.faces.replaceChildren(...items);
    this.places.empty.hidden = true;
    this.places.count.textContent = this.counted(answers, reason);
  }

  counted(answers, reason) {
    if (!answers.length) return reason ? `${reason}` : "nothing found";
    return answers[0].box ? `${answers.length} ${answers.length > 1 ? this.model.card.task.samples : this.model.sample}` : "";
  }

  item(answer, number, count, heat) {
    const item = element("li", answer.in_domain === false ? "face strange-face" : "face");
    const top = element("div", "face-top");
    if (answer.box) top.append(element("span", "face-name", this.nameOf(answer, number)));
    if (answer.in_domain === false) top.append(element("span", "badge strange", answer.marks[0].text));
    for (const mark of this.called(answer)) top.append(badge(mark));
    item.append(top, this.bars(answer));
    const note = this.note(answer);
    if (note) item.append(element("p", "face-note", note));
    if (heat) item.append(heat(answer, number));
    item.addEventListener("pointerenter", () => this.onMark(number));
    item.addEventListener("pointerleave", () => this.onMark(-1));
    return item;
  }

  nameOf(answer, number) {
    const name = this.model.sample[0].toUpperCase() + this.model.sample.slice(1);
    return `${name} ${answer.face_id || number + 1}`;
  }

  called(answer) {
    if (answer.in_domain === false && !answer.marks.some((mark, number) => number && mark.called)) return [];
    return this.own(answer).filter((mark) => mark.called).map((mark) => ({ ...mark, text: words(mark.text) }));
  }

  own(answer) {
    return answer.in_domain === false ? answer.marks.slice(1) : answer.marks;
  }

  bars(answer) {
    const list = element("div", "bars-list"), marks = this.own(answer);
    this.model.card.classes.slice(0, marks.length).forEach((name, number) => {
      const probability = answer.cells[`prob_${name}`], value = probability ?? answer.cells[`value_${name}`];
      const [low, high] = this.model.card.task.bounds.length ? this.model.card.task.bounds : [0, 1];
      const bar = element("div", "bar");
      const track = element("span", "track"), fill = element("span", "fill");
      fill.style.setProperty("--share", `${Math.max(0, Math.min(1, (value - low) / (high - low))) * 100}%`);
      fill.style.setProperty("--color", marks[number].color);
      track.append(fill);
      const shown = probability === undefined ? marks[number].text.split(" ").at(-1) : percent(probability);
      bar.append(element("span", "", name.replaceAll("_", " ")), element("b", "", shown), track);
      list.append(bar);
    });
    return list;
  }

  // The class or label that is most probable; empty of numbers and points.
  topOf(answer) {
    const values = this.model.card.classes.map((name) => answer.cells[`prob_${name}`] ?? -1);
    const top = Math.max(...values);
    return top < 0 ? "" : this.model.card.classes[values.indexOf(top)].replaceAll("_", " ");
  }

  note(answer) {
    if (answer.points.length) return `${answer.points.length} points`;
    if (answer.in_domain === false) return "The network has seen nothing like it: these numbers are not to be relied on.";
    return "";
  }

  // What a screen reader is told: a picture at once, a camera when it changes and not more often than every few seconds.
  speak(answers, reason, calm = false) {
    const text = answers.length ? answers.map((answer, number) => this.sentence(answer, number)).join(" ") : `${reason || "Nothing found"}.`;
    if (text === this.words || (calm && performance.now() - this.said < 4000)) return;
    [this.words, this.said] = [text, performance.now()];
    this.places.spoken.textContent = text;
  }

  sentence(answer, number) {
    const name = answer.box ? `${this.nameOf(answer, number)}: ` : "";
    const said = answer.in_domain === false && !this.called(answer).length ? answer.marks[0].text : answer.title?.text || `${answer.points.length} points`;
    return `${name}${said}.`;
  }
}

export function element(name, style = "", text = "") {
  const made = document.createElement(name);
  if (style) made.className = style;
  if (text) made.textContent = text;
  return made;
}

function badge({ text, color, letters }) {
  const made = element("span", "badge", text);
  made.style.setProperty("--badge", color);
  made.style.setProperty("--badge-ink", letters);
  return made;
}

function words(text) {
  return text.replace(/ [01]\.\d\d$/, "");
}

export function percent(share) {
  return `${Math.round(100 * share)}%`;
}

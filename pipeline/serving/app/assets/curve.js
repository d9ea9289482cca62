// The running curve: the last seconds of a camera, or a whole video. A line a face, or of the first face a line a class.

const WINDOW_S = 30;

export class Curve {
  constructor(canvas, legend, told) {
    [this.canvas, this.legend, this.told] = [canvas, legend, told];
    this.clear();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  clear(lasts = 0) {
    this.lines = new Map();
    this.shows = undefined; // of several columns, the one face whose they are
    this.lasts = lasts;
    this.now = 0;
    this.place = null;
    this.legend.replaceChildren();
  }

  // The first face has the colour of what is shown of it; the others have those that follow.
  colorOf(number) {
    return this.told.colors[(this.told.first + number) % this.told.colors.length];
  }

  // id: number of the face; cells: its numbers; strange: whether it is unlike the training faces.
  add(time, id, cells, strange) {
    this.now = Math.max(this.now, time);
    const several = this.told.columns.length > 1;
    if (several && this.shows === undefined) this.shows = id;
    if (several && id !== this.shows) return;
    this.told.columns.forEach((column, number) => {
      const index = several ? number : id - 1;
      const key = `${id} ${column}`;
      if (!this.lines.has(key)) {
        const color = this.colorOf(index);
        this.lines.set(key, { color, points: [] });
        this.name(several ? this.told.names[number] : `face ${id}`, color);
      }
      this.lines.get(key).points.push({ time, value: cells[column], strange });
    });
    if (!this.lasts) for (const line of this.lines.values()) while (line.points[0]?.time < time - WINDOW_S) line.points.shift();
  }

  name(text, color) {
    const entry = document.createElement("li");
    entry.textContent = text.replaceAll("_", " ");
    entry.style.setProperty("--color", color);
    if (this.legend.childElementCount < 12) this.legend.append(entry);
  }

  at(time) {
    this.place = time;
    this.draw();
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    if (!width) return;
    [this.canvas.width, this.canvas.height] = [width * ratio, height * ratio];
    const pen = this.canvas.getContext("2d");
    pen.scale(ratio, ratio);
    const style = getComputedStyle(this.canvas);
    const color = (name) => style.getPropertyValue(name).trim();
    const area = { left: 40, right: width - 10, top: 8, bottom: height - 24 };
    const [low, high] = this.told.bounds;
    const from = this.lasts ? 0 : this.now - WINDOW_S, until = this.lasts || this.now;
    const x = (time) => area.left + ((time - from) / Math.max(until - from, 0.1)) * (area.right - area.left);
    const y = (value) => area.bottom - ((value - low) / (high - low)) * (area.bottom - area.top);
    this.grid(pen, area, color, x, y, from, until);
    const lift = parseFloat(color("--lift")) / 100;
    for (const line of this.lines.values()) this.line(pen, line, x, y, lightened(line.color, lift), color("--strange"));
    if (this.place !== null) {
      pen.strokeStyle = color("--accent");
      pen.lineWidth = 1.5;
      stroke(pen, x(this.place), area.top, x(this.place), area.bottom);
    }
  }

  grid(pen, area, color, x, y, from, until) {
    const [low, high] = this.told.bounds;
    pen.font = "12px ui-sans-serif, system-ui, sans-serif";
    pen.fillStyle = color("--soft");
    pen.strokeStyle = color("--line");
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    for (const share of [0, 0.5, 1]) {
      const value = low + share * (high - low), text = high === 1 ? `${100 * value}%` : `${value}`;
      stroke(pen, area.left, y(value), area.right, y(value));
      pen.textAlign = "right";
      pen.fillText(text, area.left - 6, y(value));
    }
    const step = [1, 2, 5, 10, 20, 30, 60, 120, 300].find((size) => (until - from) / size <= area.right / 70) || 600;
    pen.textAlign = "center";
    for (let n = 0; n * step <= until - from; n++) {
      const time = this.lasts ? n * step : until - n * step;
      const text = this.lasts ? clock(time) : n ? `−${n * step} s` : "now";
      if (x(time) >= area.left && x(time) <= area.right) pen.fillText(text, Math.min(x(time), area.right - 12), area.bottom + 14);
    }
  }

  line(pen, { points }, x, y, color, grey) {
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    for (let n = 1; n < points.length; n++) {
      const [one, two] = [points[n - 1], points[n]];
      if (two.time - one.time > 2) continue;
      pen.strokeStyle = two.strange ? grey : color;
      pen.setLineDash(two.strange ? [3, 3] : []);
      stroke(pen, x(one.time), y(one.value), x(two.time), y(two.value));
    }
    pen.setLineDash([]);
    const last = points.at(-1);
    if (!last || this.lasts) return;
    pen.fillStyle = last.strange ? grey : color;
    pen.beginPath();
    pen.arc(x(last.time), y(last.value), 4, 0, 2 * Math.PI);
    pen.fill();
  }
}

function stroke(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

// The colours are made for white letters; on a dark ground they are lifted.
function lightened(color, lift) {
  const parts = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return `rgb(${parts.map((part) => Math.round(part + (255 - part) * lift)).join(" ")})`;
}

export function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

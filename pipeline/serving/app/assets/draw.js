// A picture with what was recognised in it, drawn at any size.

const STRANGE = "#a0a0a0";
const POINT = "#00d5ff";

// source: what drawImage takes; width, height: its pixels; answers: as the server gives them.
export function paint(canvas, { source, width, height, answers, marked = -1 }, pixels) {
  const scale = pixels / width;
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const pen = canvas.getContext("2d");
  pen.drawImage(source, 0, 0, canvas.width, canvas.height);
  const unit = Math.max(1, canvas.width / (canvas.clientWidth || Math.min(canvas.width, 900)));
  answers.forEach((answer, number) => {
    if (answer.box) face(pen, answer, number, answers.length, scale, unit, number === marked);
    else strip(pen, answer, unit);
  });
}

function face(pen, answer, number, count, scale, unit, marked) {
  const [x0, y0, x1, y1] = answer.box.map((edge) => edge * scale);
  const title = answer.title;
  const color = title ? title.color : POINT;
  pen.lineWidth = (marked ? 5 : 3) * unit;
  pen.lineJoin = "round";
  pen.strokeStyle = "rgb(0 0 0 / 35%)";
  box(pen, x0, y0, x1, y1, 8 * unit, unit);
  pen.strokeStyle = color;
  pen.setLineDash(answer.in_domain === false ? [8 * unit, 6 * unit] : []);
  box(pen, x0, y0, x1, y1, 8 * unit, 0);
  pen.setLineDash([]);
  pen.fillStyle = POINT;
  for (const [x, y] of answer.points) dot(pen, x * scale, y * scale, Math.max(1.5 * unit, (x1 - x0) / 120));
  if (title) label(pen, count > 1 ? `${answer.face_id || number + 1}  ${title.text}` : title.text, title, x0, y0, y1, unit);
}

function box(pen, x0, y0, x1, y1, radius, shift) {
  pen.beginPath();
  pen.roundRect(x0 + shift, y0 + shift, x1 - x0, y1 - y0, radius);
  pen.stroke();
}

function dot(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function label(pen, text, title, x0, y0, y1, unit) {
  const size = 14 * unit, pad = 7 * unit, height = size + 1.3 * pad;
  pen.font = `600 ${size}px ui-sans-serif, system-ui, sans-serif`;
  const width = Math.min(pen.measureText(text).width + 2 * pad, pen.canvas.width);
  const x = Math.max(0, Math.min(x0 - 1.5 * unit, pen.canvas.width - width));
  const above = y0 - height - 4 * unit;
  const y = above >= 0 ? above : Math.min(y1 + 4 * unit, pen.canvas.height - height);
  pen.fillStyle = title.color;
  pen.beginPath();
  pen.roundRect(x, y, width, height, 6 * unit);
  pen.fill();
  pen.fillStyle = title.letters;
  pen.textBaseline = "middle";
  pen.fillText(text, x + pad, y + height / 2 + unit / 2, width - 2 * pad);
}

// Of a whole frame, every output that is answered with stands in a row at the top.
function strip(pen, answer, unit) {
  const size = 14 * unit, pad = 7 * unit, height = size + 1.3 * pad;
  pen.font = `600 ${size}px ui-sans-serif, system-ui, sans-serif`;
  let x = 10 * unit;
  for (const mark of answer.marks) {
    const width = pen.measureText(mark.text).width + 2 * pad;
    pen.fillStyle = mark.called || mark.color === STRANGE ? mark.color : "rgb(30 36 42 / 80%)";
    pen.beginPath();
    pen.roundRect(x, 10 * unit, width, height, 6 * unit);
    pen.fill();
    pen.fillStyle = mark.called || mark.color === STRANGE ? mark.letters : "white";
    pen.textBaseline = "middle";
    pen.fillText(mark.text, x + pad, 10 * unit + height / 2 + unit / 2);
    x += width + 6 * unit;
  }
}

// Give a picture to the visitor; it goes nowhere else.
export async function save(picture, name) {
  const canvas = document.createElement("canvas");
  paint(canvas, picture, picture.width);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  download(blob, name);
}

export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Answers as a table, each with the columns that `make predict` writes of it; it is made here, nothing is sent.

const BOX = ["x0", "y0", "x1", "y1"];

// parts: [{place: {column: value}, answers, reason}].
export function table(parts, columns) {
  const first = Object.keys(parts[0].place);
  const head = [...first, "success", "face", ...BOX, "detection_probability", ...columns, "reason"];
  const lines = parts.flatMap(({ place, answers, reason }) => {
    const before = Object.values(place);
    if (!answers.length) return [[...before, 0, "", ...BOX.map(() => ""), "", ...columns.map(() => ""), reason]];
    return answers.map((answer, number) => [
      ...before, 1, answer.face_id || number + 1, ...(answer.box || BOX.map(() => "")), answer.detection_probability,
      ...columns.map((column) => answer.cells[column]), "",
    ]);
  });
  return new Blob([[head, ...lines].map((line) => line.map(cell).join(",")).join("\n") + "\n"], { type: "text/csv" });
}

// A text that a spreadsheet would take for a formula is kept from it.
function cell(value) {
  const text = String(value ?? "");
  const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

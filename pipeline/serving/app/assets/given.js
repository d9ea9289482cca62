// The ways in which a visitor gives files: chosen, dropped anywhere on the page, or pasted.

export function given({ buttons, input }, take) {
  for (const button of buttons) button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    take([...input.files]);
    input.value = "";
  });
  document.addEventListener("paste", ({ clipboardData }) => take([...clipboardData.files]));
  let depth = 0; // of elements that the files are held over
  const over = (change) => (event) => {
    event.preventDefault();
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("dragging", depth > 0);
  };
  document.addEventListener("dragenter", over(1));
  document.addEventListener("dragleave", over(-1));
  document.addEventListener("dragover", over(0));
  document.addEventListener("drop", (event) => {
    over(-depth)(event);
    take([...event.dataTransfer.files]);
  });
}

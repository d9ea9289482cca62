// What the server is asked. An error is one sentence of the server's, or of the connection's.

async function asked(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "omit", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server cannot be reached. Is it still running?");
  }
  if (response.ok) return response.status === 204 ? null : response.json();
  const answer = await response.json().catch(() => ({}));
  const refusal = new Error(answer.detail || `The server answers ${response.status}.`);
  refusal.status = response.status;
  throw refusal;
}

function form(file) {
  const body = new FormData();
  body.append("file", file, "upload");
  return body;
}

export const model = () => asked("/model");

export const predict = (file, { frame = false, heat = false } = {}, signal) =>
  asked(`/predict?frame=${frame}&heat=${heat}`, { method: "POST", body: form(file), signal });

export const beginVideo = (file, signal) => asked("/predict/video", { method: "POST", body: form(file), signal });

export const videoResult = (id, after) => asked(`/predict/video/${id}/result?after=${after}`);

export const endVideo = (id) => asked(`/predict/video/${id}`, { method: "DELETE" });

// Ask again while the server has too much to do.
export async function patiently(ask, tries = 8) {
  for (let n = 1; ; n++) {
    try {
      return await ask();
    } catch (error) {
      if (error.status !== 429 || n === tries) throw error;
      await new Promise((resolve) => setTimeout(resolve, 400 * n));
    }
  }
}

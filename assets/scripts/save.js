// Saves what the page sends as a file: {"name", "type", "text", "nonce"}. The text is data of the visitor and is never shown here.
import { saveFile } from "./tools.js";

export function start({ onValue }) {
  let saved = "";
  onValue(value => {
    if (!value) return;
    const { name, type, text, nonce } = JSON.parse(value);
    if (nonce === saved) return;
    saved = nonce;
    saveFile(name, type, text);
  });
}

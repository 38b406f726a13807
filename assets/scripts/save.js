// Saves what the page sends as a file: {"name", "type", "text", "nonce"}. The text is data of the visitor and is never shown here.
let saved = "";
const save = () => {
  if (!props.value) return;
  const { name, type, text, nonce } = JSON.parse(props.value);
  if (nonce === saved) return;
  saved = nonce;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
};
watch("value", save);
save();

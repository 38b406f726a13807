// The conversation: who said what, who decided each answer, and what can be done with it. Every text is written as text only.
import { shareParts } from "./legend.js";
import { fill, make, makeButton, put, shareText } from "./tools.js";

const NEAR_END = 60, COPIED_MS = 1500;                       // px, ms

export function start({ element, props, onValue, trigger }) {
  const box = element.querySelector(".talk"), words = props.words, list = box.querySelector(".turns"), nodes = [];
  box.setAttribute("aria-label", words.label);
  put(box.querySelector(".nothing"), words.empty);

  function foot(turn, index, last) {
    const made = make("div", "foot");
    if (turn.role === "user") {
      const button = makeButton("edit", words.edit, () => edit(index));
      button.title = words.editHint;
      if (turn.prompt === turn.text) made.append(button);         // not where words of an answer were changed
      return made;
    }
    if (turn.writing) return made;
    if (turn.shares) made.append(bar(turn));
    const copy = makeButton("copy", words.copy, async () => {
      await navigator.clipboard.writeText(turn.text);
      put(copy, words.copied);
      setTimeout(() => put(copy, words.copy), COPIED_MS);
    });
    made.append(copy);
    if (last) {
      const again = makeButton("again", words.again, () => trigger("again", { index: index - 1 }));
      again.title = words.againHint;
      made.append(again);
    }
    if (turn.cut) made.append(make("span", "cut", words.cut));
    return made;
  }

  // Who decided the words of an answer; a click puts its run on stage.
  function bar(turn) {
    const made = makeButton("show", "", () => trigger("show", { run: turn.run })), split = make("span", "split");
    split.append(...shareParts(turn.shares.map(([, hue]) => ({ hue })), turn.shares.map(([, , share]) => share)));
    const said = turn.shares.map(([title, , share]) => `${title} ${shareText(share)}`).join(", ");
    made.setAttribute("aria-label", fill(words.show, { shares: said })); made.title = said;
    made.append(split, make("span", "", words.onStage));
    return made;
  }

  function edit(index) {
    const node = nodes[index], area = make("textarea"), turn = node.turn;
    const done = () => { node.made.classList.remove("edited"); form.remove(); };
    const send = () => { if (area.value.trim()) { done(); trigger("edit", { index, text: area.value }); } };
    const form = make("div", "editing");
    area.value = turn.prompt ?? turn.text; area.setAttribute("aria-label", words.edit);
    area.addEventListener("keydown", event => {
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(); }
      if (event.key === "Escape") done();
    });
    form.append(area, makeButton("send-edit", words.send, send), makeButton("cancel", words.cancel, done));
    node.made.classList.add("edited"); node.made.append(form);
    area.focus();
  }

  function build(turn, index, last) {
    const made = make("article", `turn ${turn.role}`), text = make("div", "said");
    text.dataset.testid = turn.role === "user" ? "user" : "bot"; text.dir = "auto";
    if (turn.run) made.dataset.run = turn.run;
    text.addEventListener("click", () => { if (turn.role !== "user" && turn.run && !turn.writing && !getSelection().toString()) trigger("show", { run: turn.run }); });
    made.append(text, foot(turn, index, last));
    return { made, text, key: keyOf(turn, last), turn };
  }

  const keyOf = (turn, last) => `${last}|${turn.role}|${turn.run}|${!!turn.writing}|${JSON.stringify(turn.shares ?? 0)}`;

  function paint(turns) {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END || turns.length !== nodes.length;
    while (nodes.length > turns.length) nodes.pop().made.remove();
    turns.forEach((turn, index) => {
      const last = index === turns.length - 1;
      if (nodes[index]?.key !== keyOf(turn, last) || (turn.role === "user" && nodes[index].turn.text !== turn.text)) {
        const node = build(turn, index, last);
        if (nodes[index]) nodes[index].made.replaceWith(node.made); else list.append(node.made);
        nodes[index] = node;
      }
      nodes[index].turn = turn;
      put(nodes[index].text, turn.text);
    });
    box.querySelector(".nothing").hidden = turns.length > 0;
    if (atEnd) list.scrollTop = list.scrollHeight;
    mark();
  }

  // The answer whose run is on stage.
  function mark() {
    const run = document.querySelector("#viewer .viewer")?.dataset.run;
    nodes.forEach(({ made, turn }) => made.classList.toggle("on-stage", turn.role !== "user" && !!turn.run && turn.run === run));
  }

  const stage = document.querySelector("#viewer");
  if (stage) new MutationObserver(mark).observe(stage, { subtree: true, attributes: true, attributeFilter: ["data-run"] });
  onValue(text => paint(text ? JSON.parse(text) : []));
}

// One run as it comes in: its steps, and what they say of each other. Knows nothing of the page.
export class Run {
  constructor(id = null, head = { experts: [], blocks: 1 }) {
    Object.assign(this, { id, head, steps: [], finished: false, ended: "", lastOf: new Map() });
  }

  get total() { return this.head.blocks * (this.head.steps || 1); }
  get last() { return this.steps.length - 1; }

  lastStepOf(block) { return this.steps[this.lastOf.get(block)]; }

  // Whether a step is the last of its block, which may end before its last step.
  isRested(index) { return this.finished && this.lastOf.get(this.steps[index].b) === index; }

  // d: each cell's shares at the step that set its token, f: that step. Later steps see the token, so all experts come to agree.
  push(step) {
    const before = this.steps.at(-1), goesOn = before && before.b === step.b;
    const kept = (now, then) => now.map((value, i) => goesOn && !step.x.includes(i) ? then[i] : value);
    step.d = kept(step.h, before?.d); step.f = kept(step.t.map(() => step.s), before?.f);
    this.lastOf.set(step.b, this.steps.length); this.steps.push(step);
  }

  // The steps of a message that are new. fetch: gives those that were missed.
  async take(message, fetch) {
    if (message.from > this.steps.length) (await fetch({ run: this.id, since: this.steps.length }) || []).forEach(step => this.push(step));
    if (message.from <= this.steps.length) message.steps.slice(this.steps.length - message.from).forEach(step => this.push(step));
    this.finished = message.done || this.finished;
    this.ended = message.ended ?? "";                       // how, in a word of the server
    if (this.finished && this.steps.length) this.head.blocks = this.steps.at(-1).b + 1;
  }
}

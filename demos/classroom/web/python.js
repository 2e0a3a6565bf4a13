// The interpreter, as the page sees it. It runs in a worker, so the page never freezes.

import { texts } from "./texts.js";

const PATIENCE = 1500; // milliseconds that an interrupted cell may take to end

/**
 * Python in a worker. Events: "state" when `state` changes, "gone" with a text in `detail` when the variables are gone
 * because a fresh interpreter was started.
 */
export class Python extends EventTarget {
  /** "loading" | "idle" | "running" | "missing", where it could not be loaded */
  state = "loading";
  /** The number of interpreters before this one. */
  generation = 0;
  /** Resolves when the first line can run; rejects where Python cannot be loaded. */
  ready;

  #worker;
  #interrupt; // shared with the worker: 2 interrupts it. None where the page is not isolated
  #waiting = new Map(); // by number: what the worker was asked for
  #asked = 0;
  #follow = () => {}; // lets whoever waits for an interpreter that never was ready wait for the next one

  constructor() {
    super();
    this.#start();
  }

  /**
   * Run a cell in the learner's namespace. `name` stands in its tracebacks. `onOutput` is called with each output as it
   * comes. Resolves to all outputs and the error's text, or null.
   */
  async run(code, { name = "cell", onOutput } = {}) {
    const outputs = [];
    const error = await this.#ask({ type: "run", code, name }, (output) => {
      outputs.push(output);
      onOutput?.(output);
    });
    return { outputs, error };
  }

  /**
   * Call a function by its dotted path, such as "classroom.playground.start". Arguments and result are JSON. Rejects
   * with what Python raised.
   */
  call(path, ...args) {
    return this.#ask({ type: "call", path, args: JSON.stringify(args) });
  }

  /** Stop what runs. Variables are kept where the page is isolated and the code can be interrupted. */
  async stop() {
    if (this.state !== "running") return;
    if (this.#interrupt) {
      const running = [...this.#waiting.values()].map(({ promise }) => promise);
      this.#interrupt[0] = 2;
      const late = await Promise.race([
        Promise.allSettled(running),
        new Promise((resolve) => setTimeout(resolve, PATIENCE, "late")),
      ]);
      if (late !== "late") return;
    }
    this.restart(texts.python.stoppedAnew);
  }

  /** End the interpreter and start a fresh one. What runs ends with the text `why`. Resolves when it is ready. */
  restart(why = texts.python.restarted) {
    this.#worker.terminate();
    this.generation += 1;
    const ended = [...this.#waiting.values()];
    const follow = this.#follow;
    this.#waiting.clear();
    this.#start();
    follow(this.ready);
    for (const { message, resolve, reject } of ended) {
      if (message.type === "run") resolve(why);
      else reject(new Error(why));
    }
    this.dispatchEvent(new CustomEvent("gone", { detail: why }));
    return this.ready;
  }

  #start() {
    this.#change("loading");
    // Started from a blob, the worker has the content security policy of this page, whatever the server says.
    const script = new Blob([`import ${JSON.stringify(new URL("worker.js", document.baseURI).href)};`], { type: "text/javascript" });
    const address = URL.createObjectURL(script);
    const worker = new Worker(address, { type: "module" });
    const buffer = crossOriginIsolated ? new SharedArrayBuffer(1) : null;
    this.#worker = worker;
    this.#interrupt = buffer && new Uint8Array(buffer);
    this.ready = new Promise((resolve, reject) => {
      this.#follow = resolve;
      const fail = (message) => {
        const error = new Error(texts.python.missing(message));
        this.#change("missing");
        reject(error);
        this.dispatchEvent(new CustomEvent("failure", { detail: error.message }));
      };
      worker.onerror = (event) => fail(event.message ?? "its worker did not start");
      worker.onmessage = ({ data }) => {
        if (data.type === "listening") {
          URL.revokeObjectURL(address);
          worker.postMessage({ type: "start", buffer, root: document.baseURI });
        } else if (data.type === "ready") {
          worker.onerror = null; // what goes wrong from now on is a cell's
          this.#change("idle");
          resolve();
        } else if (data.type === "failure") fail(data.message);
        else if (data.type === "fatal") this.restart(texts.python.broken(data.message));
        else this.#hear(data);
      };
    });
    this.ready.catch(() => {}); // the page shows it by the event
  }

  async #ask(message, onOutput) {
    do await this.ready;
    while (this.state === "loading");
    const id = ++this.#asked;
    const entry = { message, onOutput };
    entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
    this.#waiting.set(id, entry);
    if (this.#interrupt && this.#waiting.size === 1) this.#interrupt[0] = 0; // an interrupt that came too late
    this.#change("running");
    this.#worker.postMessage({ id, ...message });
    return entry.promise;
  }

  #hear({ id, type, output, error, result }) {
    const entry = this.#waiting.get(id);
    if (!entry) return;
    if (type === "output") {
      entry.onOutput?.(output);
      return;
    }
    this.#waiting.delete(id);
    if (!this.#waiting.size) this.#change("idle");
    if (entry.message.type === "run") entry.resolve(error);
    else if (error) entry.reject(new Error(error));
    else entry.resolve(JSON.parse(result));
  }

  #change(state) {
    if (state === this.state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

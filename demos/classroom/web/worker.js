// The worker: loads Pyodide with the package and the classroom's Python files, then runs cells and calls.

import { instance } from "@viz-js/viz";

const PACKAGES = "/lib/python3.12/site-packages";

// What a learner's code must not reach through `import js`: other addresses, what the browser keeps, other workers, and
// the line to the page. That nothing leaves the site's address is the page's content security policy; this is a second lock.
const OUT_OF_REACH = [
  "fetch", "fetchLater", "XMLHttpRequest", "WebSocket", "WebSocketStream", "WebTransport", "EventSource", "RTCDataChannel",
  "indexedDB", "caches", "cookieStore", "BroadcastChannel", "Worker", "SharedWorker", "importScripts", "navigator",
  "Notification", "webkitRequestFileSystem", "webkitRequestFileSystemSync", "webkitResolveLocalFileSystemURL",
  "webkitResolveLocalFileSystemSyncURL", "postMessage", "close", "onmessage", "addEventListener",
];

const post = self.postMessage.bind(self);
let bridge; // classroom.bridge, Python's side
let viz; // resolves to Graphviz

self.addEventListener("message", async ({ data }) => {
  if (data.type === "start") await start(data);
  else await answer(data);
});
post({ type: "listening" });

async function start({ root, buffer }) {
  try {
    viz = instance();
    const at = (path) => new URL(path, root).href;
    const files = read(at("python.zip"));
    const { loadPyodide } = await import(at("pyodide/pyodide.mjs"));
    const python = await loadPyodide({ indexURL: at("pyodide/") });
    python.unpackArchive(await files, "zip", { extractDir: PACKAGES });
    bridge = python.pyimport("classroom.bridge");
    if (buffer) python.setInterruptBuffer(new Uint8Array(buffer));
    lock();
    post({ type: "ready" });
  } catch (error) {
    post({ type: "failure", message: error.message });
  }
}

async function read(address) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  return response.arrayBuffer();
}

function lock() {
  for (const name of OUT_OF_REACH) {
    for (let holder = self; holder; holder = Object.getPrototypeOf(holder)) {
      if (Object.hasOwn(holder, name)) delete holder[name];
    }
    Object.defineProperty(self, name, { value: undefined, writable: false, configurable: false });
  }
}

async function answer({ id, type, code, name, path, args }) {
  try {
    if (typeof viz.then === "function") {
      viz = await viz;
      bridge.offer_layout((source) => viz.renderString(source, { format: "svg" }));
    }
    if (type === "run") {
      const error = bridge.run(code, name, (output) => post({ id, type: "output", output: JSON.parse(output) }));
      post({ id, type: "done", error: error ?? null });
    } else {
      const [result, error] = bridge.call(path, args).toJs();
      post({ id, type: "done", result, error });
    }
  } catch (error) {
    post({ type: "fatal", message: error.message.split("\n")[0] });
  }
}

// Keeps the site for use without a network, and sets the headers that let a static host's page be cross-origin
// isolated. build.py writes VERSION and FILES above.

const PREFIX = `classroom ${registration.scope} `; // several sites may share an address
const NAME = PREFIX + VERSION;
const HEADERS = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

addEventListener("install", (event) => {
  skipWaiting();
  event.waitUntil(whereOlder());
});
addEventListener("activate", (event) => event.waitUntil(forgetOlder().then(() => clients.claim())));
addEventListener("message", (event) => event.waitUntil(keepAll()));
addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(url));
});

/** A first visit does not wait for files; a new version takes over when all of it is here. */
async function whereOlder() {
  if ((await older()).length) await keepAll();
}

async function older() {
  return (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
}

async function forgetOlder() {
  await Promise.all((await older()).map((name) => caches.delete(name)));
}

async function keepAll() {
  const cache = await caches.open(NAME);
  for (const file of FILES) {
    const url = new URL(file, registration.scope).href;
    if (!(await cache.match(url))) await keep(cache, url);
  }
}

async function answer(asked) {
  const url = asked.replace(/[?#].*$/, "").replace(/\/index\.html$/, "/");
  const cache = await caches.open(NAME);
  return (await cache.match(url)) ?? keep(cache, url);
}

/** The file from its server, kept with the headers. What comes from the cache unchanged, the browser need not compile again. */
async function keep(cache, url) {
  const response = await fetch(url, { cache: "no-cache" }); // of this version, not of the one before
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  const changed = new Response(response.body, { status: response.status, statusText: response.statusText, headers });
  if (response.ok) cache.put(url, changed.clone());
  return changed;
}

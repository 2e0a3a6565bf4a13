// What happens before anything large is loaded: the service worker, which keeps the site for use without a network and
// sets the headers that make the page cross-origin isolated. Only an isolated page has the shared memory by which a
// running cell is interrupted. The headers come with the page, so a first visit loads it twice.

async function isolated() {
  if (!navigator.serviceWorker) return true; // not https: the page works without
  try {
    await navigator.serviceWorker.register("service-worker.js");
    await navigator.serviceWorker.ready;
  } catch (error) {
    console.info("no service worker:", error.message);
    return true;
  }
  if (crossOriginIsolated || sessionStorage.getItem("classroom.reloaded")) return true;
  sessionStorage.setItem("classroom.reloaded", "yes"); // once: where the headers do not help, go on without
  location.reload();
  return false;
}

if (crossOriginIsolated) {
  isolated();
  import("./main.js");
} else if (await isolated()) {
  import("./main.js");
}

// What is kept in the browser between visits, as JSON. Where a browser keeps nothing, it is kept until the page is left.

const PREFIX = "classroom.";
const unkept = new Map(); // what the browser would not keep: it is full, or does not allow it

export const store = {
  /** What was kept under a key, or else `fallback`. */
  get(key, fallback) {
    try {
      const text = unkept.get(key) ?? localStorage.getItem(PREFIX + key);
      return text === null ? fallback : JSON.parse(text);
    } catch {
      return fallback;
    }
  },

  /** Keep a value under a key; `undefined` forgets it. */
  set(key, value) {
    unkept.delete(key);
    try {
      if (value === undefined) localStorage.removeItem(PREFIX + key);
      else localStorage.setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      if (value !== undefined) unkept.set(key, JSON.stringify(value));
    }
  },

  /** Call `changed` whenever another tab keeps something else under a key. Returns a function that ends this. */
  watch(key, changed) {
    const listen = (event) => event.key === PREFIX + key && changed();
    addEventListener("storage", listen);
    return () => removeEventListener("storage", listen);
  },
};

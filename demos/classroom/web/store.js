// What is kept in the browser between visits, as JSON. Where a browser keeps nothing, nothing is kept, silently.

const PREFIX = "classroom.";

export const store = {
  /** What was kept under a key, or else `fallback`. */
  get(key, fallback) {
    try {
      const text = localStorage.getItem(PREFIX + key);
      return text === null ? fallback : JSON.parse(text);
    } catch {
      return fallback;
    }
  },

  /** Keep a value under a key; `undefined` forgets it. */
  set(key, value) {
    try {
      if (value === undefined) localStorage.removeItem(PREFIX + key);
      else localStorage.setItem(PREFIX + key, JSON.stringify(value));
    } catch {
      // full, or forbidden
    }
  },
};

// Every English text of the page's frame, in one object, so that it can be translated. The lesson's text is in
// demos/lesson.ipynb.

export const texts = {
  title: "micrograd",
  skip: "Skip to the content",
  parts: { lesson: "Lesson", engine: "Your own engine", playground: "Playground" },
  partsLabel: "Parts of the classroom",
  theme: { label: "Colours", auto: "as the system", light: "light", dark: "dark" },
  newVersion: "There is a new version of this site. Your work is kept.",
  reload: "Reload",
  close: "Close",

  python: {
    states: { loading: "Python is loading …", idle: "Python is ready", running: "Python is running …" },
    stop: "Stop",
    restart: "Restart Python",
    restartHint: "Clears all variables",
    stopped: "Stopped.",
    stoppedAnew: "Stopped. For that Python was started anew, so the variables of earlier cells are gone.",
    restarted: "Python was started anew, so the variables of earlier cells are gone.",
    broken: (message) => `Python broke down (${message}) and was started anew, so the variables of earlier cells are gone.`,
    missing: (message) => `Python could not be loaded: ${message}. Reload the page; if that does not help, use a current browser.`,
  },

  cell: {
    run: "Run",
    runHint: "Ctrl + Enter, or ⌘ + Enter",
    reset: "Reset",
    resetHint: "Back to the code as it was",
    output: "Output",
    editorHint: "Ctrl + Enter runs the code. Escape, then Tab leaves the editor.",
    nothing: "The code ran. Its last line has no value to show.",
    running: "Running …",
  },

  lesson: {
    chapters: "Chapters",
    turn: "Previous and next chapter",
    previous: (title) => `← ${title}`,
    next: (title) => `${title} →`,
    cell: (chapter, number) => `Chapter ${chapter}, cell ${number}`,
    failedBefore: (error) => `A cell before this one, which had to run first, ended with an error:\n${error}`,
  },

  output: {
    frame: "A page that the code made",
    picture: "A graph of Values",
  },
};

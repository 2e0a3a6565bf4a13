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

  charts: {
    positive: "y = +1",
    negative: "y = −1",
    plane: (positive, negative) => `${positive} samples with y = +1 and ${negative} with y = −1 in the plane of x₁ and x₂`,
    axes: (x, y) => `${y} by ${x}`,
    curve: (name, from, to) => `${name}: ${from[1]} at ${from[0]}, ${to[1]} at ${to[0]}`,
  },

  playground: {
    title: "Playground: what does a batch do?",
    lead: "A small network learns to tell two kinds of points apart. Each sample of a batch adds its gradient; then the weights change, once. Press Play, turn the controls, and see.",
    tryThis: "Try this",
    presets: [
      {
        name: "A batch is a sum",
        question: "Four samples, one after the other. When do the weights change, and by which column of the table?",
        runs: [{ name: "one sample a second", speed: "sample", settings: { batch: 4, rate: 1, hidden: [2] } }],
      },
      {
        name: "One sample or all?",
        question: "Train for some epochs with B = 1, then as many with B = N. Which loss is smoother? Which falls further in an epoch?",
        axis: "epochs",
        runs: [
          { name: "B = 1", settings: { batch: 1 } },
          { name: "B = 10", settings: { batch: 10 } },
          { name: "B = N = 60", settings: { batch: 60 } },
        ],
      },
      {
        name: "Sum or mean?",
        question: "η = 1 is right for the mean of a batch of 60. What does it do to the sum? By what must η be divided to get the first curve again?",
        axis: "updates",
        runs: [
          { name: "mean, η = 1", settings: { batch: 60, rate: 1, reduction: "mean" } },
          { name: "sum, η = 1", settings: { batch: 60, rate: 1, reduction: "sum" } },
        ],
      },
      {
        name: "How many units?",
        question: "A unit draws one straight line. How many units does it take to close in the inner circle?",
        runs: [1, 2, 3, 4].map((units) => ({
          name: `${units} unit${units > 1 ? "s" : ""}`,
          settings: { data: "circles", hidden: [units], rate: 1 },
        })),
      },
      {
        name: "Without θ",
        question: "Two layers of 8 units without an activation: why is the boundary a straight line all the same?",
        runs: [
          { name: "linear", settings: { hidden: [8, 8], activation: "linear", rate: 0.1 } },
          { name: "tanh", settings: { hidden: [8, 8], activation: "tanh", rate: 0.1 } },
        ],
      },
      {
        name: "Which optimizer?",
        question: "The same learning rate for all. Which is fastest at first, and which wins when η is ten times as large?",
        axis: "updates",
        runs: ["SGD", "momentum", "RMSprop", "Adam"].map((optimizer) => ({
          name: optimizer,
          settings: { data: "quadrants", optimizer, rate: 0.03 },
        })),
      },
    ],

    play: "Play",
    pause: "Pause",
    stepBatch: "One batch",
    stepSample: "One sample",
    reset: "Reset",
    resetHint: "The same weights and points as at the start",
    speed: "speed",
    speeds: {
      sample: "one sample a second",
      samples: "4 samples a second",
      update: "one batch a second",
      updates: "10 batches a second",
      fast: "as fast as it goes",
    },
    loading: "Python is loading; then you can play.",

    live: "Training",
    liveHint: "applies at once",
    fresh: "Network and data",
    freshHint: "starts anew",
    batch: "batch size B",
    batchIs: (size, all) =>
      size === 1 ? "1: stochastic gradient descent" : size === all ? `${all} = N: batch gradient descent` : `${size} of N = ${all}: mini-batch`,
    rate: "learning rate η",
    reduction: "over the batch",
    reductions: { mean: "mean", sum: "sum" },
    optimizer: "optimizer",
    optimizers: { SGD: "SGD", momentum: "SGD, momentum 0.9", RMSprop: "RMSprop", Adam: "Adam" },
    data: "data",
    dataSets: { moons: "two moons", circles: "circles", clouds: "two clouds", quadrants: "quadrants (exclusive or)" },
    noise: "noise",
    layers: "hidden layers",
    units: (layer) => `units in layer ${layer}`,
    activation: "activation θ",
    activations: { tanh: "tanh", relu: "ReLU", sigmoid: "sigmoid", linear: "none (linear)" },
    seed: "seed of points and weights",

    update: "update",
    epoch: "epoch",
    loss: "mean loss",
    right: "right",
    rightOf: (count, all) => `${count} of ${all}`,
    pace: "updates a second",

    boundary: "What the network says",
    curves: "Loss",
    curveAll: "all samples",
    curveBatch: "each batch",
    before: (differs) => (differs ? `before: ${differs}` : "before"),
    setting: {
      batch: (value) => `B = ${value}`,
      rate: (value) => `η = ${value}`,
      reduction: (value) => value,
      optimizer: (value) => value,
      hidden: (value) => (value.length ? `${value.join("-")} units` : "no hidden layer"),
      activation: (value) => value,
      data: (value) => value,
      noise: (value) => `noise ${value}`,
      seed: (value) => `seed ${value}`,
    },
    axis: "against",
    axes: { updates: "updates", epochs: "epochs" },
    ylabel: "cross-entropy",

    table: "The batch, sample by sample",
    tableEmpty: "No batch yet. Press “One sample”: it adds the first column.",
    tableMean: (size) =>
      `A column is what one sample adds to each gradient: its δ · x, divided by B = ${size} since the mean is taken. The sum of the columns is the gradient; the optimizer changes the weights by it, once.`,
    tableSum: "A column is what one sample adds to each gradient: its δ · x. The sum of the columns is the gradient; the optimizer changes the weights by it, once.",
    tableLabel: (rows, columns) => `Table of ${rows} parameters and ${columns} samples. Arrow keys move, Enter shows the sample.`,
    sample: "sample",
    total: "sum",
    totalSoFar: "so far",
    change: "change",
    weight: "weight",
    cell: {
      share: (k, name, x) => `Sample ${k} adds ${x} to the gradient of ${name}.`,
      notYet: (k) => `Sample ${k} is not added yet.`,
      total: (name, x, count) => `The gradient of ${name} is ${x}, the sum of ${count} shares.`,
      change: (name, x) => `${name} has changed by ${x}.`,
      unchanged: (name) => `${name} changes when the batch is complete.`,
      weight: (name, x) => `${name} is ${x}.`,
    },
    hint: "Point at a number, or use the arrow keys in the table. A click on a column shows that sample below.",

    graph: "The graph of one sample",
    graphChoose: "sample",
    graphHint: "Choose a point in the plane, or a column of the table.",
    graphSays: (sample) =>
      `x = (${sample.x[0].toFixed(2)}, ${sample.x[1].toFixed(2)}), y = ${sample.y > 0 ? "+1" : "−1"}, loss e = ${sample.loss.toPrecision(4)}. `,
    graphBefore: "The weights are those with which its column of the table was computed; a weight's share is δ · x.",
    graphNow: "The weights are those of now.",
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

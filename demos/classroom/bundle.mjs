// Bundles the page's scripts into the folder that is given, and on the way makes chapters of the lesson's notebook, and
// steps of the texts and solutions in engine/.

import { readdir, readFile } from "node:fs/promises";

import katex from "@vscode/markdown-it-katex";
import * as esbuild from "esbuild";
import MarkdownIt from "markdown-it";

const [site] = process.argv.slice(2);
const notebook = new URL("../lesson.ipynb", import.meta.url);
const engine = new URL("engine/", import.meta.url);

const markdown = MarkdownIt({ html: true }).use(katex.default ?? katex, { throwOnError: true });

/** What follows a text is part of it, but for a question. */
function addText(blocks, html) {
  const last = blocks.at(-1);
  if (last?.kind === "text" && !html.startsWith("<details")) last.html += html;
  else blocks.push({ kind: "text", html });
}

/**
 * The chapters of a notebook, one for each heading "## …". What stands before the first belongs to it, but for the
 * notebook's title: on the page, the chapter's stands above it.
 * {title, blocks: [{kind: "text", html} | {kind: "code", id, code}]}
 */
function chapters({ cells }) {
  const made = [];
  let blocks = [];
  const start = (title) => made.push({ title, blocks: made.length ? (blocks = []) : blocks });
  for (const { cell_type: type, id, source } of cells) {
    const whole = [source].flat().join("");
    if (type === "code") {
      blocks.push({ kind: "code", id, code: whole });
      continue;
    }
    for (const part of whole.split(/^(?=## )/m)) {
      const [, title, rest] = part.match(/^## (.*)\n?([^]*)/) ?? [null, null, part];
      if (title) start(title.replace(/^\d+\. */, ""));
      const text = rest.replace(/^# .*$/m, "");
      if (text.trim()) addText(blocks, markdown.render(text));
    }
  }
  return made;
}

/**
 * The steps of building an engine, in order: {title, text, write, hint, solution}. All but title and solution are HTML.
 */
async function steps() {
  const names = (await readdir(engine)).filter((name) => name.endsWith(".md")).sort();
  return Promise.all(
    names.map(async (name) => {
      const [, title, body] = (await readFile(new URL(name, engine), "utf-8")).match(/^---\ntitle: (.*)\n[^]*?\n---\n([^]*)/);
      const [text, write, hint] = body.split(/^## .*$/m).map((part) => markdown.render(part));
      return { title, text, write, hint, solution: await readFile(new URL(name.replace(".md", ".py"), engine), "utf-8") };
    }),
  );
}

// What scripts import under these names is made here, at build time.
const made = {
  "lesson:chapters": async () => chapters(JSON.parse(await readFile(notebook, "utf-8"))),
  "engine:steps": steps,
};

const texts = {
  name: "texts",
  setup(build) {
    build.onResolve({ filter: /^(lesson|engine):/ }, ({ path }) => ({ path, namespace: "texts" }));
    build.onLoad({ filter: /.*/, namespace: "texts" }, async ({ path }) => ({ contents: JSON.stringify(await made[path]()), loader: "json" }));
  },
};

await esbuild.build({
  entryPoints: ["start.js", "worker.js"].map((name) => new URL(`web/${name}`, import.meta.url).pathname),
  outdir: site,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "linked",
  plugins: [texts],
  logLevel: "warning",
});

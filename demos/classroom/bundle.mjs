// Bundles the page's scripts into the folder that is given, and makes chapters of the lesson's notebook on the way.

import { readFile } from "node:fs/promises";

import katex from "@vscode/markdown-it-katex";
import * as esbuild from "esbuild";
import MarkdownIt from "markdown-it";

const [site] = process.argv.slice(2);
const notebook = new URL("../lesson.ipynb", import.meta.url);

const markdown = MarkdownIt({ html: true }).use(katex.default ?? katex, { output: "mathml", throwOnError: true });

/**
 * The chapters of a notebook, one for each heading "## …"; what stands before the first belongs to it.
 * {title, blocks: [{kind: "text", html} | {kind: "code", id, code}]}
 */
function chapters({ cells }) {
  const made = [];
  let blocks = [];
  const start = (title) => made.push({ title, blocks: made.length ? (blocks = []) : blocks });
  for (const { cell_type: type, id, source } of cells) {
    const text = [source].flat().join("");
    if (type === "code") {
      blocks.push({ kind: "code", id, code: text });
      continue;
    }
    for (const part of text.split(/^(?=## )/m)) {
      const [, title, rest] = part.match(/^## (.*)\n?([^]*)/) ?? [null, null, part];
      if (title) start(title.replace(/^\d+\. */, ""));
      if (rest.trim()) blocks.push({ kind: "text", html: markdown.render(rest) });
    }
  }
  return made;
}

const lesson = {
  name: "lesson",
  setup(build) {
    build.onResolve({ filter: /^lesson:chapters$/ }, ({ path }) => ({ path, namespace: "lesson" }));
    build.onLoad({ filter: /.*/, namespace: "lesson" }, async () => ({
      contents: JSON.stringify(chapters(JSON.parse(await readFile(notebook, "utf-8")))),
      loader: "json",
    }));
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
  plugins: [lesson],
  logLevel: "warning",
});

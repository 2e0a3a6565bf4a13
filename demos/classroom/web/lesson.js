// The lesson, chapter by chapter. Its text and code are those of demos/lesson.ipynb.

import chapters from "lesson:chapters";

import { cell } from "./cell.js";
import { element } from "./dom.js";
import { texts } from "./texts.js";

const codes = chapters.flatMap(({ blocks }) => blocks.filter(({ kind }) => kind === "code")); // in order

// The cells that ran in the interpreter of this number.
const ran = { generation: 0, ids: new Set() };
let queue = Promise.resolve();

export function mount(place, { python, store, route }) {
  const number = Math.min(Math.max(Number.parseInt(route[0], 10) || 1, 1), chapters.length);
  const { title, blocks } = chapters[number - 1];
  const list = element("ol", { className: "chapters" });
  chapters.forEach(({ title: name }, index) => {
    const link = element("a", { href: `#lesson/${index + 1}` }, name);
    if (index + 1 === number) link.setAttribute("aria-current", "page");
    list.append(element("li", {}, link));
  });
  place.append(element("nav", { "aria-label": texts.lesson.chapters }, list));
  const article = element("article", {}, element("h2", {}, `${number}. ${title}`));
  place.append(article);
  const cells = [];
  for (const block of blocks) {
    if (block.kind === "text") {
      article.append(element("div", { className: "prose", innerHTML: block.html }));
      continue;
    }
    const { id, code } = block;
    const name = `cell ${codes.indexOf(block) + 1}`;
    cells.push(
      cell(article, {
        python,
        store,
        key: `lesson.${id}`,
        code,
        name,
        label: texts.lesson.cell(number, cells.length + 1),
        before: () => runUpTo(block, python, store),
        after: ({ error }) => error || done(python).add(id),
      }),
    );
  }
  article.append(turn(number));
  scrollTo(0, 0);
  return () => cells.forEach((one) => one.destroy());
}

/** Links to the chapters before and after. */
function turn(number) {
  const link = (index, text) => (chapters[index - 1] ? element("a", { href: `#lesson/${index}` }, text(chapters[index - 1].title)) : "");
  return element("nav", { className: "turn", "aria-label": texts.lesson.turn }, link(number - 1, texts.lesson.previous), link(number + 1, texts.lesson.next));
}

function done(python) {
  if (ran.generation !== python.generation) Object.assign(ran, { generation: python.generation, ids: new Set() });
  return ran.ids;
}

/** Run the cells before this one that did not run yet; an error's text, if one fails. */
function runUpTo(block, python, store) {
  queue = queue.then(async () => {
    for (const { id, code } of codes.slice(0, codes.indexOf(block))) {
      if (done(python).has(id)) continue;
      const { error } = await python.run(code, { name: `cell ${id}` });
      if (error) return texts.lesson.failedBefore(error);
      done(python).add(id);
    }
    return null;
  });
  return queue;
}

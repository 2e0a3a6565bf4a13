// The lesson, chapter by chapter. Its text and code are those of demos/lesson.ipynb; each chapter can be opened alone.

import chapters from "lesson:chapters";

import { cell } from "./cell.js";
import { element } from "./dom.js";
import { texts } from "./texts.js";

const words = texts.lesson;
const codesOf = ({ blocks }) => blocks.filter(({ kind }) => kind === "code");

const ran = { generation: 0, ids: new Set() }; // the cells that ran in the interpreter of this number

export function mount(place, { python, store, route }) {
  const number = Math.min(Math.max(Number.parseInt(route[0], 10) || 1, 1), chapters.length);
  const chapter = chapters[number - 1];
  const codes = codesOf(chapter);
  const contents = element("nav", { className: "chapters", "aria-label": words.chapters });
  const article = element("article", {}, element("h2", {}, `${number}. ${chapter.title}`));
  place.append(contents, article);
  showContents();

  const cells = chapter.blocks.map((block) => {
    if (block.kind === "text") {
      article.append(prose(block.html, `lesson.prediction.${number}`, store));
      return null;
    }
    const index = codes.indexOf(block);
    return cell(article, {
      python,
      store,
      key: `lesson.${block.id}`,
      code: block.code,
      name: nameOf(index),
      label: words.cell(number, index + 1),
      before: () => runBefore(index),
      after: ({ error }) => error || remember(block.id),
    });
  });
  article.append(turn(number));
  return () => cells.forEach((one) => one?.destroy());

  /** The chapters, those marked whose cells have all run. */
  function showContents() {
    const known = store.get("lesson.ran", {});
    const items = chapters.map((one, index) => {
      const link = element("a", { href: `#lesson/${index + 1}` }, one.title);
      if (index + 1 === number) link.setAttribute("aria-current", "page");
      const mark = codesOf(one).every(({ id }) => known[id]) ? element("span", { className: "done", title: words.done, role: "img", "aria-label": words.done }, "✓") : "";
      return element("li", {}, link, mark);
    });
    contents.replaceChildren(element("ol", {}, ...items));
  }

  function remember(id) {
    done().add(id);
    store.set("lesson.ran", { ...store.get("lesson.ran", {}), [id]: true });
    showContents();
  }

  /** Run what the chapter's cells before this one have not yet run; an error's text, if one fails. */
  async function runBefore(index) {
    for (const { id, code } of codes.slice(0, index)) {
      if (done().has(id)) continue;
      const { error } = await python.run(store.get(`lesson.${id}`, code), { name: nameOf(codes.findIndex((one) => one.id === id)) });
      if (error) return words.failedBefore(error);
      done().add(id);
    }
    return null;
  }

  function done() {
    if (ran.generation !== python.generation) Object.assign(ran, { generation: python.generation, ids: new Set() });
    return ran.ids;
  }
}

const nameOf = (index) => words.name(index + 1);

/** A text. Its question gets a field for the prediction, and only then the answer. */
function prose(html, key, store) {
  const text = element("div", { className: "prose", innerHTML: html });
  for (const details of text.querySelectorAll("details")) {
    const summary = details.querySelector("summary");
    const question = element("p", { className: "question" });
    question.append(...summary.childNodes);
    summary.textContent = words.answer;
    const field = element("input", { type: "text", value: store.get(key, ""), oninput: () => store.set(key, field.value || undefined) });
    details.before(question, element("label", { className: "prediction" }, words.prediction, field));
    text.classList.add("asks");
  }
  return text;
}

/** Links to the chapters before and after. */
function turn(number) {
  const nav = element("nav", { className: "turn", "aria-label": words.turn });
  const link = (to, className, text) => chapters[to - 1] && nav.append(element("a", { className, href: `#lesson/${to}` }, text(chapters[to - 1].title)));
  link(number - 1, "previous", words.previous);
  link(number + 1, "next", words.next);
  return nav;
}

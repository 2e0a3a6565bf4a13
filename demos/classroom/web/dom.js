// Elements of the page, made in one line.

/**
 * An element with properties, attributes and children: `element("button", { className: "run", onclick }, "Run")`.
 * A name with a hyphen, or `role`, is an attribute; any other is a property.
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

// textlint's kernel with the terms of words.json and two rules of our own. It reads a list of {path, text} as JSON, with
// Markdown as the text, and writes the faults of each. It runs in the folder in which the packages are installed.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { TextlintKernel } = require("@textlint/kernel");
const { splitAST } = require("sentence-splitter");
const markdown = require("@textlint/textlint-plugin-markdown").default;
const terminology = require("textlint-rule-terminology").default;

// The rule reads the genitive of API as a plural, and allows one spelling only of an id, a run time and a file name.
const NOT_OURS = ["API['’]?s", "URL['’]?s", "ID", "id['’]?s", "run[- ]time", "function argument(s)?", "file[- ]name(s)?",
  "host[- ]name(s)?", "file-?type(s)?", "readme(s)?", "cURL"];
const WORDS = 30;
const RELATIVE = /^(what|who|whom|whose|whoever|whatever|which|whichever|wherever)\b/i;
const WITHOUT_MAIN_CLAUSE = /^where\b[^,]*$/i;

/** A sentence begins with its subject, not with a relative clause. A question may. */
const opening = (context) =>
  everySentence(context, (sentence) => {
    if (sentence.endsWith("?") || !(RELATIVE.test(sentence) || WITHOUT_MAIN_CLAUSE.test(sentence))) return "";
    return `a sentence begins with “${sentence.split(/\s/)[0]}”: begin with a noun, a verb or “if”, or end with “?”`;
  });

/** A sentence is short enough to be read once. */
const length = (context) =>
  everySentence(context, (sentence) => {
    const count = sentence.split(/\s+/).filter((word) => /\w/.test(word)).length;
    return count > WORDS ? `a sentence of ${count} words: split it, at most ${WORDS} words each` : "";
  });

function everySentence({ Syntax, report, RuleError, locator }, fault) {
  const check = (node) => {
    for (const sentence of splitAST(node).children.filter(({ type }) => type === "Sentence")) {
      const found = fault(prose(sentence).trim());
      if (found) report(node, new RuleError(found, { padding: locator.at(sentence.range[0] - node.range[0]) }));
    }
  };
  return { [Syntax.Paragraph]: check, [Syntax.Header]: check, [Syntax.TableCell]: check };
}

/** The text of a node: code counts as one word, and a picture as none. */
function prose(node) {
  if (node.type === "Code") return "`code`";
  if (node.type === "Image" || node.type === "Html") return "";
  return node.children ? node.children.map(prose).join("") : (node.value ?? "");
}

// The rule replaces the first match within a word: without boundaries “refused” is “refuse” and a “d” that stays.
const terms = JSON.parse(readFileSync(new URL("words.json", import.meta.url))).map(([pattern, remedy]) => [
  `\\b(?:${pattern})\\b`,
  remedy,
]);
const options = {
  ext: ".md",
  plugins: [{ pluginId: "markdown", plugin: markdown }],
  rules: [
    { ruleId: "words", rule: terminology, options: { terms, exclude: NOT_OURS, skip: [] } },
    { ruleId: "opening", rule: opening },
    { ruleId: "length", rule: length },
  ],
};
const kernel = new TextlintKernel();
const results = [];
for (const { path, text } of JSON.parse(readFileSync(0))) {
  const { messages } = await kernel.lintText(text, { ...options, filePath: path });
  for (const { line, column, ruleId, message } of messages) results.push({ path, line, column, rule: ruleId, message });
}
console.log(JSON.stringify(results));

/** Recorded streams of Anthropic's API, outside the project: PARLEY_CORPUS, or ../shared/corpus beside it. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = process.env.PARLEY_CORPUS ?? fileURLToPath(new URL("../../../shared/corpus", import.meta.url));

/** @returns {{name: string, events: object[]}[]} none when the recordings are not there */
export function recordings() {
  if (!existsSync(folder)) return [];
  const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8"));
  const items = Array.isArray(index) ? index : (index.items ?? Object.values(index));
  const anthropic = new Set(
    items.filter((item) => item.api === "messages").map((item) => item.name ?? item.id),
  );
  return readdirSync(folder)
    .filter((file) => file.endsWith(".sse") && anthropic.has(file.slice(0, -4)))
    .map((file) => ({ name: file, events: eventsOf(readFileSync(join(folder, file), "utf8")) }));
}

/** @param {string} stream */
function eventsOf(stream) {
  return stream
    .split(/\r\n|\r|\n/)
    .filter((line) => line.startsWith("data:"))
    .flatMap((line) => {
      try {
        return [JSON.parse(line.slice(5))];
      } catch {
        return [];
      }
    });
}

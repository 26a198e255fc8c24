// Bundles the browser's files into static/dist: static/js/main.js -> app.js, KaTeX's sheet and fonts -> katex.css;
// door.js for the pages of signing in; chart.js with uPlot and its sheet for pages that have a chart; and theme.js
// by itself, which runs before the first paint.
//   node build.mjs            once, small, without source maps
//   node build.mjs --watch    again after each change, readable, with source maps
// Chunks and fonts carry a hash of their content in their names (c/NAME-HASH); entries get theirs from Django.
import { existsSync, renameSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const root = dirname(fileURLToPath(import.meta.url));
const dist = join(root, "static", "dist");
const watch = process.argv.includes("--watch");

// KaTeX names each font in three formats. Every browser that can run Parley reads woff2: the others are left out.
const woff2Only = {
  name: "woff2-only",
  setup(build) {
    build.onLoad({ filter: /katex\.css$/ }, async ({ path }) => {
      const sheet = await readFile(path, "utf8");
      return {
        contents: sheet.replace(/,\s*url\([^)]*\.(?:woff|ttf)\)\s*format\([^)]*\)/g, ""),
        loader: "css",
      };
    });
  },
};

const options = (outdir) => ({
  absWorkingDir: root,
  entryPoints: {
    app: "static/js/main.js",
    chart: "static/js/chart.js",
    door: "static/js/door.js",
    theme: "static/js/theme.js",
    katex: "katex/dist/katex.css",
  },
  outdir,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: !watch,
  sourcemap: watch,
  legalComments: "linked",
  chunkNames: "c/[name]-[hash]",
  assetNames: "c/[name]-[hash]",
  loader: { ".woff2": "file" },
  plugins: [woff2Only],
  logLevel: "warning",
});

if (watch) {
  rmSync(dist, { recursive: true, force: true });
  await (await esbuild.context(options(dist))).watch();
} else {
  // Built beside and moved into place: whoever serves or collects files never sees half a bundle.
  for (const old of [`${dist}.new`, `${dist}.old`]) rmSync(old, { recursive: true, force: true });
  try {
    await esbuild.build(options(`${dist}.new`));
  } catch {
    process.exit(1); // esbuild has printed the reason
  }
  if (existsSync(dist)) renameSync(dist, `${dist}.old`);
  renameSync(`${dist}.new`, dist);
  rmSync(`${dist}.old`, { recursive: true, force: true });
}

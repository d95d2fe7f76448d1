// Builds each widget's page side: src/NAME.js and src/NAME.css become one file each in ../static, or in the folder that is
// named. `--uses FILE` also writes down which packages are inside, for the list of licences.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { uses: { type: "string" } } });
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const result = await build({
  absWorkingDir: here("."),
  entryPoints: existsSync(here("src")) ? readdirSync(here("src")).map((name) => `src/${name}`) : [],
  outdir: positionals[0] ?? here("../static"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none", // docs/third-party.txt has them
  metafile: true,
  logLevel: "warning",
});

if (values.uses) {
  const names = Object.keys(result.metafile.inputs).map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]);
  writeFileSync(values.uses, JSON.stringify([...new Set(names.filter(Boolean))].sort()));
}

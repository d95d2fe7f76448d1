// Build each widget's page side: src/NAME/index.js and index.css become NAME.js and NAME.css in ../static, or in the
// folder given. `--uses FILE` also lists the packages inside, for the licence check.
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { uses: { type: "string" } } });
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const widgets = readdirSync(here("src")).filter((name) => existsSync(here(`src/${name}/index.js`)));

const result = await build({
  absWorkingDir: here("."),
  entryPoints: widgets.flatMap((name) => ["js", "css"].map((kind) => ({ in: `src/${name}/index.${kind}`, out: name }))),
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

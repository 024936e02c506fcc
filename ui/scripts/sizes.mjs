// Compresses what was built, beside it, and weighs the first load: the entry, what it imports, the inbox's list,
// styles and the Latin fonts. Fails above the budget. Charts have a weight of their own, shown apart.
import { readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const BUDGET_KB = 250;
const dist = new URL('../dist/', import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8'));
const squeezed = new Set(['.js', '.css', '.html', '.svg', '.json']);

const gzip = new Map();
const brotli = new Map();
for (const name of readdirSync(dist, { recursive: true })) {
  const path = join(dist, name);
  if (!statSync(path).isFile() || name.startsWith('.vite') || name.endsWith('.br') || name.endsWith('.gz')) continue;
  const bytes = readFileSync(path);
  if (!squeezed.has(extname(name)) || name === 'index.html') {
    gzip.set(name, squeezed.has(extname(name)) ? gzipSync(bytes, { level: 9 }).length : bytes.length);
    brotli.set(name, gzip.get(name));
    continue;
  }
  const gz = gzipSync(bytes, { level: 9 });
  const br = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } });
  writeFileSync(`${path}.gz`, gz);
  writeFileSync(`${path}.br`, br);
  gzip.set(name, gz.length);
  brotli.set(name, br.length);
}

/** The files of some sources and of all that they import at once. */
function files(...sources) {
  const seen = new Set();
  const visit = (key) => {
    const chunk = manifest[key];
    if (!chunk || seen.has(chunk.file)) return;
    seen.add(chunk.file);
    for (const css of chunk.css ?? []) seen.add(css);
    for (const next of chunk.imports ?? []) visit(next);
  };
  for (const source of sources) {
    if (!manifest[source]) throw new Error(`the manifest has no ${source}`);
    visit(source);
  }
  return seen;
}

const kb = (bytes) => (bytes / 1000).toFixed(1).padStart(7);
const sum = (set, sizes) => [...set].reduce((total, file) => total + (sizes.get(file) ?? 0), 0);
const line = (what, set) => console.log(`  ${what.padEnd(46)}${kb(sum(set, gzip))} kB gzip ${kb(sum(set, brotli))} kB brotli`);

const entry = files('index.html');
const inbox = files('index.html', 'src/pages/inbox/page.tsx');
const first = new Set(['index.html', 'favicon.svg', ...inbox]);
// What a Latin page asks for at once; Arabic letters bring two files more.
for (const name of gzip.keys()) if (/figtree-latin-(400|600)-normal.*woff2$/.test(name)) first.add(name);
const charts = files('src/pages/analytics/charts.tsx');
for (const file of entry) charts.delete(file);

console.log('\nWhat a browser loads:');
line('scripts and styles of every page', entry);
line('first load: inbox, with fonts and icon', first);
line('charts, when a page shows one', charts);
// Brotli is what browsers are given over https, and on this machine; gzip is for the rest, and the heavier of the two.
const weight = sum(first, gzip) / 1000;
if (weight > BUDGET_KB) {
  console.error(`The first load is ${weight.toFixed(1)} kB compressed, and ${BUDGET_KB} kB is the most.`);
  process.exit(1);
}
console.log(`  within the ${BUDGET_KB} kB that a first load may take`);

// A busy year in a demo: 10 000 conversations and 100 000 failed sends, and how long a person waits for the inbox and for the failed sends.
// `npm run crowd`; with BARID_BIN, of another binary. Needs the sqlite3 command: the rows are laid into the file while no server runs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { browser, demo, open } from './house.mjs';

const TALKS = 10_000;
const FAILED = 100_000;
/** On an idle machine; elsewhere CROWD_LIMIT says how much longer it may take. */
const LIMIT_MS = Number(process.env.CROWD_LIMIT ?? 1000);

const copy = (table, from, over) => ({ table, from, over });
/** Lays rows: each a copy of one there is, with the columns that `over` names made anew from n. */
function lay(file, { table, from, over }, count) {
  const sql = (text) => execFileSync('sqlite3', [file], { input: text, encoding: 'utf8' }).trim();
  const columns = sql(`SELECT name FROM pragma_table_info('${table}')`).split('\n');
  const values = columns.map((name) => over[name] ?? `s.${name}`);
  sql(`PRAGMA foreign_keys = OFF; WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n + 1 < ${count})
       INSERT INTO ${table} (${columns.join(', ')}) SELECT ${values.join(', ')} FROM c, (SELECT * FROM ${table} WHERE ${from} LIMIT 1) AS s;`);
}

function crowd(folder) {
  const file = join(folder, readdirSync(folder).find((name) => name.endsWith('.db')));
  const one = (text) => execFileSync('sqlite3', [file], { input: text, encoding: 'utf8' }).trim();
  const base = BigInt(one('SELECT max(id) FROM message')) + 1_000_000n;
  const talk = `(SELECT conversation_id FROM desk ORDER BY conversation_id DESC LIMIT 1)`;
  const bad = `(SELECT message_id FROM outbox o JOIN message m ON m.id = o.message_id WHERE m.status = 'failed' LIMIT 1)`;
  const [seed, failed] = [one(`SELECT ${talk}`), one(`SELECT ${bad}`)];
  const at = (n) => `${base} + ${n}`;
  const [person, lead, conversation, message] = ['n * 8', 'n * 8 + 1', 'n * 8 + 2', 'n * 8 + 3'].map(at);
  const ofTalk = (column) => `(SELECT ${column} FROM conversation WHERE id = ${seed})`;
  lay(file, copy('contacts', `id = ${ofTalk('contact_id')}`, { id: person, name: "'Person ' || n", phone: "'97155' || printf('%07d', n)" }), TALKS);
  lay(file, copy('lead', `id = ${ofTalk('lead_id')}`, { id: lead, contact_id: person, name: "'Person ' || n", phone: "'97155' || printf('%07d', n)" }), TALKS);
  lay(file, copy('conversation', `id = ${seed}`, { id: conversation, contact_id: person, lead_id: lead, next_due: 'NULL', lease_owner: 'NULL', lease_until: '0' }), TALKS);
  lay(file, copy('message', `conversation_id = ${seed} AND direction = 'in'`, { id: message, conversation_id: conversation, body: "'I need a golden visa, number ' || n", provider_id: "'crowd.in.' || n" }), TALKS);
  lay(file, copy('desk', `conversation_id = ${seed}`, { conversation_id: conversation, last_id: message, status: "CASE n % 3 WHEN 0 THEN 'open' WHEN 1 THEN 'pending' ELSE 'resolved' END", search: "'person ' || n" }), TALKS);
  const [sent, of] = [`${base} + 100000 + n`, `${base} + (n % ${TALKS}) * 8 + 2`];
  lay(file, copy('message', `id = ${failed}`, { id: sent, conversation_id: of, provider_id: 'NULL', error_code: 'CASE n % 5 WHEN 0 THEN 131047 WHEN 1 THEN NULL ELSE 131026 END' }), FAILED);
  lay(file, copy('outbox', `message_id = ${failed}`, { message_id: sent, conversation_id: of, dedupe_key: "'crowd:' || n", due_at: 'NULL' }), FAILED);
  // The desk knows them already: its follower goes on after them.
  one(`UPDATE follower SET seen = (SELECT max(id) FROM message) WHERE source = 'messages'`);
  return { talks: one('SELECT count(*) FROM conversation'), failed: one("SELECT count(*) FROM message WHERE status = 'failed'") };
}

const house = await demo();
const chrome = await browser();
let bad = false;
try {
  const first = await chrome.newContext({ viewport: { width: 1440, height: 900 } });
  const page = await open(first);
  await page.goto(house.start);
  await page.waitForURL('**/simulator');
  let size;
  await house.restart(async (folder) => {
    size = crowd(folder);
  });
  console.log(`  ${size.talks} conversations, ${size.failed} failed sends`);
  // A browser that has the page's files, as on every morning but the first.
  await page.goto(`${house.url}/inbox`);
  await page.locator('[data-talk]').first().waitFor();
  const measure = async (what, path, ready, act) => {
    const took = [];
    for (let n = 0; n < 5; n += 1) {
      const began = Date.now();
      await page.goto(house.url + path, { waitUntil: 'commit' });
      await page.locator(ready).first().waitFor();
      // Interactive: what a person does is done.
      await act();
      took.push(Date.now() - began);
    }
    took.sort((a, b) => a - b);
    const ok = took[2] <= LIMIT_MS;
    bad ||= !ok;
    console.log(`  ${what}: median ${took[2]} ms, worst ${took[4]} ms of 5 (at most ${LIMIT_MS} ms)${ok ? '' : '  TOO SLOW'}`);
  };
  await measure('inbox, first row opens', '/inbox', '[data-talk] a', async () => {
    await page.locator('[data-talk] a').first().click();
    await page.waitForURL(/inbox\/\d+/);
  });
  await measure('failed sends, first row opens', '/failed', 'tr[data-row]', async () => {
    await page.locator('tr[data-row]').first().press('Enter');
    await page.getByRole('dialog').waitFor();
  });
  // Counts stop at a bound and are said so (R7), and the list goes on by its cursor.
  const counts = await page.evaluate(async () => {
    const get = (path) => fetch(`/api/v1${path}`).then((answer) => answer.json());
    const began = performance.now();
    const groups = await get('/failed-sends/groups');
    return { total: groups.total, ms: performance.now() - began };
  });
  console.log(`  failed sends counted: ${counts.total.value}${counts.total.capped ? '+' : ''} in ${counts.ms.toFixed(0)} ms`);
  assert.equal(counts.total.capped, true);
} finally {
  await chrome.close();
  await house.stop();
}
process.exit(bad ? 1 : 0);

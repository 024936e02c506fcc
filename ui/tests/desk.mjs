// What operators do: webhooks, numbers, jobs, letters, charts, health, the simulator's panel. In both languages, against a demo of its own.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { AxeBuilder } from '@axe-core/playwright';
import { browser, demo, open, settle } from './house.mjs';
import { converse } from './people.mjs';
import { suite } from './suite.mjs';

const { test, end } = suite({ minutes: 9 });
const house = await demo();
const chrome = await browser();
const context = await chrome.newContext({ viewport: { width: 1440, height: 900 } });
context.setDefaultTimeout(20_000);
const page = await open(context);
let tools;

/** A program that is told: what came, and how it answers. */
const heard = [];
let answers = 200;
const program = createServer((request, response) => {
  let body = '';
  request.on('data', (bytes) => (body += bytes));
  request.on('end', () => {
    heard.push({ headers: request.headers, body });
    response.writeHead(answers);
    response.end();
  });
});
await new Promise((resolve) => program.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${program.address().port}/hook`;

async function eventually(what, look) {
  for (let n = 0; n < 150; n += 1) {
    const found = await look();
    if (found) return found;
    await page.waitForTimeout(200);
  }
  throw new Error(`${what} did not come within 30 s`);
}
const speak = (language) => page.evaluate((code) => localStorage.setItem('barid.language', code), language);
/** What axe finds on the page as it stands, in one language. */
async function clean(what) {
  await settle(page);
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map((v) => `${what}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => n.target.join(' ')).join(' | ')}`), []);
}
const signed = (secret, { headers, body }) => {
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const own = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`).digest('base64');
  return headers['webhook-signature'].split(' ').includes(`v1,${own}`);
};

await test('the demo opens, and has a sample', async () => {
  await page.goto(house.start);
  await page.waitForURL('**/simulator');
  tools = await converse(page, house);
});

let secret;
await test('an endpoint is set up, its secret shown once, and a test is heard, signed', async () => {
  await page.goto(`${house.url}/settings/webhooks`);
  await page.getByText('No program is told anything').waitFor();
  await page.getByRole('button', { name: 'New endpoint' }).first().click();
  const dialog = page.getByRole('dialog').filter({ hasText: 'New endpoint' });
  await dialog.getByRole('textbox', { name: 'Address' }).fill(url);
  await dialog.getByRole('textbox', { name: 'What it is for' }).fill('our CRM');
  await clean('new endpoint');
  await dialog.getByRole('button', { name: 'New endpoint' }).click();
  const shown = page.getByRole('dialog').filter({ hasText: 'whsec_' });
  secret = (await shown.locator('code').innerText()).trim();
  await shown.getByRole('button', { name: 'Close' }).click();
  await shown.waitFor({ state: 'hidden' });
  assert.equal(await page.getByText('whsec_').count(), 0);
  await page.getByRole('button', { name: `More actions: ${url}` }).click();
  await page.getByRole('menuitem', { name: 'Send a test' }).click();
  const told = await eventually('the test', () => heard.find((one) => JSON.parse(one.body).type === 'webhook.test'));
  assert.ok(signed(secret, told), 'signed by the secret that was shown');
  const row = page.locator('tr[data-row]').filter({ hasText: 'webhook.test' }).first();
  await row.getByText('Heard', { exact: true }).waitFor();
  await row.press('Enter');
  await page.getByRole('dialog').getByText(`msg_`).first().waitFor();
  await clean('delivery');
  await page.keyboard.press('Escape');
});

await test('an event that nobody hears waits, says why, and is told again by hand', async () => {
  answers = 503;
  await tools.write('971500000301', 'Sara Khan', 'Is anybody told of this?');
  const row = page.locator('tr[data-row]').filter({ hasText: 'message.created' }).filter({ hasText: '503' }).first();
  await eventually('the answer 503', async () => {
    await page.reload();
    return row.waitFor({ timeout: 4000 }).then(() => true, () => false);
  });
  answers = 200;
  const before = heard.length;
  await eventually('the next try', () => heard.length > before);
});

await test('the webhooks in Arabic: nothing that axe finds, on a desk and on a phone', async () => {
  await speak('ar');
  for (const size of [{ width: 1440, height: 900 }, { width: 375, height: 800 }]) {
    await page.setViewportSize(size);
    await page.goto(`${house.url}/settings/webhooks`);
    await page.locator('[data-endpoint]').first().waitFor();
    await clean(`webhooks ${size.width}`);
    const sideways = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1);
    assert.equal(sideways, false, 'scrolls sideways');
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await speak('en');
});

await test('a number is asked and tested: the provider’s word, and a message with its ticks', async () => {
  await page.goto(`${house.url}/settings/channels`);
  const row = page.locator('[data-channel]').filter({ hasText: 'Meta Cloud API' });
  await row.getByRole('button', { name: /Ask now/ }).click();
  await row.getByText('Token is good').waitFor();
  await row.getByText('GREEN').waitFor();
  await row.getByRole('button', { name: /Send a test/ }).click();
  const dialog = page.getByRole('dialog').filter({ hasText: 'Send a test' });
  await dialog.getByRole('textbox', { name: /To/ }).fill('+971 50 000 0301');
  await dialog.getByRole('button', { name: 'Send it' }).click();
  await dialog.getByText('A test from Barid').waitFor();
  await clean('test of a number');
  await eventually('the message', async () => (await tools.call('GET', '/simulator/messages?phone=971500000301')).bubbles.some((one) => one.text === 'A test from Barid'));
});

await test('the configuration shows what was set and no secret', async () => {
  await page.goto(`${house.url}/settings/configuration`);
  await page.locator('[data-key="jobs.runner_token"]').getByText('••••••').waitFor();
  await page.locator('[data-key="tenants[1].channels[1].access_token"]').getByText('••••••').waitFor();
  await page.getByRole('textbox', { name: 'Search' }).fill('public_url');
  await page.locator('[data-key="server.public_url"]').waitFor();
  assert.equal(await page.locator('[data-key]').count(), 1);
  assert.match(page.url(), /find=public_url/);
});

await test('a dead letter is given up by its typed word', async () => {
  await page.goto(`${house.url}/dead-letters`);
  await page.locator('tr[data-row]').first().press('Enter');
  await clean('dead letter');
  await page.getByRole('dialog').getByRole('button', { name: 'Give it up' }).click();
  const sure = page.getByRole('dialog').filter({ hasText: 'Give this message up?' });
  assert.ok(await sure.getByRole('button', { name: 'Give it up' }).isDisabled());
  await sure.getByRole('textbox', { name: /give up/ }).fill('give up');
  await sure.getByRole('button', { name: 'Give it up' }).click();
  await page.getByText('No dead letters').waitFor();
});

await test('jobs are found by words; a dead one shows its steps and is worked again', async () => {
  await page.goto(`${house.url}/jobs`);
  const find = page.getByRole('combobox', { name: 'Filter by words' });
  await find.fill('state:dead');
  await find.press('Enter');
  await page.waitForURL(/state=dead/);
  await page.locator('tr[data-row]').first().press('Enter');
  const drawer = page.getByRole('dialog');
  await drawer.getByText('Attempt 1 failed').waitFor();
  await clean('job');
  assert.ok(await drawer.getByRole('button', { name: 'Work it again' }).isEnabled());
  const id = new URL(page.url()).searchParams.get('job');
  await page.keyboard.press('Escape');
  await drawer.waitFor({ state: 'hidden' });
  await page.getByRole('checkbox', { name: 'Select the rows of this page' }).check();
  await page.getByText('Updates paused while rows are selected').waitFor();
  await page.getByRole('button', { name: 'Work 1 selected again' }).click();
  await page.getByText('1 done, 0 failed, 0 left alone').waitFor();
  await eventually('the job', async () => (await tools.call('GET', `/jobs/${id}`)).state === 'done');
  await page.goto(`${house.url}/jobs?job=${id}`);
  for (const what of ['Work it again', 'Do not work it']) assert.ok(await drawer.getByRole('button', { name: what }).isDisabled(), 'what is done is done');
});

await test('charts: a span of one’s own, and the CSV is the table', async () => {
  const day = (back) => new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10);
  await page.goto(`${house.url}/analytics?from=${day(5)}&to=${day(0)}`);
  await page.getByRole('table', { name: 'The figures as a table' }).waitFor();
  await page.getByText('Mean time to resolve').first().waitFor();
  const rows = await page.getByRole('table', { name: 'The figures as a table' }).locator('tbody tr').count();
  const csv = await page.getByRole('link', { name: 'CSV of these rows' }).getAttribute('href');
  const text = await page.evaluate((path) => fetch(path).then((answer) => answer.text()), csv);
  const lines = text.trim().split('\r\n');
  assert.equal(lines.length - 1, rows);
  assert.match(lines[0], /resolved,resolve_seconds,cost$/);
  await clean('analytics');
});

await test('an alert says what to do, out of the runbook, and knows the breaker', async () => {
  await page.goto(`${house.url}/health`);
  const alert = page.locator('[data-alert="breaker_open"]');
  await alert.first().waitFor({ timeout: 40_000 });
  await alert.first().getByRole('button', { name: /What to do/ }).click();
  await page.getByRole('dialog').getByText('An outside dependency failed again and again').waitFor();
  await clean('runbook');
  await page.keyboard.press('Escape');
  await page.locator('[data-breaker="llm_example"]').getByText('Opened 3 times in a row').waitFor();
});

await test('the simulator shows what went over the wire, and a code of one’s choice comes back', async () => {
  await page.goto(`${house.url}/simulator`);
  const log = page.getByRole('list', { name: 'What went over the wire' });
  await log.getByText('webhook', { exact: true }).first().waitFor();
  await page.getByRole('button', { name: 'Smaller phone' }).click();
  await page.getByRole('button', { name: 'Larger phone' }).waitFor();
  await page.getByRole('combobox', { name: 'Code of a refusal' }).click();
  await page.getByRole('option', { name: /132001/ }).click();
  await page.locator('[data-fault="refuse"]').click();
  await page.locator('[data-fault="refuse"][aria-pressed="true"]').waitFor();
  await clean('simulator');
  // The assistant answers here; Sara's conversation is a person's.
  await page.getByRole('button', { name: 'فاطمة الزعابي' }).click();
  const write = page.getByRole('textbox', { name: 'Message', exact: true });
  await write.fill('And what does it cost?');
  await write.press('Enter');
  await eventually('the failure', async () => (await tools.call('GET', '/failed-sends')).data.some((one) => one.error_code === 132001));
});

await test('every failed send of one cause is put away with a reason', async () => {
  await page.goto(`${house.url}/failed?code=132001`);
  await page.locator('tr[data-row]').first().waitFor();
  await page.getByRole('button', { name: 'Put it away' }).click();
  const sure = page.getByRole('dialog').filter({ hasText: 'Put these failed sends away?' });
  await sure.getByRole('textbox', { name: 'Reason' }).fill('only a try');
  await sure.getByRole('button', { name: 'Put it away' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Do 1' }).click();
  await eventually('an empty list', async () => (await tools.call('GET', '/failed-sends?error_code=132001')).data.length === 0);
  const record = (await tools.call('GET', '/audit')).data.find((one) => one.action === 'message.dismiss');
  assert.equal(record.reason, 'only a try');
});

await test('the simulator starts over: the same person, and nobody knows them', async () => {
  await page.goto(`${house.url}/simulator`);
  await page.getByRole('button', { name: 'Omar' }).click();
  await page.getByRole('button', { name: /Start over/ }).click();
  await page.getByText('Write as a customer would').waitFor();
  await page.getByRole('textbox', { name: 'Message', exact: true }).fill('Hello');
  await page.keyboard.press('Enter');
  await page.locator('[data-phone] [data-from="business"]').first().waitFor();
});

await test('a token is for the businesses that are chosen, and is shown once', async () => {
  await page.goto(`${house.url}/settings/tokens`);
  await page.getByRole('button', { name: 'New token' }).click();
  const dialog = page.getByRole('dialog').filter({ hasText: 'New token' });
  await dialog.getByRole('textbox', { name: 'What it is for' }).fill('a report');
  await dialog.getByRole('checkbox', { name: /all businesses/ }).uncheck();
  const make = dialog.getByRole('button', { name: 'New token' });
  assert.ok(await make.isDisabled(), 'for nothing there is no token');
  await dialog.getByRole('checkbox', { name: 'Al Ain Business Center' }).check();
  await clean('new token');
  await make.click();
  await page.getByRole('dialog').filter({ hasText: 'brd_' }).waitFor();
  const token = (await tools.call('GET', '/tokens')).data.find((one) => one.name === 'a report');
  assert.equal(token.all_tenants, false);
  assert.equal(token.tenants.length, 1);
  await page.goto(`${house.url}/settings/audit?of=house`);
  await page.getByText('token.create').first().waitFor();
});

await test('the browser reported nothing broken', () => assert.deepEqual(page.broken, []));

program.close();
await chrome.close();
await house.stop();
end();

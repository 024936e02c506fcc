// What is done to people: merged, erased, put off, given to somebody; and what happens to a writer whose session ends.
import assert from 'node:assert/strict';
import { AxeBuilder } from '@axe-core/playwright';
import { eventually, open, settle } from './house.mjs';

export async function leads({ test, page, chrome, wide, house, unique, tools }) {
  const conversationOf = (phone) => eventually(async () => (await tools.call('GET', '/conversations')).data.find((one) => one.phone === phone));
  const get = (path) => tools.call('GET', path);
  const rows = () => page.locator('tr[data-row]');
  const openLead = async (name) => {
    await page.goto(`${house.url}/leads?q=${encodeURIComponent(name)}`);
    await rows().filter({ hasText: name }).first().press('Enter');
    await page.locator('[data-act="merge"]').waitFor();
  };
  const dialog = (title) => page.getByRole('dialog').filter({ hasText: title });

  await test('two leads are merged after a look; messages by either number reach the one', async () => {
    const [first, second] = [unique(), `9719${String(Date.now()).slice(-8)}`];
    await tools.write(first, 'Twin Tariq', 'I need a golden visa');
    await conversationOf(first);
    await tools.write(second, 'Twin Tariq', 'this is my other number');
    const last = await conversationOf(second);
    await openLead('Twin Tariq');
    const stays = new URL(page.url()).searchParams.get('lead');
    await page.locator('[data-act="merge"]').click();
    await page.locator('[data-other]').first().click();
    await page.locator('[data-plan]').waitFor();
    assert.match(await page.locator('[data-plan]').innerText(), /1 conversation moves/);
    // Escape in the question leaves what lies beneath.
    await page.locator('[data-act="merge-now"]').click();
    await dialog('Merge for good?').waitFor();
    await page.keyboard.press('Escape');
    await dialog('Merge for good?').waitFor({ state: 'detached' });
    await page.locator('[data-act="merge-now"]').click();
    const sure = dialog('Merge for good?');
    assert.ok(await sure.getByRole('button', { name: 'Merge', exact: true }).isDisabled(), 'the word is wanted');
    await sure.getByRole('textbox').fill('merge');
    await sure.getByRole('button', { name: 'Merge', exact: true }).click();
    await page.waitForFunction(() => document.querySelectorAll('tr[data-row]').length === 1);
    await tools.write(first, 'Twin Tariq', 'from the first number');
    await tools.write(second, 'Twin Tariq', 'from the second number');
    const said = await eventually(async () => {
      const texts = (await get(`/conversations/${last.id}/messages`)).data.map((one) => one.body);
      return texts.includes('from the first number') && texts.includes('from the second number') && texts;
    });
    assert.ok(said);
    assert.equal((await get(`/conversations/${last.id}`)).lead_id, stays);
  });

  await test('a person’s data is deleted after the word is typed, and it is said what went', async () => {
    const phone = unique();
    await tools.write(phone, 'Vanishing Vera', 'forget the pomegranate');
    const talk = await conversationOf(phone);
    await tools.call('POST', `/conversations/${talk.id}/notes`, { body: 'Vera likes pomegranates' });
    await openLead('Vanishing Vera');
    await page.locator('[data-act="erase"]').click();
    const ask = dialog('Delete everything of');
    await ask.getByText(phone).waitFor();
    assert.ok(await ask.getByRole('button', { name: 'Delete for good' }).isDisabled());
    await ask.getByRole('textbox').fill('delete');
    await ask.getByRole('button', { name: 'Delete for good' }).click();
    const table = page.getByRole('table', { name: 'Deleted' });
    await table.getByText('contact_keys', { exact: true }).waitFor();
    for (const relation of ['messages', 'notes', 'leads', 'conversations']) assert.equal(await table.getByText(relation, { exact: true }).count(), 1, relation);
    await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
    await page.getByText('Nothing matches').waitFor();
    for (const path of [`/leads?q=Vera`, `/conversations?q=pomegranate`, `/conversations?q=${phone}`]) assert.equal((await get(path)).data.length, 0, path);
    await page.goto(`${house.url}/inbox/${talk.id}`);
    await page.getByText('This conversation does not exist').first().waitFor();
    const record = (await get('/audit')).data.find((line) => line.action === 'lead.erase');
    assert.ok(record && !JSON.stringify(record).includes('Vera'), 'the fact, and nothing of her');
  });

  await test('a conversation is put off until a chosen time, or until they write', async () => {
    const phone = unique();
    await tools.write(phone, 'Later Layla', 'hello');
    const talk = await conversationOf(phone);
    await page.goto(`${house.url}/inbox/${talk.id}`);
    await page.locator('[data-message]').first().waitFor();
    const choose = async (what) => {
      await page.getByRole('button', { name: 'More actions' }).click();
      await page.getByRole('menuitem', { name: what }).click();
    };
    const snoozed = () => get(`/conversations/${talk.id}`);
    await choose('Choose a time …');
    const at = new Date(Date.now() + 5 * 86_400_000);
    const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
    await dialog('Comes back at').getByLabel('Comes back at').fill(local);
    await dialog('Comes back at').getByRole('button', { name: 'Snooze', exact: true }).click();
    await eventually(async () => (await snoozed()).status === 'snoozed');
    assert.ok(Math.abs(Date.parse((await snoozed()).snoozed_until) - at.getTime()) < 61_000);
    await choose('Until they write');
    await eventually(async () => (await snoozed()).snoozed_until === null);
    assert.equal((await snoozed()).status, 'snoozed');
    await tools.write(phone, 'Later Layla', 'here I am');
    await eventually(async () => (await snoozed()).status !== 'snoozed');
  });

  await test('leads are filtered by what stands in the address, and the table to download by the same', async () => {
    await page.goto(`${house.url}/leads?owner=nobody&task=1`);
    await rows().first().waitFor();
    await page.reload();
    await rows().first().waitFor();
    const csv = await page.getByRole('link', { name: 'Download as CSV' }).getAttribute('href');
    assert.match(csv, /owner=nobody/);
    assert.match(csv, /with_task=true/);
    // The assistant's own tasks may still come in: both are asked until they say the same.
    await eventually(async () => {
      const lines = await page.evaluate((href) => fetch(href).then((answer) => answer.text()), csv);
      const listed = (await get('/leads?owner=nobody&with_task=true&limit=200')).data.length;
      return listed > 0 && lines.trim().split('\r\n').length - 1 === listed;
    });
    await page.getByRole('button', { name: 'Clear filters' }).click();
    await page.waitForURL(/\/leads$/);
  });

  await test('who may only look is offered nothing that changes, and is refused all the same', async () => {
    const user = await tools.call('POST', '/users', { email: `viewer${Date.now()}@example.com`, name: 'Vic', role: 'viewer', all_tenants: true });
    const { token } = await tools.call('POST', `/users/${user.id}/links`, {});
    const other = await chrome.newContext(wide);
    const viewer = await open(other);
    await viewer.goto(`${house.url}/start?token=${token}`);
    await viewer.waitForURL(/(simulator|inbox)/);
    const talk = (await get('/conversations')).data[0];
    await viewer.goto(`${house.url}/inbox/${talk.id}`);
    await viewer.locator('[data-message]').first().waitFor();
    assert.equal(await viewer.locator('textarea, [data-act="takeover"], [data-act="retry"]').count(), 0);
    await viewer.goto(`${house.url}/leads?lead=${talk.lead_id}`);
    await viewer.getByRole('dialog').getByLabel('Name').waitFor();
    assert.equal(await viewer.locator('[data-act="merge"], [data-act="erase"]').count(), 0);
    const status = (path, body) => viewer.evaluate(([where, what]) => fetch(`/api/v1${where}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(what) }).then((answer) => answer.status), [path, body]);
    assert.equal(await status(`/leads/${talk.lead_id}/erase`, { confirm: 'erase' }), 403);
    assert.equal(await status(`/conversations/${talk.id}/takeover`, {}), 403);
    await other.close();
  });

  await test('a session that ends while somebody writes loses nothing of what they wrote', async () => {
    const phone = unique();
    await tools.write(phone, 'Midway Mona', 'are you there?');
    const talk = await conversationOf(phone);
    await tools.call('POST', `/conversations/${talk.id}/takeover`, {});
    const user = await tools.call('POST', '/users', { email: `writer${Date.now()}@example.com`, name: 'Wafa', role: 'agent', all_tenants: true });
    const link = async () => `${house.url}/start?token=${(await tools.call('POST', `/users/${user.id}/links`, {})).token}`;
    const other = await chrome.newContext(wide);
    other.setDefaultTimeout(12_000);
    const writer = await open(other);
    await writer.goto(await link());
    await writer.waitForURL(/(simulator|inbox)/);
    await writer.goto(`${house.url}/inbox/${talk.id}`);
    const field = writer.getByRole('textbox', { name: 'Write a reply' });
    await field.fill('Yes, I am, and I was just');
    await field.press('End');
    await writer.keyboard.type(' about to answer');
    await other.clearCookies();
    // Whatever asks the server first finds out: sending, or a list that is read anew just then.
    await field.press('Control+Enter', { timeout: 3000 }).catch(() => undefined);
    await writer.waitForURL('**/login**');
    await writer.getByText('what you were writing is kept').waitFor();
    await writer.goto(await link());
    await writer.waitForURL(/(simulator|inbox)/);
    await writer.goto(`${house.url}/inbox/${talk.id}`);
    await field.waitFor();
    assert.equal(await field.inputValue(), 'Yes, I am, and I was just about to answer');
    await field.press('Control+Enter');
    await writer.locator('[data-message]').filter({ hasText: 'about to answer' }).waitFor();
    await other.close();
    await settle(page);
  });

  await test('axe finds nothing in what opens over leads, tasks and conversations, in both languages', async () => {
    const found = [];
    const cookies = (await page.context().storageState()).cookies;
    for (const [language, scheme] of [['en', 'light'], ['ar', 'dark']]) {
      const own = await chrome.newContext({ ...wide, colorScheme: scheme, storageState: { cookies, origins: [] } });
      own.setDefaultTimeout(12_000);
      const one = await open(own, language);
      const look = async (name, ...without) => {
        await settle(one);
        // A drawer that still slides in is half transparent, and judged so.
        await one.waitForFunction(() => document.getAnimations().every((move) => move.playState !== 'running' || move.effect?.getTiming().iterations === Infinity));
        const { violations } = await new AxeBuilder({ page: one }).disableRules(without).analyze();
        for (const v of violations) found.push(`${language} ${name}: ${v.id}: ${v.nodes.slice(0, 3).map((n) => `${n.target.join(' ')} ${n.failureSummary?.split('\n')[1] ?? ''}`).join(' | ')}`);
      };
      await one.goto(`${house.url}/leads`);
      await one.locator('tr[data-row]').first().press('Enter');
      await one.locator('[data-act="merge"]').waitFor();
      await look('lead');
      await one.locator('[data-act="merge"]').click();
      await one.getByRole('dialog').last().getByRole('textbox').fill('');
      await one.locator('[data-other]').first().waitFor();
      await look('merge: the other one');
      await one.locator('[data-other]').first().click();
      await one.locator('[data-plan]').waitFor();
      await look('merge: what moves');
      await one.reload();
      await one.locator('[data-act="erase"]').click();
      await one.getByRole('dialog').last().getByRole('textbox').waitFor();
      await look('erase');
      await one.goto(`${house.url}/tasks?tab=upcoming`);
      await one.locator('tr[data-row]').first().press('Enter');
      await one.getByRole('dialog').waitFor();
      await look('task');
      await one.goto(`${house.url}/notifications?tab=all`);
      await one.locator('[data-act="snooze"]').first().click();
      await one.getByRole('menuitem').first().waitFor();
      // A menu is no part of the page's order, wherever it is in the document.
      await look('notification, its snooze', 'region');
      found.push(...one.broken);
      await own.close();
    }
    assert.deepEqual(found, []);
  });
}

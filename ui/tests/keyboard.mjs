// The first tour without a mouse: every step by keys alone, from writing as a customer to the charts.
import assert from 'node:assert/strict';
import { settle } from './house.mjs';

export async function keyboard({ test, page, house, unique }) {
  const bubble = (from, text) => page.locator(`[data-phone] [data-from="${from}"]`).filter({ hasText: text });
  const press = async (...keys) => {
    for (const key of keys) await page.keyboard.press(key);
  };
  /** Goes on with Tab until this has the focus. */
  const reach = async (what, key = 'Tab') => {
    await what.waitFor({ state: 'attached' });
    for (let n = 0; n < 150; n += 1) {
      if (await what.evaluate((el) => el === document.activeElement)) return;
      await page.keyboard.press(key);
    }
    throw new Error(`Tab does not reach ${what}`);
  };
  /** Single keys count where no field has the focus: Tab leaves it. */
  const go = async (letter, where) => {
    for (let n = 0; n < 6; n += 1) {
      if (!(await page.evaluate(() => /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? '')))) break;
      await page.keyboard.press('Tab');
    }
    await press('g', letter);
    await page.waitForURL(where);
    await settle(page);
  };
  const button = (name) => page.getByRole('button', { name, exact: true });
  const focused = (selector) => page.waitForFunction((one) => document.activeElement?.matches(one), selector);
  const newcomer = async (name, phone) => {
    await reach(button('New customer').first());
    await press('Enter');
    await focused('[role="dialog"] input');
    await page.keyboard.type(name);
    await press('Tab', 'Control+a');
    await page.keyboard.type(phone);
    await press('Enter');
    await page.locator(`[data-phone="${phone}"]`).waitFor();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  };
  const write = async (text) => {
    await reach(page.getByRole('textbox', { name: 'Message', exact: true }));
    await page.keyboard.type(text);
    await press('Enter');
  };
  const find = async (name) => {
    await go('i', '**/inbox**');
    await press('Slash');
    await focused('input');
    await press('Control+a');
    await page.keyboard.type(name);
    await page.waitForURL((url) => url.searchParams.get('q') === name);
    await settle(page);
    const row = page.locator('[data-talk]').filter({ hasText: name }).locator('a').first();
    await reach(row);
    await press('Enter');
    await page.waitForURL(/inbox\/\d+/);
  };

  await test('the first tour by keyboard alone', async () => {
    await page.goto(`${house.url}/inbox`);
    await settle(page);
    await go('s', '**/simulator');
    const [english, arabic] = [unique(), `9718${String(Date.now()).slice(-8)}`];
    await newcomer('Keyboard Kareem', english);
    await write('Hi, I need a golden visa');
    await bubble('business', 'ABCai').first().waitFor();
    await page.locator('[data-message] [data-status="read"]').first().waitFor();
    await newcomer('ليلى', arabic);
    await write('السلام عليكم، أبغى رخصة تجارية');
    await bubble('business', 'أهلاً').first().waitFor();
    await find('Keyboard Kareem');
    await page.locator('[data-act="takeover"]').waitFor();
    await press('t');
    await page.getByText('A person answers here', { exact: true }).waitFor();
    await go('s', '**/simulator');
    const refuse = page.locator('[data-fault="refuse"]');
    await reach(refuse);
    await press('Enter');
    await page.locator('[data-fault="refuse"][aria-pressed="true"]').waitFor();
    await find('Keyboard Kareem');
    await press('r');
    await focused('textarea');
    await page.keyboard.type('Written without a mouse.');
    await press('Control+Enter');
    const mine = page.locator('[data-message]').filter({ hasText: 'without a mouse' });
    await mine.locator('[data-act="retry"]').waitFor();
    await press('Escape');
    await reach(mine.locator('[data-act="retry"]'), 'Shift+Tab');
    await press('Enter');
    await mine.locator('[data-status="read"]').waitFor();
    await go('n', '**/notifications');
    const notice = page.locator('[data-notice]').first();
    const id = await notice.getAttribute('data-notice');
    await reach(notice.locator('[data-act="snooze"]'));
    await press('Enter');
    await reach(page.getByRole('menuitem', { name: 'For one hour' }), 'ArrowDown');
    await press('Enter');
    await page.locator(`[data-notice="${id}"]`).waitFor({ state: 'detached' });
    await go('t', '**/tasks');
    await press('c');
    await focused('[role="dialog"] input');
    await page.keyboard.type('Send the papers, by keyboard');
    await press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await reach(page.locator('input[type="radio"]:checked').first());
    for (let n = 0; n < 6 && !page.url().includes('tab=undated'); n += 1) {
      const before = page.url();
      await press('ArrowRight');
      await page.waitForFunction((url) => location.href !== url, before);
    }
    const task = page.locator('tr[data-row]').filter({ hasText: 'by keyboard' });
    await reach(task);
    await press('d');
    await task.waitFor({ state: 'detached' });
    await reach(page.getByRole('navigation').getByRole('link', { name: 'Analytics' }), 'Shift+Tab');
    await press('Enter');
    await page.locator('.recharts-surface').first().waitFor();
  });

  await test('keys count by their place: an Arabic keyboard moves the same', async () => {
    await page.goto(`${house.url}/inbox`);
    await settle(page);
    const key = (code, letter) => page.evaluate(([at, text]) => document.body.dispatchEvent(new KeyboardEvent('keydown', { code: at, key: text, bubbles: true })), [code, letter]);
    await key('KeyJ', 'ت');
    await page.waitForURL(/inbox\/\d+/);
    const first = page.url();
    await key('KeyJ', 'ت');
    await page.waitForURL((url) => /inbox\/\d+/.test(url.href) && url.href !== first);
    await key('KeyK', 'ن');
    await page.waitForURL(first);
    assert.equal(page.url(), first);
  });
}

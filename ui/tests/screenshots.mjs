// Pictures of every page: desktop, phone, right to left, dark. Into ui/shots.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { browser, demo, open, pages, settle } from './house.mjs';
import { converse } from './people.mjs';

const out = new URL('../shots/', import.meta.url).pathname;
mkdirSync(out, { recursive: true });
const looks = [
  ['desktop', { viewport: { width: 1440, height: 900 } }, 'en', 'light'],
  ['rtl', { viewport: { width: 1440, height: 900 } }, 'ar', 'light'],
  ['phone', { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true }, 'en', 'light'],
  ['dark', { viewport: { width: 1440, height: 900 } }, 'en', 'dark'],
];
const only = process.argv.slice(2).filter((word) => !word.startsWith('-'));
const house = await demo();
const chrome = await browser();
try {
  const first = await chrome.newContext();
  const page = await open(first);
  await page.goto(house.start);
  await page.waitForURL('**/simulator');
  await converse(page, house);
  const session = await first.storageState();
  for (const [look, options, language, scheme] of looks) {
    const context = await chrome.newContext({ ...options, storageState: { cookies: session.cookies, origins: [] }, colorScheme: scheme });
    const one = await open(context, language);
    for (const [name, path] of pages) {
      if (only.length > 0 && !only.includes(name)) continue;
      await one.goto(house.url + path);
      await settle(one);
      if (name === 'simulator') await one.waitForTimeout(700);
      if (name === 'analytics') await one.waitForTimeout(900);
      await one.screenshot({ path: join(out, `${look}-${name}.png`) });
    }
    if (only.length === 0 || only.includes('conversation')) {
      await one.goto(`${house.url}/inbox`);
      await settle(one);
      await one.locator('[data-talk] a').first().click();
      await settle(one);
      await one.waitForTimeout(500);
      await one.screenshot({ path: join(out, `${look}-conversation.png`) });
    }
    const stranger = await chrome.newContext({ ...options, colorScheme: scheme });
    const login = await open(stranger, language);
    await login.goto(`${house.url}/login`);
    await settle(login);
    await login.screenshot({ path: join(out, `${look}-login.png`) });
    await stranger.close();
    for (const what of one.broken) console.log(`${look}: ${what}`);
    await context.close();
  }
  console.log(`pictures in ${out}`);
} finally {
  await chrome.close();
  await house.stop();
}

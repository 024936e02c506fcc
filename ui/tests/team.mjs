// What a team does all day: the first tour by keyboard alone, people merged and erased, things put off; against a demo of its own.
import { browser, demo, open } from './house.mjs';
import { keyboard } from './keyboard.mjs';
import { leads } from './leads.mjs';
import { converse } from './people.mjs';
import { suite } from './suite.mjs';

const { test, end } = suite({ minutes: 9 });
const house = await demo();
const chrome = await browser();
const wide = { viewport: { width: 1440, height: 900 } };
const context = await chrome.newContext(wide);
context.setDefaultTimeout(20_000);
const page = await open(context);
let n = 0;
const unique = () => `97155${String(Date.now()).slice(-6)}${(n += 1)}`;
await page.goto(house.start);
await page.waitForURL('**/simulator');
const tools = await converse(page, house);
const given = { test, page, chrome, wide, house, unique, tools };
await keyboard(given);
await leads(given);
await test('the browser reported nothing broken', async () => {
  if (page.broken.length > 0) throw new Error(page.broken.join('\n'));
});
await chrome.close();
await house.stop();
end();

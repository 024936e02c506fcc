// A demo of its own and a browser, for every test here.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const root = new URL('../../', import.meta.url).pathname;
const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--force-color-profile=srgb'];

/** Starts a demo on a free port; gives its address, its one-time link, and how to end it. */
export async function demo() {
  const binary = process.env.BARID_BIN ?? join(root, 'target/debug/barid');
  if (!existsSync(binary)) throw new Error(`${binary} is missing: cargo build -p barid`);
  const data = mkdtempSync(join(tmpdir(), 'barid-page-'));
  let child;
  const start = async (listen) => {
    child = spawn(binary, ['demo', '--data', join(data, 'demo'), '--listen', listen], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, RUST_LOG: 'error' } });
    let said = '';
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the demo did not start:\n${said}`)), 60_000);
      const hear = (bytes) => {
        said += bytes;
        const found = /(http:\/\/[\d.]+:\d+)(\/start\?token=\w+)/.exec(said);
        if (found) {
          clearTimeout(late);
          resolve(found);
        }
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      child.on('exit', (code) => reject(new Error(`the demo ended with ${code}:\n${said}`)));
    });
  };
  const end = async () => {
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.kill('SIGTERM');
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 8000))]);
    child.kill('SIGKILL');
  };
  const link = await start('127.0.0.1:0');
  /** The server ends and comes back at the same address, with the same data; `between` may look at them meanwhile. */
  const restart = async (between) => {
    await end();
    await between?.(join(data, 'demo'));
    await start(new URL(link[1]).host);
  };
  const stop = async () => {
    await end();
    rmSync(data, { recursive: true, force: true });
  };
  return { url: link[1], start: link[1] + link[2], stop, restart };
}

export async function browser() {
  const path = process.env.CHROMIUM ?? '/usr/bin/chromium';
  if (!existsSync(path)) throw new Error(`${path} is missing: apt-get install chromium`);
  return chromium.launch({ executablePath: path, args: FLAGS, headless: true });
}

export const pages = [
  ['inbox', '/inbox'],
  ['leads', '/leads'],
  ['tasks', '/tasks'],
  ['notifications', '/notifications'],
  ['failed', '/failed'],
  ['dead-letters', '/dead-letters'],
  ['jobs', '/jobs'],
  ['agents', '/agents'],
  ['analytics', '/analytics'],
  ['health', '/health'],
  ['simulator', '/simulator'],
  ['settings', '/settings/tenants'],
  ['settings-channels', '/settings/channels'],
  ['settings-users', '/settings/users'],
  ['settings-tokens', '/settings/tokens'],
  ['settings-webhooks', '/settings/webhooks'],
  ['settings-record', '/settings/audit'],
  ['settings-configuration', '/settings/configuration'],
  ['settings-account', '/settings/mine'],
];

/** What `look` finds, as soon as it finds something. */
export async function eventually(look) {
  for (let n = 0; n < 60; n += 1) {
    const found = await look();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('it did not come within 12 s');
}

/** A new page that speaks a language; what it reports as broken is kept. */
export async function open(context, language = 'en') {
  await context.addInitScript((code) => {
    if (!localStorage.getItem('barid.language')) localStorage.setItem('barid.language', code);
  }, language);
  const page = await context.newPage();
  page.broken = [];
  page.on('pageerror', (error) => page.broken.push(`page error: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    if (message.type() === 'error' && !/status of (401|404|409|412|422)/.test(text) && !/ERR_(FAILED|INCOMPLETE_CHUNKED|CONNECTION|NETWORK|EMPTY)/.test(text)) page.broken.push(`console: ${text}`);
  });
  return page;
}

/** Whatever was under way on the page is over. */
export async function settle(page) {
  await page.waitForLoadState('domcontentloaded');
  await page.locator('#main, main').first().waitFor();
  await page.waitForFunction(() => !document.querySelector('.mantine-Skeleton-root, .mantine-Loader-root'), null, { timeout: 8000 }).catch(() => undefined);
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(200);
}

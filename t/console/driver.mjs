// driver.mjs URL: opens URL in Debian's Chromium, then does what each line of its standard input says, a JSON array
// [what, arguments...], and answers each with a line: {"ok": value} or {"error": text}. It ends with its input.
// Nothing here waits for a time: each step waits until the page is so.
import readline from 'node:readline';
import { chromium } from 'playwright-core';

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
         '--disable-component-update', '--disable-sync'],
});
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
page.setDefaultTimeout(20000);
let held = [], release;
const faults = [], dialogs = [], elsewhere = [];
page.on('pageerror', error => faults.push(String(error)));
page.on('dialog', dialog => { dialogs.push(dialog.message()); dialog.dismiss(); });
page.on('request', request => { if (new URL(request.url()).origin !== new URL(process.argv[2]).origin && !request.url().startsWith('data:')) elsewhere.push(request.url()); });

const steps = {
  open: () => page.goto(process.argv[2], { waitUntil: 'load' }).then(answer => answer.status()),
  click: selector => page.click(selector),
  fill: (selector, text) => page.fill(selector, text),
  press: (selector, key) => page.press(selector, key),
  choose: (selector, value) => page.selectOption(selector, value),
  check: (selector, on) => page.setChecked(selector, on),
  sees: (selector) => page.locator(selector).first().waitFor().then(() => 1),
  misses: (selector) => page.locator(selector).first().waitFor({ state: 'hidden' }).then(() => 1),
  counts: async (selector, number) => {   // as many are there, sooner or later
    await page.waitForFunction(([css, n]) => document.querySelectorAll(css).length === n, [selector, number]);
    return 1;
  },
  count: selector => page.locator(selector).count(),
  text: selector => page.locator(selector).first().innerText(),
  texts: selector => page.locator(selector).allInnerTexts(),
  changes: async selector => {   // from one text to another
    const before = await page.locator(selector).first().innerText();
    await page.waitForFunction(([css, text]) => document.querySelector(css)?.innerText !== text, [selector, before]);
    return [before, await page.locator(selector).first().innerText()];
  },
  focus: () => page.evaluate(() => document.activeElement.getAttribute('aria-label') || document.activeElement.name || document.activeElement.tagName),
  size: (width, height) => page.setViewportSize({ width, height }),
  scheme: colorScheme => page.emulateMedia({ colorScheme }),
  overflows: () => page.evaluate(() => document.documentElement.scrollWidth > innerWidth),
  top: () => page.evaluate(() => scrollTo(0, 0)),
  // The next POST to PATH reaches the server, its answer is lost.
  lose: path => page.route(url => url.pathname === path, async (route, request) => {
    if (request.method() !== 'POST') return route.fallback();
    await route.fetch();
    await route.abort('connectionreset');
  }, { times: 1 }),
  // What the page reads of these paths waits until "release".
  hold: async (...paths) => {
    held = paths.map(path => url => url.pathname.startsWith(path));
    const released = new Promise(done => { release = done; });
    for (const each of held) {
      await page.route(each, async (route, request) => {
        if (request.method() === 'GET') await released;
        await route.continue().catch(() => {});   // the page may have given it up
      });
    }
  },
  release: async () => {
    release();
    for (const each of held) await page.unroute(each);
  },
  // Who asks has this Authorization from now on, whatever the page says; none: as the page says.
  pretend: async authorization => {
    await page.unroute('**/api/**');
    if (authorization) await page.route('**/api/**', (route, request) => route.continue({ headers: { ...request.headers(), authorization } }));
  },
  shot: (path, full) => page.screenshot({ path, fullPage: Boolean(full) }).then(() => 1),
  wrong: () => ({ faults, dialogs, elsewhere }),
};

console.log(JSON.stringify({ ok: browser.version() }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const [what, ...rest] = JSON.parse(line);
  try {
    console.log(JSON.stringify({ ok: await steps[what](...rest) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error.message || error) }));
  }
}
await browser.close();

// Two people on the example's page, in two windows of a headless Chromium: what
// one does, the other sees. Whoever started this, a test in pkg/e2e, is asked on
// stdout to do what a page cannot ("push", "stop", "start"), and answers on
// stdin when it is done.
//
//   SLUICE_PAGE      address of the page
//   SLUICE_CHROMIUM  path of the browser
//   SLUICE_SHOTS     a folder for screenshots, if they are wanted
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { chromium } from 'playwright-core';

const patience = 20000;
const { SLUICE_PAGE: address, SLUICE_CHROMIUM: executablePath, SLUICE_SHOTS: shots } = process.env;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

// please asks the other side to do something and waits until it has.
async function please(request) {
  console.log(request);
  const { value } = await answers.next();
  assert.equal(value, request, 'the test did not do it');
}

// eventually waits until a check no longer throws.
async function eventually(what, check) {
  const end = Date.now() + patience;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}: ${error.message}`, { cause: error });
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

const browser = await chromium.launch({
  executablePath,
  args: [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync',
  ],
});

// window opens the page as somebody, and keeps what its console complains of.
async function window(name, hue, options) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(patience);
  await context.addInitScript((person) => {
    if (!sessionStorage.getItem('person')) sessionStorage.setItem('person', JSON.stringify(person));
  }, { name, hue });
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) complaints.push(m.text()); });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(`${address}/?doc=two-windows`);
  return { name, page, complaints };
}

const texts = (w, selector) => w.page.$$eval(selector, (found) => found.map((e) => e.textContent));
const here = (w) => w.page.$$eval('#people .face', (faces) => faces.map((f) => f.title));
const said = (w) => texts(w, '#list .comment:not(.waiting) p');
const live = (w) => eventually(`${w.name} is live`, async () => assert.equal(await w.page.getAttribute('body', 'data-state'), 'live'));
const slide = (w) => w.page.textContent('#count');

async function shoot(w, name) {
  if (shots) await w.page.screenshot({ path: `${shots}/${name}.png`, animations: 'allow', caret: 'initial' });
}

async function write(w, text) {
  await w.page.fill('#text', text);
  await w.page.press('#text', 'Enter');
}

const otter = await window('Swift Otter', 160, { viewport: { width: 1280, height: 860 }, colorScheme: 'light' });
const heron = await window('Patient Heron', 305, { viewport: { width: 420, height: 860 }, colorScheme: 'dark' });

async function theyMeet() {
  await live(otter);
  await live(heron);
  await eventually('both see both', async () => {
    assert.deepEqual(await here(otter), ['Swift Otter (you)', 'Patient Heron']);
    assert.deepEqual(await here(heron), ['Patient Heron (you)', 'Swift Otter']);
  });
  await eventually('both have upgraded', async () => {
    for (const w of [otter, heron]) assert.equal(await w.page.textContent('#fact-transport'), 'websocket');
  });
  assert.match(await otter.page.textContent('#fact-socket'), /^[0-9a-v]{13}$/);
  const [wide, room] = await heron.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= room, `the narrow page is ${wide} wide in a window of ${room}`);
}

async function cursorsFollow() {
  const line = '.tries li:nth-child(2)';
  await otter.page.locator(line).scrollIntoViewIfNeeded();
  const box = await otter.page.locator(line).boundingBox();
  for (let i = 1; i <= 10; i++) await otter.page.mouse.move(box.x + box.width * 0.05 * i, box.y + box.height / 2);
  await eventually('the cursor is over the same words', async () => {
    assert.deepEqual(await texts(heron, '.cursor span'), ['Swift Otter']);
    const target = await heron.page.locator(line).boundingBox();
    const cursor = await heron.page.locator('.cursor').boundingBox();
    const [x, y] = [(cursor.x - target.x) / target.width, (cursor.y - target.y) / target.height];
    assert.ok(Math.abs(x - 0.5) < 0.03 && Math.abs(y - 0.5) < 0.1, `it is at ${x}, ${y} of the paragraph`);
  });
  await eventually('the round trip is shown', async () => assert.match(await otter.page.textContent('#fact-echo'), / ms$/));
  assert.deepEqual(await texts(otter, '.cursor'), [], 'nobody sees a cursor of their own');
}

async function commentsArrive() {
  const odd = '<img src=x onerror="document.title=1"> & <b>bold</b>';
  await write(otter, 'Good morning!');
  await write(heron, odd);
  for (const w of [otter, heron]) {
    await eventually('both have both', async () => assert.deepEqual((await said(w)).sort(), [odd, 'Good morning!'].sort()));
  }
  assert.deepEqual(await texts(otter, '#list b'), ['Swift Otter', 'Patient Heron']);
  assert.equal(await otter.page.locator('#list img').count(), 0);
}

async function slidesFollow() {
  await otter.page.click('#next');
  assert.equal(await slide(heron), '1 of 5', 'nobody presents yet');
  await otter.page.click('#present');
  await eventually('the presentation begins', async () => assert.equal(await slide(heron), '2 of 5'));
  assert.equal(await heron.page.textContent('#presenter'), 'Swift Otter presents');
  await otter.page.click('#next');
  await eventually('the next slide', async () => assert.equal(await slide(heron), '3 of 5'));
  await heron.page.click('#previous'); // looks back alone, and returns
  assert.equal(await slide(otter), '3 of 5');
  await heron.page.click('#follow');
  assert.equal(await slide(heron), '3 of 5');
}

async function aPushShows() {
  await please('push'); // {"from":"shell","text":"pushed by hand"}
  for (const w of [otter, heron]) {
    await eventually('the pushed comment', async () => assert.equal((await said(w)).at(-1), 'pushed by hand'));
    assert.equal((await texts(w, '#list b')).at(-1), 'shell');
  }
}

async function aNameChanges() {
  await heron.page.fill('#name', 'Grey Heron');
  await heron.page.press('#name', 'Enter');
  await eventually('the new name', async () => assert.ok((await here(otter)).includes('Grey Heron')));
}

function nothingWasWrong() {
  for (const w of [otter, heron]) assert.deepEqual(w.complaints.splice(0), [], `the console of ${w.name}`);
}

// A restart of everything: the pages come back, with what they showed, and what
// was written meanwhile arrives once.
async function theyComeBack() {
  await please('stop');
  await eventually('both notice', async () => {
    for (const w of [otter, heron]) assert.equal(await w.page.getAttribute('body', 'data-state'), 'waiting');
  });
  await write(heron, 'Are you still there?');
  await eventually('it waits', async () => assert.equal(await heron.page.locator('.comment.waiting').count(), 1));
  await please('start');
  await live(otter);
  await live(heron);
  for (const w of [otter, heron]) {
    await eventually('both are here again', async () => assert.equal((await here(w)).length, 2));
    await eventually('everything is there, once', async () => {
      const all = await said(w);
      assert.equal(all.length, 4);
      assert.equal(all.at(-1), 'Are you still there?');
    });
    w.complaints.length = 0; // a browser complains of addresses that do not answer
  }
}

async function oneLeaves() {
  await otter.page.mouse.move(300, 300);
  await otter.page.mouse.move(320, 320);
  await eventually('a cursor', async () => assert.equal(await heron.page.locator('.cursor').count(), 1));
  await otter.page.close();
  await eventually('the other is gone', async () => {
    assert.deepEqual(await here(heron), ['Grey Heron (you)']);
    assert.equal(await heron.page.locator('.cursor').count(), 0);
  });
}

try {
  for (const step of [theyMeet, cursorsFollow, commentsArrive, slidesFollow, aPushShows, aNameChanges, nothingWasWrong, theyComeBack, oneLeaves, nothingWasWrong]) {
    const begun = Date.now();
    await step();
    console.error(`${step.name}: ${Date.now() - begun} ms`);
    if (step === aPushShows) {
      await shoot(otter, 'wide-light');
      await shoot(heron, 'narrow-dark');
    }
  }
} catch (error) {
  for (const w of [otter, heron]) {
    if (!w.page.isClosed()) await shoot(w, `failed-${w.name.replaceAll(' ', '-')}`);
    if (w.complaints.length) console.error(`the console of ${w.name}:`, w.complaints);
  }
  console.error(error);
  process.exitCode = 1;
} finally {
  await browser.close();
  process.stdin.destroy(); // or it is waited for
}

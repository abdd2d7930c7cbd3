// Pictures of the panel in every state, to be looked at: node tests/ts/harness/look.mjs [folder] [only]
// Built from the sources and the fixtures; needs Chromium (CHROMIUM, or /usr/bin/chromium). The pictures are not kept.
import { mkdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from '@playwright/test';
import { build } from 'esbuild';
import { SCENES } from './scenes.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
const FIXTURES = join(HERE, '../../fixtures');
const FLAGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

// The values of JupyterLab's own themes.
const LIGHT = `--jp-layout-color0:white;--jp-layout-color1:white;--jp-layout-color2:#eee;--jp-layout-color3:#bdbdbd;
--jp-border-color1:#bdbdbd;--jp-border-color2:#e0e0e0;--jp-ui-font-color0:#000;
--jp-ui-font-color1:rgba(0,0,0,.87);--jp-ui-font-color2:rgba(0,0,0,.54);
--jp-ui-font-color3:rgba(0,0,0,.38);--jp-brand-color1:#1976d2;--jp-success-color1:#388e3c;
--jp-warn-color1:#f57c00;--jp-error-color1:#d32f2f`;
const DARK = `--jp-layout-color0:#111;--jp-layout-color1:#212121;--jp-layout-color2:#424242;--jp-layout-color3:#616161;
--jp-border-color1:#616161;--jp-border-color2:#424242;--jp-ui-font-color0:#fff;
--jp-ui-font-color1:rgba(255,255,255,.87);--jp-ui-font-color2:rgba(255,255,255,.54);
--jp-ui-font-color3:rgba(255,255,255,.38);--jp-brand-color1:#2196f3;--jp-success-color1:#4caf50;
--jp-warn-color1:#ff9800;--jp-error-color1:#f44336`;
const TYPE = `--jp-ui-font-family:system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;--jp-code-font-family:Menlo,Consolas,"DejaVu Sans Mono",monospace;
--jp-ui-font-size0:0.83333em;--jp-ui-font-size1:13px;--jp-ui-font-size2:1.2em`;

const folder = resolve(process.argv[2] ?? join(tmpdir(), 'torchtwin-look'));
const only = process.argv[3];

async function bundle() {
  const options = {
    bundle: true,
    write: false,
    outdir: '/',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"' },
  };
  const { outputFiles } = await build({ ...options, entryPoints: [join(HERE, 'page.tsx')] });
  return Object.fromEntries(outputFiles.map(({ path, text }) => [path.endsWith('.css') ? 'css' : 'js', text]));
}

/** The fixtures as one kernel would have sent them: one after the other, calls and sequence numbers counted on. */
function pagesOf({ pages: names, change = (event) => event, loop = (events) => events }) {
  const pages = names.map((name) => JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), 'utf8')).value);
  const events = loop(pages.flatMap((page) => page.envelopes).map(({ event }) => change(event)));
  const first = pages[0];
  const envelopes = events.map((event, index) => ({
    protocol: first.protocol,
    session: first.session,
    seq: index + 1,
    event,
  }));
  return first ? [{ ...first, after: 0, upto: envelopes.length, latest: envelopes.length, envelopes }] : [];
}

/** What a paused frame answers, by the kind of question. */
function pauseOf({ paused }) {
  const read = (name) => JSON.parse(readFileSync(join(FIXTURES, `paused-answer-${name}.json`), 'utf8')).value;
  return (
    paused && Object.fromEntries(Object.entries(paused).flatMap(([type, name]) => (name ? [[type, read(name)]] : [])))
  );
}

async function shoot(browser, { css, js }, scene) {
  const { name, act, dark, width = 400, height = 700, zoom = 1, view, framed } = scene;
  const page = await browser.newPage(framed ? asZoomed(width, height, zoom) : asWide(width * zoom, height * zoom));
  if (scene.forced) await page.emulateMedia({ forcedColors: 'active' });
  const failures = [];
  page.on('pageerror', (error) => failures.push(error.message));
  page.on('console', (message) => message.type() === 'error' && failures.push(message.text()));
  const theme = `:root{${dark ? DARK : LIGHT};${TYPE}}body{margin:0;zoom:${framed ? 1 : zoom}}#panel{width:${width}px;${framed ? `height:${height}px` : ''}}`;
  await page.setContent(
    `<!doctype html><html lang="en"><style>${theme}${css}</style><body><div id="panel"></div></body></html>`,
  );
  await page.addScriptTag({ content: js });
  await page.evaluate(
    ([given, change, paused]) => window.show(given, change, paused),
    [pagesOf(scene), view, pauseOf(scene)],
  );
  await page.locator('.jp-Torchtwin-content').waitFor();
  await page.waitForTimeout(80);
  await act?.(page);
  if (framed && !act && !(await newestInSight(page))) failures.push('the newest call is out of sight');
  if (!framed) await showAll(page, width * zoom, height * zoom);
  const wide = await page.evaluate(() => {
    const parts = [...document.querySelectorAll('.jp-Torchtwin-content, .jp-Torchtwin-head')];
    return Math.max(...parts.map((part) => part.scrollWidth - part.clientWidth));
  });
  await page.locator('#panel').screenshot({ path: join(folder, `${name}.png`) });
  await page.close();
  return [...failures, ...(wide > 0 ? [`scrolls sideways by ${wide} px`] : [])];
}

/** A window of this size, whatever is in it. A browser's own zoom leaves fewer of the pixels that a style sheet counts. */
const asZoomed = (width, height, zoom) => ({ viewport: { width, height }, deviceScaleFactor: zoom });
const asWide = (width, height) => ({ viewport: { width, height }, deviceScaleFactor: 1 });

function newestInSight(page) {
  return page.evaluate(() => {
    const name = document.querySelector('.jp-Torchtwin-call .jp-Torchtwin-row');
    return name !== null && name.getBoundingClientRect().bottom <= window.innerHeight;
  });
}

/** All of it in sight: the browser leaves calls out of sight unpainted. */
async function showAll(page, width, height) {
  const whole = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: Math.max(whole, height) * 2 });
  await page.waitForTimeout(50);
}

mkdirSync(folder, { recursive: true });
const bundled = await bundle();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: FLAGS.split(' '),
});
for (const scene of SCENES.filter(({ name }) => !only || name.includes(only))) {
  const failures = await shoot(browser, bundled, scene);
  console.log(`${join(folder, scene.name)}.png${failures.length ? `  ${failures.join('; ')}` : ''}`);
}
await browser.close();

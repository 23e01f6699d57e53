/**
 * Two players, each in a browser of their own, in one world: what one does, the other sees. One is there by WebTransport, the
 * other by a WebSocket.
 *
 * Run by `cargo xtask test`, which starts a server and a page and says where they are:
 * EVERTICK_PAGE (http://…), EVERTICK_SERVER (ws://…), EVERTICK_CHROMIUM (default /usr/bin/chromium), and
 * EVERTICK_SCREENSHOT (default screenshots/world.png).
 */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, test } from "node:test";

import { chromium } from "playwright-core";

const { EVERTICK_PAGE, EVERTICK_SERVER, EVERTICK_CHROMIUM = "/usr/bin/chromium" } = process.env;
const SCREENSHOT = process.env.EVERTICK_SCREENSHOT ?? "screenshots/world.png";

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const WAIT = { timeout: 20_000 };

let browser;
const troubles = [];
const players = [];

before(async () => {
  assert.ok(EVERTICK_PAGE && EVERTICK_SERVER, "say where page and server are: EVERTICK_PAGE, EVERTICK_SERVER");
  browser = await chromium.launch({ executablePath: EVERTICK_CHROMIUM, args: FLAGS });
  // Names are for ever in a world, and the test may be run twice against one.
  const run = Date.now().toString(36).slice(-5);
  players.push(await join(`Anna ${run}`, "WebTransport"));
  players.push(await join(`Ben ${run}`, "WebSocket"));
});

after(async () => {
  await browser?.close();
});

/** Opens the page in a browser of its own and enters the world; a browser that is not told otherwise finds WebTransport by itself. */
async function join(name, transport) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") troubles.push(`${name}: ${message.text()}`);
  });
  page.on("pageerror", (error) => troubles.push(`${name}: ${error.stack}`));
  const limited = transport === "WebSocket" ? "&transport=WebSocket" : "";
  await page.goto(`${EVERTICK_PAGE}/?server=${encodeURIComponent(EVERTICK_SERVER)}${limited}`);
  await page.fill("#name", name);
  await page.click("#enter");
  await page.waitForFunction(() => window.evertick.me !== null && window.evertick.position() !== null, null, WAIT);
  return { name, page, transport, me: await page.evaluate(() => window.evertick.me) };
}

const position = (page, entity) => page.evaluate((id) => window.evertick.position(id), entity);

/** Clicks around until the avatar walks: some directions may be water. Returns where it started. */
async function walk(page) {
  const start = await position(page);
  for (const [dx, dy] of [[150, 60], [-150, 60], [150, -90], [-150, -90], [0, 120], [0, -150]]) {
    await page.mouse.click(640 + dx, 400 + dy);
    const moved = await page
      .waitForFunction((from) => {
        const at = window.evertick.position();
        return Math.hypot(at.x - from.x, at.y - from.y) > 2;
      }, start, { timeout: 3_000 })
      .catch(() => null);
    if (moved) return start;
  }
  return assert.fail("no click made the avatar walk");
}

/** Waits until the avatar stands still, and returns where. */
async function standing(page) {
  for (let last = await position(page), tries = 0; tries < 60; tries++) {
    await page.waitForTimeout(300);
    const now = await position(page);
    if (now.x === last.x && now.y === last.y) return now;
    last = now;
  }
  return assert.fail("the avatar walks for ever");
}

test("the world is there: ground, nodes, creatures", async () => {
  for (const { page } of players) {
    await page.waitForFunction(() => {
      const counts = window.evertick.counts();
      return counts.chunksPainted > 3 && counts.nodes > 0 && counts.creatures > 10 && counts.shown > 5 && counts.players >= 2;
    }, null, WAIT);
  }
});

test("one came by WebTransport, the other by a WebSocket, and the page says so", async () => {
  for (const { page, transport } of players) {
    await page.waitForFunction((name) => document.querySelector("#hud-transport")?.textContent === name, transport, WAIT);
  }
});

test("one walks, and the other sees it", async () => {
  const [anna, ben] = players;
  await ben.page.waitForFunction((id) => window.evertick.position(id) !== null, anna.me, WAIT);
  const before = await position(ben.page, anna.me);
  await walk(anna.page);
  await ben.page.waitForFunction(([id, from]) => {
    const at = window.evertick.position(id);
    return at !== null && Math.hypot(at.x - from.x, at.y - from.y) > 2;
  }, [anna.me, before], WAIT);
  // Both are told the same place, once she stands.
  const end = await standing(anna.page);
  await ben.page.waitForFunction(([id, { x, y }]) => {
    const at = window.evertick.position(id);
    return at !== null && at.x === x && at.y === y;
  }, [anna.me, end], WAIT);
});

test("a click on a node gathers from it", async () => {
  const { page } = players[0];
  const bag = () => page.evaluate(() => [...document.querySelectorAll(".item b")].reduce((sum, count) => sum + Number(count.textContent), 0));
  const start = await bag();
  const tried = new Set();
  for (let attempt = 0; attempt < 12; attempt++) {
    const nodes = await page.evaluate(() => window.evertick.nodes());
    // Away from the panels, and not tried in vain.
    const next = nodes.find(({ id, charges, screen }) =>
      charges > 0 && !tried.has(id) && screen.x > 60 && screen.x < 1220 && screen.y > 90 && screen.y < 560);
    if (!next) {
      await walk(page);
      continue;
    }
    tried.add(next.id);
    await page.mouse.click(next.screen.x, next.screen.y);
    const more = await page
      .waitForFunction((had) => [...document.querySelectorAll(".item b")].reduce((sum, count) => sum + Number(count.textContent), 0) > had, start, { timeout: 8_000 + 200 * next.meters })
      .catch(() => null);
    if (more) return;
  }
  assert.fail("nothing was gathered");
});

test("what one says, the other hears", async () => {
  const [anna, ben] = players;
  await anna.page.keyboard.press("Enter");
  await anna.page.keyboard.type("Hello from Anna!");
  await anna.page.keyboard.press("Enter");
  for (const { page } of [anna, ben]) {
    await page.waitForFunction((name) => {
      const line = document.querySelector("#log li:last-child");
      return line?.querySelector("b")?.textContent === name && line.textContent.includes("Hello from Anna!");
    }, anna.name, WAIT);
  }
});

test("the numbers are those of a connection that lives", async () => {
  for (const { page } of players) {
    await page.waitForFunction(() => {
      const { bytesInPerSecond, rttMs, tickCostMs, tick, entities } = window.evertick.stats();
      return bytesInPerSecond > 0 && rttMs > 0 && tickCostMs > 0 && tick > 0 && entities > 0;
    }, null, WAIT);
    await page.waitForTimeout(400);
    for (const id of ["hud-ping", "hud-tick", "hud-bytes", "hud-entities", "hud-fps"]) {
      const text = await page.textContent(`#${id}`);
      assert.match(text, /^\d+(\.\d+)?k?$/, `#${id} shows ${text}`);
    }
  }
});

test("what moves comes by datagram where there are datagrams", async () => {
  for (const { page, transport } of players) {
    await page.waitForFunction((datagrams) => {
      const { bytesByLane, statesIn, framesIn } = window.evertick.stats();
      return datagrams ? statesIn > 20 && bytesByLane.Latest > 500 : framesIn > 20 && bytesByLane.Latest === 0;
    }, transport === "WebTransport", WAIT);
  }
});

test("keys lead on before the server has told of it, and then both agree", async () => {
  for (const { page, transport } of players) {
    await page.waitForFunction(() => window.evertick.foretold() !== null, null, WAIT);
    let from;
    let ahead = null;
    for (const key of ["d", "s", "a", "w"]) {
      from = await standing(page);
      // The server hears of the key after 1.5 s, and its word of it takes as long again.
      await page.evaluate(() => window.evertick.simulate({ latencyMs: 1500 }));
      await page.keyboard.down(key);
      ahead = await page
        .waitForFunction((from) => {
          const [told, shown] = [window.evertick.position(), window.evertick.shown()];
          const unmoved = told.x === from.x && told.y === from.y;
          return unmoved && Math.hypot(shown.x - from.x, shown.y - from.y) > 0.5 && shown;
        }, from, { timeout: 2_500 })
        .then((found) => found.jsonValue())
        .catch(() => null);
      await page.evaluate(() => window.evertick.simulate(null));
      if (ahead) {
        await page.waitForFunction((from) => {
          const told = window.evertick.position();
          return Math.hypot(told.x - from.x, told.y - from.y) > 0.5;
        }, from, WAIT);
      }
      await page.keyboard.up(key);
      if (ahead) break; // else there is water that way
    }
    assert.ok(ahead, `${transport}: no key moves what is drawn`);
    const end = await standing(page);
    await page.waitForFunction(() => {
      const told = window.evertick.position();
      return [window.evertick.shown(), window.evertick.foretold()].every(({ x, y }) => Math.hypot(x - told.x, y - told.y) < 0.05);
    }, null, WAIT);
    const [told, shown] = [end, ahead].map((to) => ({ x: to.x - from.x, y: to.y - from.y }));
    assert.ok(told.x * shown.x + told.y * shown.y > 0, `${transport}: it went where it was drawn`);
  }
});

test("a developer sees how early inputs go, and how right what is foretold was", async () => {
  const { page } = players[0];
  await page.keyboard.press("F2");
  await page.keyboard.down("d");
  await page.waitForFunction(() => {
    const lines = [...document.querySelectorAll("#debug-numbers dt")].map((name) => [name.textContent, name.nextSibling.textContent]);
    const { inputs = "", prediction = "" } = Object.fromEntries(lines);
    return /^\d+\.\d ticks ahead, slack -?\d+ ms$/.test(inputs) && /^corrected by \d+\.\d cm$/.test(prediction);
  }, null, WAIT);
  await page.keyboard.up("d");
  await page.keyboard.press("F2");
  assert.equal(await page.isVisible("#debug"), false);
});

test("keys are text while one writes, and a click ends what keys began", async () => {
  const { page } = players[0];
  const from = await standing(page);
  await page.keyboard.press("Enter");
  await page.keyboard.down("s");
  await page.waitForTimeout(300);
  await page.keyboard.up("s");
  assert.deepEqual(await position(page), from);
  assert.equal(await page.inputValue("#say-text"), "s");
  await page.fill("#say-text", "");
  await page.keyboard.press("Escape");
  await walk(page);
});

test("who lost the connection comes back as the same player", async () => {
  for (const { page, me } of players) {
    await page.evaluate(() => window.evertick.disconnect());
    await page.waitForSelector("#lost:not([hidden])", WAIT);
    assert.match(await page.textContent("#lost-reason"), /left/);
    await page.click("#reconnect");
    await page.waitForFunction((id) => window.evertick.me === id && window.evertick.position() !== null, me, WAIT);
    assert.equal(await page.isVisible("#lost"), false);
  }
});

test("a connection that is lost is replaced, and the session goes on", async () => {
  for (const { page, me } of players) {
    const { id } = await page.evaluate(() => window.evertick.session());
    const resumes = await page.evaluate(() => window.evertick.stats().resumes);
    await page.evaluate(() => {
      window.told = [];
      const box = document.querySelector("#reconnecting");
      new MutationObserver(() => window.told.push(!box.hidden)).observe(box, { attributes: true });
      window.evertick.drop();
    });
    await page.waitForFunction((before) => window.evertick.stats().resumes > before && window.told.at(-1) === false, resumes, WAIT);
    assert.equal(await page.evaluate(() => window.told[0]), true, "the page says that it comes back");
    assert.deepEqual(await page.evaluate(() => window.evertick.session()), { state: "Connected", id, resumed: false });
    await page.waitForFunction((mine) => window.evertick.me === mine && window.evertick.position() !== null, me, WAIT);
    await walk(page);
  }
});

test("a page that is loaded again goes on with its session", async () => {
  for (const { page, me } of players) {
    const { id } = await page.evaluate(() => window.evertick.session());
    await page.reload();
    await page.waitForFunction((mine) => window.evertick?.me === mine && window.evertick.position() !== null, me, WAIT);
    assert.deepEqual(await page.evaluate(() => window.evertick.session()), { state: "Connected", id, resumed: true });
    await walk(page);
  }
});

test("it looks like a world, and nothing went wrong on the way", async () => {
  const { page } = players[0];
  await page.waitForTimeout(500);
  mkdirSync(dirname(SCREENSHOT), { recursive: true });
  await page.screenshot({ path: SCREENSHOT });
  assert.deepEqual(troubles, []);
});

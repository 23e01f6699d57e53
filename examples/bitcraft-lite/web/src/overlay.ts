/** What a developer wants to know of the connection, and a network to make it worse. */

import type { Client, ClientStats, Conditions, Lane } from "@evertick/client";

import { element } from "./hud.ts";

/** Networks to try, by the name that the page gives them. */
const NETWORKS: Readonly<Record<string, Conditions | null>> = {
  "as it is": null,
  "home": { latencyMs: 20, jitterMs: 10, loss: 0.01, seed: 1 },
  "mobile": { latencyMs: 60, jitterMs: 40, loss: 0.03, burst: 3, reorder: 0.02, duplicate: 0.01, seed: 1 },
  "awful": { latencyMs: 150, jitterMs: 100, loss: 0.12, burst: 4, reorder: 0.05, duplicate: 0.02, seed: 1 },
};

const LANES: readonly Lane[] = ["Control", "World", "Latest"];

/** The time between two looks at the numbers, in milliseconds. */
const LOOK_MS = 500;

/** A network by its name; `undefined` when there is none of that name. */
export function network(name: string | null): Conditions | null | undefined {
  return name === null ? undefined : NETWORKS[name];
}

export class Overlay {
  private readonly box = element("debug");
  private readonly numbers = element("debug-numbers");
  private readonly choice = element<HTMLSelectElement>("debug-network");
  private last: { readonly at: number; readonly stats: ClientStats } | null = null;

  /** `chosen` is told of the network that the player wants. */
  constructor(name: string | null, chosen: (conditions: Conditions | null) => void) {
    this.choice.append(...Object.keys(NETWORKS).map((network) => new Option(network, network)));
    if (name !== null && name in NETWORKS) this.choice.value = name;
    this.choice.addEventListener("change", () => {
      chosen(NETWORKS[this.choice.value] ?? null);
      this.choice.blur();
    });
    window.addEventListener("keydown", (event) => {
      if (event.key !== "F2") return;
      event.preventDefault();
      this.box.hidden = !this.box.hidden;
    });
  }

  /** Shows or hides it. */
  show(shown: boolean): void {
    this.box.hidden = !shown;
  }

  /** Looks at the numbers when it is time. `correction` is the prediction's, in metres. `now` is in milliseconds; to be called in every picture. */
  step(client: Client, correction: number | null, now: number): void {
    if (this.box.hidden || (this.last && now - this.last.at < LOOK_MS)) return;
    const stats = client.stats();
    const { at, stats: before } = this.last ?? { at: now - LOOK_MS, stats };
    this.last = { at: now, stats };
    const rate = (lane: Lane) => Math.max(0, stats.bytesByLane[lane] - before.bytesByLane[lane]) / ((now - at) / 1000);
    const lines: [string, string][] = [
      ["state", `${client.state}, ${client.transport}, resumed ${stats.resumes}×`],
      ["round trip", `${ms(stats.rttMs)}, jitter ${ms(stats.jitterMs)}`],
      ["staleness", `${ms(stats.stalenessP50Ms)}, p99 ${ms(stats.stalenessP99Ms)}`],
      ["loss of states", `${(stats.loss * 100).toFixed(1)} %, ${stats.statesIn} came, ${stats.statesUnused} unused`],
      ["inputs", `${stats.inputLeadTicks.toFixed(1)} ticks ahead, slack ${ms(stats.inputSlackMs)}`],
      ["prediction", correction === null ? "–" : `corrected by ${(correction * 100).toFixed(1)} cm`],
      ["bytes/s", LANES.map((lane) => `${lane.toLowerCase()} ${rate(lane).toFixed(0)}`).join(", ")],
    ];
    this.numbers.replaceChildren(...lines.flatMap(([name, text]) => [cell("dt", name), cell("dd", text)]));
  }
}

function cell(kind: "dt" | "dd", text: string): HTMLElement {
  const made = document.createElement(kind);
  made.textContent = text;
  return made;
}

function ms(value: number): string {
  return Number.isNaN(value) ? "–" : `${value.toFixed(0)} ms`;
}

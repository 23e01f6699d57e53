/** Numbers, bag, chat and notices: everything on the page that is not the world. */

import type { ClientStats, Transport } from "@evertick/client";

import type { Bag } from "./generated/bitcraft.ts";

/** An element that the page is known to have. */
export function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found as T;
}

/** Lines that the chat keeps. */
const LOG_LINES = 40;

const TOAST_MS = 2_600;

export class Hud {
  private toastTimer = 0;

  /** Shows or hides what is of use in the world only. */
  show(inWorld: boolean): void {
    for (const id of ["hud", "bag", "chat"]) element(id).hidden = !inWorld;
  }

  numbers(stats: ClientStats, transport: Transport, shown: number, framesPerSecond: number): void {
    set("hud-ping", one(stats.rttMs));
    set("hud-tick", Number.isNaN(stats.tickCostMs) ? "–" : stats.tickCostMs.toFixed(2));
    set("hud-bytes", amount(stats.bytesInPerSecond));
    set("hud-entities", `${shown}`);
    set("hud-fps", framesPerSecond.toFixed(0));
    set("hud-transport", transport);
  }

  bag(bag: Readonly<Bag> | undefined, old: Readonly<Bag> | undefined): void {
    const names = ["wood", "stone", "berries"] as const;
    names.forEach((name, item) => {
      const box = document.querySelector<HTMLElement>(`.item[data-item="${item}"]`);
      const count = bag?.[name] ?? 0;
      if (!box) return;
      box.title = name;
      box.querySelector("b")!.textContent = `${count}`;
      if (old && count > old[name]) {
        box.classList.remove("pulse");
        void box.offsetWidth; // the animation starts anew only after a layout without it
        box.classList.add("pulse");
      }
    });
  }

  chat(name: string, color: string, text: string): void {
    const line = document.createElement("li");
    const who = document.createElement("b");
    who.textContent = name;
    who.style.color = color;
    line.append(who, text);
    const log = element("log");
    log.append(line);
    while (log.childElementCount > LOG_LINES) log.firstElementChild?.remove();
  }

  toast(message: string): void {
    const toast = element("toast");
    toast.textContent = message.charAt(0).toUpperCase() + message.slice(1);
    toast.classList.add("shown");
    clearTimeout(this.toastTimer);
    this.toastTimer = window.setTimeout(() => toast.classList.remove("shown"), TOAST_MS);
  }
}

function set(id: string, text: string): void {
  const target = element(id);
  if (target.textContent !== text) target.textContent = text;
}

function one(value: number): string {
  return Number.isNaN(value) ? "–" : value < 10 ? value.toFixed(1) : value.toFixed(0);
}

function amount(bytes: number): string {
  return bytes < 1000 ? bytes.toFixed(0) : bytes < 100_000 ? `${(bytes / 1000).toFixed(1)}k` : `${(bytes / 1000).toFixed(0)}k`;
}

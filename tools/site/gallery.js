// Plays recorded runs on a page of the gallery: reads the cast inside the page, and gives the notebooks' own player what a
// kernel would give it (flatkit/widgets/player.py and player_state.py).
"use strict";
(() => {
  const MARKS = { ok: "✓", failed: "✗", running: "…", next: "▶" };
  const SPEEDS = [["as it was", 1], ["4 times as fast", 4], ["20 times as fast", 20], ["at once", 0]];
  const LONGEST_OUTPUT = 4000;

  function waitingStep(event, number) {
    return {
      number, title: event.title, why: event.why, prompt: event.where === "host" ? "host$" : "core@machine$", command: event.command,
      state: number === 1 ? "next" : "waiting", output: "", found: "", hint: "", seconds: 0, boot: "",
    };
  }

  /** A recorded run: events are told to it one after the other; `wanted` is the step up to which it plays. */
  class Run {
    constructor(cast, banner, changed) {
      const about = JSON.parse(cast.slice(0, cast.indexOf("\n")));
      this.events = about.flatkit.events;
      this.about = { name: about.flatkit.demo, title: about.title.replace(/ \(.*\)$/, ""), banner };
      this.changed = changed;
      this.speed = 4;
      this.reset();
    }
    reset() {
      clearTimeout(this.clock);
      this.clock = null;
      this.at = 0;
      this.wanted = 0;
      this.last = 0;
      this.steps = this.events.filter((event) => event.event === "step_started").map((event, at) => waitingStep(event, at + 1));
    }
    get over() { return this.at >= this.events.length || this.steps.some((step) => step.state === "failed"); }
    play(number) {
      if (this.over) this.reset();
      this.wanted = Math.min(Math.max(number, this.wanted), this.steps.length);
      if (this.clock === null) this.go();
    }
    stop() { this.reset(); this.changed(); }
    /** Tell the next event, now or when its time has come. */
    go() {
      this.clock = null;
      while (!this.over) {
        const event = this.events[this.at];
        if (event.event === "step_started" && event.number > this.wanted) break;
        const before = this.events[this.at - 1];
        const wait = this.speed && before && event.event !== "step_started" ? ((event.at - before.at) * 1000) / this.speed : 0;
        if (wait > 4 && this.waited !== this.at) {
          this.waited = this.at;
          this.clock = setTimeout(() => this.go(), wait);
          break;
        }
        this.tell(event);
        this.at += 1;
      }
      this.changed();
    }
    tell(event) {
      const step = this.steps[(event.number ?? this.steps.findIndex((one) => one.state === "running") + 1) - 1];
      if (!step) return;
      if (event.event === "step_started") step.state = "running";
      else if (event.event === "step_output") step.output = event.text.slice(0, LONGEST_OUTPUT).trimEnd();
      else if (event.event === "phase_started") step.boot = event.title;
      else if (event.event === "step_ended") {
        Object.assign(step, { state: event.ok ? "ok" : "failed", found: event.found, hint: event.hint ?? "", seconds: event.seconds, boot: "" });
        this.last = step.number;
        if (event.ok && this.steps[step.number]) this.steps[step.number].state = "next";
      }
    }
    /** What the player draws. */
    value() {
      const done = this.steps.filter((step) => step.state === "ok").length;
      const ok = done === this.steps.length;
      const begun = this.at > 0 || this.wanted > 0;
      return {
        ...this.about,
        verdict: this.over ? (ok ? "every check passed" : "a check failed") : begun ? `${done} of ${this.steps.length} steps played` : `${this.steps.length} steps`,
        kind: this.over ? (ok ? "ok" : "bad") : "dim",
        over: this.over, working: this.clock !== null, running: begun && !this.over, recordable: false, last: this.last,
        steps: this.steps.map((step) => ({ ...step, mark: MARKS[step.state] ?? "·" })),
      };
    }
  }

  function show(place) {
    let heard = () => {};
    const run = new Run(place.querySelector("script").textContent, place.dataset.banner, () => heard());
    const model = {
      get: (name) => (name === "state" ? run.value() : ""),
      on: (name, callback) => { if (name === "change:state") heard = callback; },
      off: () => { heard = () => {}; },
      send: ({ verb }) => {
        if (verb === "next") run.play(run.over ? 1 : run.wanted + 1);
        else if (verb === "all") run.play(run.steps.length);
        else if (verb === "stop") run.stop();
      },
    };
    window.flatkitPlayer.render({ model, el: place });
    const speed = document.createElement("select");
    for (const [words, value] of SPEEDS) speed.add(new Option(words, value, value === run.speed, value === run.speed));
    speed.onchange = () => { run.speed = Number(speed.value); };
    const label = document.createElement("label");
    label.className = "speed";
    label.append("Speed: ", speed);
    place.append(label);
  }

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => { document.body.dataset.jpThemeLight = String(!dark.matches); };
  dark.addEventListener("change", follow);
  follow();
  document.querySelectorAll(".player").forEach(show);
})();

// What a notebook gives a widget's page side, without a notebook: traits, messages, and a wire to the test's Python.
const decode = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const encode = (buffer) => {
  const bytes = buffer instanceof ArrayBuffer ? new Uint8Array(buffer) : new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
};

class FakeModel {
  constructor(id, state) {
    this.id = id;
    this.state = state;
    this.dirty = new Set();
    this.listeners = new Map();
    this.comm_live = true;
    this.wire = Promise.resolve();
  }
  get(name) { return this.state[name]; }
  set(name, value) {
    this.state[name] = value;
    this.dirty.add(name);
    this.emit(`change:${name}`, this, value);
    this.emit("change", this);
  }
  save_changes() {
    const state = Object.fromEntries([...this.dirty].map((name) => [name, this.state[name]]));
    this.dirty.clear();
    this.talk({ state });
  }
  send(content, callbacks, buffers = []) { this.talk({ content, buffers: buffers.map(encode) }); }
  talk(message) {
    if (!this.comm_live) return;
    this.wire = this.wire.then(() => window.flatkitSend(this.id, message)).then(() => drain([this]));
  }
  receive({ state = {}, content = null, buffers = [] }) {
    Object.assign(this.state, state);
    for (const name of Object.keys(state)) this.emit(`change:${name}`, this, state[name]);
    if (Object.keys(state).length) this.emit("change", this);
    if (content !== null) this.emit("msg:custom", content, buffers.map(decode));
  }
  kernelDied() {
    this.comm_live = false;
    this.emit("comm_live_update");
  }
  on(names, callback) {
    for (const name of names.split(" ")) this.listeners.set(name, [...(this.listeners.get(name) ?? []), callback]);
  }
  off(names, callback) {
    for (const name of names ? names.split(" ") : [...this.listeners.keys()])
      this.listeners.set(name, (this.listeners.get(name) ?? []).filter((one) => callback && one !== callback));
  }
  once(name, callback) {
    const one = (...args) => { this.off(name, one); callback(...args); };
    this.on(name, one);
  }
  emit(name, ...args) { for (const callback of [...(this.listeners.get(name) ?? [])]) callback(...args); }
}

// What the widgets say, in order. One question for all of them.
async function drain(models) {
  const live = models.filter((model) => model.comm_live);
  if (!live.length) return;
  const said = await window.flatkitDrain(live.map(({ id }) => id));
  for (const [at, model] of live.entries()) for (const message of said[at]) model.receive(message);
}

// What a widget says on its own, from a thread, arrives as well. The next question waits for the answer to the last one: on
// a slow host questions by the clock would come faster than Python answers them, and hold up all else.
const mounted = new Set();
void (async () => {
  for (;;) {
    await drain([...mounted]);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
})();

// What anywidget hands to a widget: not the model itself, and each view one of its own, whose listeners go with it.
function proxyOf(model) {
  const heard = [];
  const proxy = {
    get: model.get.bind(model), set: model.set.bind(model), save_changes: model.save_changes.bind(model), send: model.send.bind(model),
    on(names, callback) { heard.push([names, callback]); model.on(names, callback); },
    off: model.off.bind(model),
    widget_manager: { get_model: async (ident) => { if (ident !== model.get("ident")) throw new Error(`no model ${ident}`); return model; } },
  };
  return [proxy, () => { for (const [names, callback] of heard) model.off(names, callback); }];
}

window.flatkitMount = async (id, code, state) => {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const made = (await import(url)).default;
  const widget = typeof made === "function" ? await made() : made;
  const model = new FakeModel(id, state);
  const experimental = { invoke: async () => { throw new Error("not in a test page"); } };
  const [proxy, forget] = proxyOf(model);
  const endings = [await widget.initialize?.({ model: proxy, experimental }), forget];
  const show = async () => {
    const el = document.createElement("div");
    document.querySelector("main").append(el);
    const [mine, forgetMine] = proxyOf(model);
    const end = await widget.render?.({ model: mine, el, experimental });
    endings.push(async () => { await end?.(); forgetMine(); el.remove(); });
  };
  await show();
  mounted.add(model);
  window.flatkitMounted = { ...window.flatkitMounted, [id]: {
    model, show,
    unmount: async () => { mounted.delete(model); for (const end of endings) await end?.(); },
  } };
};

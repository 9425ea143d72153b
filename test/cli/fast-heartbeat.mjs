// Loaded before the command: its heartbeat, every 30 s, comes every 0.1 s.
const { setInterval } = globalThis;
globalThis.setInterval = (call, ms, ...args) =>
  setInterval(call, ms === 30_000 ? 100 : ms, ...args);

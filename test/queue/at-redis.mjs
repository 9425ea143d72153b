// Loaded before the command: AT_CALL=redis kills the process once it has sent half of a message with jobs to a Redis.
import { Socket } from "node:net";

if (process.env.AT_CALL === "redis") {
  const { write } = Socket.prototype;
  Socket.prototype.write = function (data, ...rest) {
    const text = typeof data === "string" ? data : data.toString("latin1");
    if (!/\.0-\d/.test(text) || text.length < 500)
      return write.call(this, data, ...rest);
    const half = data.slice(0, Math.floor(data.length / 2));
    return write.call(this, half, () => process.kill(process.pid, "SIGKILL"));
  };
}
